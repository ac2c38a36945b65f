"""The tracks of a catalog: search, lists and changes. A track is served only while its row and its audio are intact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, Any, TypedDict

from numpy.typing import ArrayLike
from typing_extensions import Unpack

from ..disk.files import check_writable
from ..disk.reading import MOST_RESULTS, Row, checked_limit, checked_words, intact, scan
from ..errors import Damage, InputError, NotFound, StorageError
from ..models import Filter, Track
from ..search.facets import Facets
from ..search.filters import both, equals, literal, meets, one_of, to_sql
from ..validation import checked
from . import answers
from .rows import BriefVector, EarVector, NewTrack, from_track_row, unit_vector
from .track_table import Change
from .vectors.track_vectors import READY, Scored, TrackVectors

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MEANING_WEIGHT", "ORDERS", "Changes", "Tracks", "blend"]


TrackList = list[Track]

ORDERS = (
    "created_at",
    "duration_s",
    "tempo_bpm",
    "rating",
    "valence",
    "energy",
    "loudness_lufs",
    "audio_bytes",
    "generation_s",
    "style",
    "role",
    "id",
)
"""Columns a list can be sorted by."""
HYBRID_POOL = 50
"""How many of the best by words, and by meaning, are compared at the least."""
MEANING_WEIGHT = 0.6
"""Best or level with the best on both sets of tests/benchmarks/catalog/words_and_meaning.py, one of which flatters
words and the other meaning; fusing ranks loses a fifth of the first places of the former."""


class Changes(TypedDict, total=False):
    """What of a track can be changed after it was made."""

    rating: int | None
    tags: Sequence[str]
    note: str
    seam: float | None
    title: str


class Tracks(TrackVectors):
    """The tracks of one home folder. Threads may share it."""

    # One track

    def insert(
        self,
        track: Track,
        vector: ArrayLike,
        sound: ArrayLike | None = None,
        brief: BriefVector | None = None,
        ear: EarVector | None = None,
    ) -> Track:
        """Add `track` with the vector of its context, shape (dimension,); both are on the disk on return.

        `sound` is what `generator.audio.timbre.sound_vector` gives for its audio, `brief` its brief vector and
        `ear` what the ear hears, where those are known.

        Returns the track as it is stored: inserting the same id again changes nothing, and in a remote home another
        replica may have stored a track under it meanwhile, made for the same request.

        Raises InputError for values that cannot be stored or an id that
        names another track, EncoderMismatch for another encoder than the table's, StorageError when the audio file is
        missing or the disk refuses, Busy when the lock is not had in time.
        """
        return self.insert_all([NewTrack(track, vector, sound, brief, ear)])[0]

    def insert_all(self, new: Sequence[NewTrack], *, unmade: bool = False) -> TrackList:
        """Add tracks in one commit, all or none, each as `insert` does.

        With `unmade` those are left out whose request has another ready track by now, in what is returned too.
        """
        check_writable(self._home, f"{len(new)} tracks cannot be inserted")

        def check_audio() -> None:
            for track in (one.track for one in new):
                if not self._audio.is_stored(track):
                    self._audio.bring_back(track)
                if not self._audio.is_stored(track):
                    raise StorageError(
                        f"track {track.id} cannot be inserted: no file of {track.audio_bytes:,} bytes is at "
                        f"{track.audio_path}; store the audio first"
                    )

        if not self.table.durable.exists():
            # A new table has the stamp that the answers of an earlier one may bear, whose tracks it does not hold.
            answers.forget(self._home)
        return self.table.insert(new, check_audio, unmade=unmade)

    @checked
    def get(self, track_id: str) -> Track | None:
        """Return the track of that id, None without. Raises Damage when its row does not match its checksum."""
        return self.table.get(track_id)

    @checked
    def find_id(self, prefix: str) -> Track:
        """Return the one track whose id begins with `prefix`.

        Raises NotFound with the nearest ids when none does, InputError when several do.
        """
        exact = self.table.get(prefix)
        if exact is not None:
            return exact
        rows = self.table.read(f"starts_with(id, {literal(prefix)})", limit=4)
        if len(rows) == 1:
            return from_track_row(rows[0])
        if rows:
            raise InputError(
                f"{prefix!r} begins several ids: {', '.join(row['id'] for row in rows)}; give more of it"
            )
        ids = [row["id"] for row in self.table.read(None, columns=("id",), limit=MOST_RESULTS)]
        near = get_close_matches(prefix, ids, n=3, cutoff=0.4)
        raise NotFound(f"there is no track {prefix!r}" + (f"; near it are {', '.join(near)}" if near else ""))

    def made_for(self, key: str) -> Iterator[Track]:
        """Yield the ready tracks made for the request `key` whose audio files are there, newest first."""
        rows = self.table.read(both(equals("key", key), equals("state", "ready")))
        made = (track for track in self._servable(rows, READY) if track.key == key)
        return iter(sorted(made, key=lambda track: (track.created_at, track.id), reverse=True))

    def ids_made_for(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the id of a ready track made for each of these requests, those that have one; no file is looked at."""
        where = both(one_of("key", [*keys]), equals("state", "ready"))
        return (
            {row["key"]: row["id"] for row in self.table.read(where, columns=("id", "key"))} if keys else {}
        )

    def takes(self, key: str) -> int:
        """Return how many tracks were made for the request `key`, those in the trash included."""
        return self.table.count(equals("key", key))

    @checked
    def update(self, track_id: str, **changes: Unpack[Changes]) -> Track:
        """Change what is passed and nothing else, and return the track as it now is.

        `rating` is 1 to 5 or None, `tags` are a person's own labels, `note` their words, `title` what they call
        it, `seam` how unusual the join of the loop is. Raises InputError for other names and values, NotFound without
        the track.
        """
        if unknown := sorted(changes.keys() - Changes.__annotations__.keys()):
            raise InputError(
                f"{unknown[0]!r} of a track cannot be changed; pass {', '.join(Changes.__annotations__)}"
            )
        values: dict[str, Any] = {**changes}
        if "tags" in values:
            values["tags"] = tuple(dict.fromkeys(values["tags"]))
        return self.change(track_id, lambda _: values)

    @checked
    def trash(self, track_id: str) -> Track:
        """Move a track to the trash, where no search finds it; its row and its audio stay. Return it."""
        trashed = {"state": "trashed", "trashed_at": datetime.now(timezone.utc)}
        return self.change(track_id, lambda track: {} if track.state == "trashed" else trashed)

    @checked
    def restore(self, track_id: str) -> Track:
        """Take a track back from the trash and return it. Raises Damage when its audio file is gone."""

        def ready(track: Track) -> Mapping[str, Any]:
            if not self._audio.is_stored(track):
                raise Damage(f"track {track.id} cannot be restored: its file {track.audio_path} is gone")
            return {"state": "ready", "trashed_at": None}

        return self.change(track_id, ready)

    def change(self, track_id: str, change: Change) -> Track:
        """Write a row anew with the fields that `change` returns for its track; NotFound without the row."""
        check_writable(self._home, f"track {track_id} cannot be changed")
        return self.table.change(track_id, change)

    def change_all(self, changes: Mapping[str, Change]) -> TrackList:
        """Write rows anew in one commit, all or none, each as `change` does."""
        check_writable(self._home, f"{len(changes)} tracks cannot be changed")
        return self.table.change_all(changes)

    # Search

    @checked
    def search(
        self, vector: ArrayLike, where: Filter = READY, limit: int = 20, *, among: Sequence[str] | None = None
    ) -> Scored:
        """Return up to `limit` tracks that meet `where`, with the cosine similarity to `vector`, best first.

        `among` leaves only the tracks with these ids.

        The filter is part of the query, so a nearer track that fails it never hides one that meets it. Raises
        EncoderMismatch when another encoder made the table, InputError for a vector without direction.
        """
        predicate = both(to_sql(where, self.licenses), None if among is None else one_of("id", [*among]))
        return self._best(
            lambda count: self.table.nearest(vector, predicate, count), "_similarity", limit, where
        )

    @checked
    def search_words(self, text: str, where: Filter = READY, limit: int = 20) -> Scored:
        """Return up to `limit` tracks whose summary, mood, style, prompt or context has words of `text`.

        The score is BM25 (Robertson and Zaragoza 2009), above 0 and open at the top: comparable within one call only.
        """
        predicate, words = to_sql(where, self.licenses), checked_words(text)
        return self._best(
            lambda count: self.table.search_words(words, predicate, count), "_score", limit, where
        )

    @checked
    def search_hybrid(
        self,
        text: str,
        vector: ArrayLike,
        where: Filter = READY,
        limit: int = 20,
        least_cosine: float | None = None,
    ) -> Scored:
        """Return up to `limit` tracks by words and meaning together, best first.

        Tracks that have none of the words and are less near than `least_cosine` are left out.
        The score is that of `blend` with `MEANING_WEIGHT`. Candidates come from both searches; the cosine of those
        that only the words found is computed from their vectors.
        """
        predicate, pool = to_sql(where, self.licenses), max(HYBRID_POOL, 2 * checked_limit(limit))
        near = self.table.nearest(vector, predicate, pool)
        worded = self.table.search_words(checked_words(text), predicate, pool)
        rows = {row["id"]: row for row in (*worded, *near)}
        cosines = {row["id"]: row["_similarity"] for row in near}
        unit = unit_vector(vector)
        others = self.table.vectors_of([each for each in rows if each not in cosines])
        cosines |= {each: float(other @ unit) for each, other in others.items()}
        bm25 = {row["id"]: row["_score"] for row in worded}
        scores = blend(cosines, bm25, MEANING_WEIGHT)
        least = -1.0 if least_cosine is None else least_cosine
        fit = (each for each in rows if each in bm25 or cosines[each] >= least)
        best = sorted(fit, key=lambda each: (-scores[each], each))
        servable = self._servable((rows[each] for each in best), where)
        return [(track, scores[track.id]) for track in islice(servable, limit)]

    # Many tracks

    @checked
    def list(
        self, where: Filter = READY, *, order: str = "-created_at", limit: int | None = None, offset: int = 0
    ) -> TrackList:
        """Return the tracks that meet `where`, sorted by the column `order`, descending with a leading minus.

        Tracks whose audio is gone are listed too. Raises InputError for a column that cannot be sorted by.
        """
        if order.removeprefix("-") not in ORDERS:
            raise InputError(f"tracks cannot be sorted by {order!r}; pass one of {', '.join(ORDERS)}")
        if offset < 0 or (limit is not None and limit < 0):
            raise InputError(f"limit {limit} and offset {offset} must be 0 or more")
        rows = self.table.read(to_sql(where, self.licenses), order=order, limit=limit, offset=offset)
        return [track for track in intact(rows, from_track_row) if meets(track, where)]

    @checked
    def count(self, where: Filter = READY) -> int:
        """Return how many tracks meet `where`."""
        return self.table.count(to_sql(where, self.licenses))

    def count_ready(self) -> int:
        """Return how many tracks are ready; quick at any size, unlike `count`."""
        return self.table.count_ready()

    def facets(self, where: Filter = READY, text: str = "") -> tuple[int, Facets]:
        """Return how many tracks meet `where`, and for each facet how many have each value, most frequent first.

        With `text` only tracks that have words of it count, up to 10,000. See `facets.FACETS`.
        """
        return self.table.facets(to_sql(where, self.licenses), checked_words(text) if text else "")

    def version(self) -> int:
        """Return a number that is another one after every change of the tracks."""
        return self.table.durable.head() or 0

    def stamp(self) -> int | None:
        """Return a number that is another one once a track may have changed, new ones aside; None within a commit."""
        return self.table.durable.stamp

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Return columns of every row, those in the trash included; see `TrackTable.known`."""
        import pyarrow as pa

        if not self.table.durable.exists():
            return pa.table({name: pa.array([], pa.string()) for name in names})
        return scan(self.table.durable, None, self.table.known(names))

    def values(self, column: str) -> set[str]:
        """Return the values that tracks have in a column of words, or of lists of them, those in the trash included.

        "" is none.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        words = self.columns([column])[column]
        if pa.types.is_list(words.type):
            words = pc.list_flatten(words)
        return {*words.unique().to_pylist()} - {"", None}

    def style_and_rating(self, ids: Sequence[str]) -> dict[str, Row]:
        """Return style and rating (0 for none) of the tracks with these ids, in the trash or not."""
        rows = self.table.read(one_of("id", [*ids]), columns=("id", "style", "rating")) if ids else []
        return {row["id"]: row for row in rows}


def blend(cosines: Mapping[str, float], words: Mapping[str, float], weight: float) -> dict[str, float]:
    """Return `weight * cosine + (1 - weight) * words / best words` for every id in either mapping.

    An id the words did not find counts 0 there; `cosines` should cover every id. Scores are mixed, not ranks:
    ranks do not tell how much better the best is than the next.
    """
    best = max(words.values(), default=0.0)
    ids = dict.fromkeys((*cosines, *words))
    return {
        each: weight * cosines.get(each, 0.0)
        + (1.0 - weight) * (words.get(each, 0.0) / best if best > 0 else 0.0)
        for each in ids
    }
