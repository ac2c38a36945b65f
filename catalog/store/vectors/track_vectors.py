"""The vectors of tracks beside that of their text: how they sound, what they serve, what the ear hears of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...disk.files import check_writable
from ...disk.reading import Row, checked_limit, intact
from ...generator.audio import timbre
from ...generator.listening.facts import MIN_S
from ...models import Filter, Heard, Measured, Track
from ...search.filters import both, equals, literal, meets, one_of, to_sql
from ..audio import AudioFiles
from ..cells import NO_LEVEL
from ..rows import BriefVector, EarVector, from_track_row, kept_brief, kept_ear, kept_sound
from ..track_table import TrackTable

__all__ = ["READY", "Scored", "TrackVectors"]

Scored = list[tuple[Track, float]]
READY = Filter()
MOST_LICENSES = 500
"""Up to how many licences are named in a query; people may state one of their own for each track."""


class TrackVectors:
    """The part of `Tracks` that reads, writes and searches vectors."""

    def __init__(self, home: Path, table: TrackTable, audio: AudioFiles) -> None:
        self.table = table
        self._home = home
        self._audio = audio
        self._licenses: tuple[int | None, frozenset[str]] = (None, frozenset())
        """The version of the table, and every licence that a row states or stated."""

    # Search

    def search_brief(
        self, brief: BriefVector, vector: ArrayLike, where: Filter = READY, limit: int = 20
    ) -> Scored:
        """Return up to `limit` tracks that meet `where` and whose music serves the brief best, best first.

        The number with each is the cosine of its context to `vector`. Tracks without a brief vector of that kind are
        left out; see `without_brief`.
        """
        predicate = to_sql(where, self.licenses)
        return self._best(
            lambda count: self.table.nearest_brief(brief, vector, predicate, count),
            "_similarity",
            limit,
            where,
        )

    def search_sound(self, sound: ArrayLike, where: Filter = READY, limit: int = 20) -> Scored:
        """Return up to `limit` tracks that meet `where` and sound most like the vector `sound`, with the cosine.

        Tracks whose sound was not measured yet are left out; see `without_sound`.
        """
        predicate = to_sql(where, self.licenses)
        return self._best(
            lambda count: self.table.nearest_of("sound", timbre.KIND, sound, predicate, count),
            "_similarity",
            limit,
            where,
        )

    def search_ear(self, ear: EarVector, where: Filter = READY, limit: int = 20) -> Scored:
        """Return up to `limit` tracks that meet `where` and that the ear puts nearest to a vector, with the cosine.

        The vector may be that of a sound or of a text. Tracks that this ear has not heard are left out; see `unheard`.
        """
        predicate = to_sql(where, self.licenses)
        return self._best(
            lambda count: self.table.nearest_of("ear", ear.kind, ear.vector, predicate, count),
            "_similarity",
            limit,
            where,
        )

    def licenses(self) -> frozenset[str] | None:
        """Return every licence that a row states, None where they are too many to name.

        After a change only those that were not known are looked for, which an index answers.
        """
        version, (known_at, known) = self.table.durable.head(), self._licenses
        while known_at != version and len(known) <= MOST_LICENSES:
            other = f"NOT {one_of('weights_license', sorted(known))}" if known else None
            rows = self.table.read(other, columns=("weights_license",), limit=MOST_LICENSES)
            if not (new := {row["weights_license"] for row in rows} - known):
                known_at = version
            known |= new
        self._licenses = known_at, known
        return known if len(known) <= MOST_LICENSES else None

    # Vectors of tracks

    def vector_of(self, track_id: str) -> NDArray[np.float32] | None:
        """Return the unit vector of a track's context, None without the track."""
        return self.table.vectors_of([track_id]).get(track_id)

    def vectors(self, where: Filter = READY) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        """Return the ids of the tracks that meet `where` and their unit vectors, float32, shape (tracks, dimension)."""
        vectors = self.table.vectors(to_sql(where, self.licenses))
        matrix = np.stack([*vectors.values()]) if vectors else np.zeros((0, self.table.dimension), np.float32)
        return tuple(vectors), matrix

    def sound_of(self, track_id: str) -> NDArray[np.float32] | None:
        """Return how a track sounds, float32 of shape (timbre.DIMENSION,), None where it was not measured."""
        same = both(equals("id", track_id), equals("sound_kind", timbre.KIND), "sound IS NOT NULL")
        rows = self.table.read(same, columns=("id", "sound"), limit=1)
        return np.asarray(rows[0]["sound"], dtype=np.float32) if rows else None

    def without_sound(self) -> list[Track]:
        """Return the ready tracks whose sound was not measured, and silent ones; not those too short to have one."""
        missing = both(f"sound_kind != {literal(timbre.KIND)}", f"duration_s >= {timbre.MIN_S}")
        where = both(missing, equals("state", "ready"))
        return [*self._servable(self.table.read(where), READY)]

    def put_sounds(self, sounds: Mapping[str, ArrayLike]) -> None:
        """Write how tracks sound, by id, as one commit; nothing else of them changes."""
        check_writable(self._home, "the sounds cannot be written")
        if sounds:
            self.table.put_vectors(
                "sounds", [*sounds], lambda track, row: (sounds[track.id], kept_brief(row), kept_ear(row))
            )

    def without_brief(self, kind: str, styles: Sequence[str], limit: int | None = None) -> list[Track]:
        """Return ready tracks of these styles without a brief vector of that kind, at most `limit`."""
        other = f"brief_kind != {literal(kind)}" if self.table.has_briefs() else None
        where = both(other, one_of("style", [*styles]), equals("state", "ready"))
        return [*intact(self.table.read(where, limit=limit), from_track_row)]

    def put_briefs(self, kind: str, briefs: Mapping[str, ArrayLike]) -> None:
        """Write brief vectors of tracks, by id, as one commit; nothing else of them changes."""
        check_writable(self._home, "the brief vectors cannot be written")
        if briefs:
            self.table.put_vectors(
                "brief vectors",
                [*briefs],
                lambda track, row: (kept_sound(row), BriefVector(kind, briefs[track.id]), kept_ear(row)),
            )

    def ear_of(self, track_id: str, kind: str) -> NDArray[np.float32] | None:
        """Return what the ear of identity `kind` hears of a track; None where that ear has not heard it."""
        if not self.table.has_ears():
            return None
        same = both(equals("id", track_id), equals("ear_kind", kind), "ear IS NOT NULL")
        rows = self.table.read(same, columns=("id", "ear"), limit=1)
        return np.asarray(rows[0]["ear"], dtype=np.float32) if rows else None

    def unheard(self, kind: str, limit: int | None = None) -> list[str]:
        """Return the ids of ready tracks that the ear `kind` has not heard, the newest first, at most `limit`."""
        other = f"ear_kind != {literal(kind)}" if self.table.has_ears() else None
        where = both(other, equals("state", "ready"))
        return [
            row["id"] for row in self.table.read(where, columns=("id",), order="-created_at", limit=limit)
        ]

    def count_heard(self, kind: str) -> int:
        """Return how many ready tracks the ear of identity `kind` has heard."""
        heard = both(equals("ear_kind", kind), equals("state", "ready"))
        return self.table.count(heard) if self.table.has_ears() else 0

    def put_ears(self, ears: Mapping[str, tuple[EarVector, Heard | None]]) -> None:
        """Write what the ear hears of tracks, by id, as one commit: the vector, and the tags where there are some.

        Their brief vectors go, as in `put_measured`.
        """
        check_writable(self._home, "what the ear hears cannot be written")
        if ears:
            self.table.put_vectors(
                "vectors of the ear",
                [*ears],
                lambda track, row: (kept_sound(row), None, ears[track.id][0]),
                lambda track: track.model_copy(update={"heard": ears[track.id][1]}),
            )

    def unmeasured(self) -> list[Track]:
        """Return the ready tracks whose samples were not measured, but for those too silent or short for it."""
        missing = equals("measured", "") if self.table.known(("measured",)) else None
        long = f"duration_s >= {literal(MIN_S)} AND loudness_lufs > {literal(NO_LEVEL)}"
        where = both(missing, long, equals("state", "ready"))
        return [*self._servable(self.table.read(where), READY)]

    def put_measured(self, facts: Mapping[str, Measured]) -> None:
        """Write what is measured in the samples of tracks, by id, as one commit.

        Their brief vectors go: they are made anew with what was measured when a search needs them.
        """
        check_writable(self._home, "what is measured cannot be written")
        if facts:
            self.table.put_vectors(
                "measured facts",
                [*facts],
                lambda _, row: (kept_sound(row), None, kept_ear(row)),
                lambda track: track.model_copy(update={"measured": facts[track.id]}),
            )

    # Inside

    def _best(self, fetch: Callable[[int], Sequence[Row]], score: str, limit: int, where: Filter) -> Scored:
        """Fetch more and more rows until `limit` tracks among them can be served, or there are no more rows."""
        count = checked_limit(limit)
        while True:
            rows = fetch(count)
            scores = {row["id"]: float(row[score]) for row in rows}
            servable = [*self._servable(rows, where)]
            if len(servable) >= limit or len(rows) < count:
                return [(track, scores[track.id]) for track in servable[:limit]]
            count = 2 * count + 8

    def _servable(self, rows: Iterable[Row], where: Filter) -> Iterator[Track]:
        """Yield the tracks of intact rows whose records meet `where`, as their columns do, and whose audio is there."""
        tracks = intact(rows, from_track_row)
        return (track for track in tracks if meets(track, where) and self._audio.exists(track))
