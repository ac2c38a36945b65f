"""The catalog on disk: tables of tracks and requests in LanceDB, and the audio files the tracks point to.

The only importer of lancedb. Audio goes to the disk before its row, and a row is on the disk before the call that
inserts it returns; see docs/STORAGE.md for the layout and the promises.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import re
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError

from generator.audio import timbre

from ..disk import files, lance
from ..disk.failpoint import failpoint
from ..disk.lance import ALWAYS, import_lancedb
from ..disk.locks import hold
from ..disk.maintenance import WORDS, Maintenance
from ..disk.table import DurableTable
from ..errors import Damage, InputError, NotFound, StorageError
from ..models import Filter, Judgement, RequestRecord, Track
from ..search.filters import both, equals, literal, meets, one_of, to_sql
from . import answers, audit, queue
from . import audio as audio_
from .audit import Problem
from .log import JUDGEMENTS, REQUESTS, SERVED, Ledger
from .rewrite import migrate, reembed, reembed_log
from .rows import from_track_row, unit_vector
from .schema import (
    SCHEMA_VERSION,
    VERSIONS,
    index_for,
    judgement_schema,
    request_schema,
    table_encoder,
    table_version,
    track_schema,
)
from .tracks import MOST_RESULTS, Row, TrackTable, checked_limit, checked_words, intact, scan

if TYPE_CHECKING:
    import pyarrow as pa
    from typing_extensions import Unpack

__all__ = ["MEANING_WEIGHT", "ORDERS", "Changes", "Problem", "Store", "blend"]


_log = logging.getLogger(__name__)

Tracks = list[Track]
Scored = list[tuple[Track, float]]
Encode = Callable[[Sequence[str]], Sequence[ArrayLike]]

READY = Filter()
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
"""How many of the best by words, and by meaning, are looked at together at the least."""


class Changes(TypedDict, total=False):
    """What of a track can be changed after it was made."""

    rating: int | None
    tags: Sequence[str]
    note: str
    seam: float | None


class Store:
    """A catalog in a home folder. Threads may share it; any number of processes may open the same home."""

    def __init__(self, home: Path, *, encoder: str | None, dimension: int, lock_timeout_s: float) -> None:
        """Use `Store.open`."""
        self.home = home
        self._lock_timeout_s = lock_timeout_s
        self._connection: Any = None
        self._session: Any = None
        tables = [
            DurableTable(
                self._connect,
                home,
                name,
                open_for_queries=self._open_for_queries,
                lock_timeout_s=lock_timeout_s,
                version_of=table_version,
            )
            for name in VERSIONS
        ]
        self._care = Maintenance(tables, index_for)
        self._tracks = TrackTable(tables[0], self._care, encoder, dimension)
        self._taking_over = threading.Lock()
        self._request_log = Ledger(tables[1], self._care, REQUESTS, dimension)
        self._judgements = Ledger(tables[2], self._care, JUDGEMENTS, dimension)

    @classmethod
    def open(
        cls,
        home: str | Path,
        *,
        encoder: str | None = None,
        dimension: int = 384,
        create: bool = True,
        lock_timeout_s: float = 600.0,
    ) -> Store:
        """Open the catalog in `home`, made on first use; a torn last write is set aside, an older shape upgraded.

        `encoder` is the identity of the encoder in use, of `dimension` numbers per vector; None takes the table's
        own. A home that cannot be written opens for reading. Raises NotFound without a home and `create`,
        StorageError for a place that cannot be a home or a table of a newer version, Busy when another process writes
        for longer than `lock_timeout_s`.
        """
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", str(home)):
            raise StorageError(f"{home} is a remote address; so far a catalog is kept in a local folder")
        if not str(home).strip():
            raise InputError("the home folder's name is empty; pass a folder for the catalog")
        folder = Path(home).expanduser().absolute()
        with files.storing(f"the home folder {folder} cannot be read"):
            if folder.exists() and not folder.is_dir():
                raise StorageError(f"{folder} is a file; pass a folder for the catalog")
            found = (folder / "lance").is_dir()
        if not found and not create:
            raise NotFound(f"there is no catalog in {folder}; the first track made there begins one")
        if not found or os.access(folder, os.W_OK):
            audio_.make_folders(folder)
        store = cls(folder, encoder=encoder, dimension=dimension, lock_timeout_s=lock_timeout_s)
        store._upgrade()
        return store

    def close(self) -> None:
        """Let go of the open tables; a store used again opens them anew."""
        for part in (self._tracks, self._request_log, self._judgements):
            part.durable.close()
        self._connection = None

    # One track

    def insert(self, track: Track, vector: ArrayLike, sound: ArrayLike | None = None) -> None:
        """Add `track` with the vector of its context, shape (dimension,); both are on the disk on return.

        `sound` is what `generator.audio.timbre.sound_vector` gives for its audio, where that is known.

        Inserting the same id again changes nothing. Raises InputError for values that cannot be stored or an id that
        names another track, EncoderMismatch for another encoder than the table's, StorageError when the audio file is
        missing or the disk refuses, Busy when the lock is not had in time.
        """
        what = f"track {track.id} cannot be inserted"
        self._may_write(what)

        def with_audio() -> None:
            if not self.has_audio(track):
                raise StorageError(
                    f"{what}: no file of {track.audio_bytes:,} bytes is at {track.audio_path}; store the audio first"
                )

        self._tracks.insert(track, vector, sound, with_audio)

    def get(self, track_id: str) -> Track | None:
        """Return the track of that id, None without. Raises Damage when its row does not match its checksum."""
        return self._tracks.get(track_id)

    def find_id(self, prefix: str) -> Track:
        """Return the one track whose id begins with `prefix`.

        Raises NotFound with the nearest ids when none does, InputError when several do.
        """
        exact = self._tracks.get(prefix)
        if exact is not None:
            return exact
        rows = self._tracks.read(f"starts_with(id, {literal(prefix)})", limit=4)
        if len(rows) == 1:
            return from_track_row(rows[0])
        if rows:
            raise InputError(
                f"{prefix!r} begins several ids: {', '.join(row['id'] for row in rows)}; give more of it"
            )
        ids = [row["id"] for row in self._tracks.read(None, columns=("id",), limit=MOST_RESULTS)]
        near = get_close_matches(prefix, ids, n=3, cutoff=0.4)
        raise NotFound(f"there is no track {prefix!r}" + (f"; near it are {', '.join(near)}" if near else ""))

    def find_key(self, key: str) -> Track | None:
        """Return the newest ready track made for the request `key` whose audio file is there, None without."""
        return next(self.made_for(key), None)

    def made_for(self, key: str) -> Iterator[Track]:
        """Yield the ready tracks made for the request `key` whose audio files are there, newest first."""
        rows = self._tracks.read(both(equals("key", key), equals("state", "ready")))
        made = (track for track in self._served(rows, READY) if track.key == key)
        return iter(sorted(made, key=lambda track: (track.created_at, track.id), reverse=True))

    def takes(self, key: str) -> int:
        """Return how many tracks were made for the request `key`, those in the trash included."""
        return self._tracks.count(equals("key", key))

    @property
    def opened(self) -> bool:
        """Whether this store has loaded Lance."""
        return self._connection is not None

    def stamp(self) -> Sequence[int] | None:
        """Return what vouches for a repeat that is looked up after this; see `remember`."""
        return answers.stamp_of(self.home)

    def recall(self, key: str) -> Track | None:
        """Return the track that was remembered for the request `key`, if nothing has changed since; without Lance."""
        content = answers.recall(self.home, "repeats", key)
        try:
            track = Track.model_validate(content["track"]) if content else None
        except ValidationError:
            return None
        return track if track and track.key == key and track.state == "ready" else None

    def remember(self, track: Track, stamp: Sequence[int] | None) -> None:
        """Keep `track` as the answer to repeats of its request, on the word of a stamp from before it was read."""
        content = {"audio_path": track.audio_path, "audio_bytes": track.audio_bytes}
        answers.remember(
            self.home, "repeats", track.key, stamp, {**content, "track": track.model_dump(mode="json")}
        )

    def update(self, track_id: str, **changes: Unpack[Changes]) -> Track:
        """Change what is passed and nothing else, and return the track as it now is.

        `rating` is 1 to 5 or None, `tags` are a person's own labels, `note` their words, `seam` how unusual the join
        of the loop is. Raises InputError for other names and values, NotFound without the track.
        """
        if unknown := sorted(changes.keys() - Changes.__annotations__.keys()):
            raise InputError(
                f"{unknown[0]!r} of a track cannot be changed; pass {', '.join(Changes.__annotations__)}"
            )
        given: dict[str, Any] = {**changes}
        if "tags" in given:
            given["tags"] = tuple(dict.fromkeys(given["tags"]))
        return self._change(track_id, lambda _: given)

    def trash(self, track_id: str) -> Track:
        """Move a track to the trash, where no search finds it; its row and its audio stay. Return it."""
        trashed = {"state": "trashed", "trashed_at": datetime.now(timezone.utc)}
        return self._change(track_id, lambda track: {} if track.state == "trashed" else trashed)

    def restore(self, track_id: str) -> Track:
        """Take a track back from the trash and return it. Raises Damage when its audio file is gone."""

        def ready(track: Track) -> Mapping[str, Any]:
            if not self.has_audio(track):
                raise Damage(f"track {track.id} cannot be restored: its file {track.audio_path} is gone")
            return {"state": "ready", "trashed_at": None}

        return self._change(track_id, ready)

    # Many tracks

    def search(
        self, vector: ArrayLike, where: Filter = READY, limit: int = 20, *, among: Sequence[str] | None = None
    ) -> Scored:
        """Return up to `limit` tracks that meet `where`, with the cosine similarity to `vector`, best first.

        `among` leaves only the tracks with these ids.

        The filter is part of the query, so a nearer track that fails it never hides one that meets it. Raises
        EncoderMismatch when another encoder made the table, InputError for a vector without direction.
        """
        predicate = both(to_sql(where), None if among is None else one_of("id", [*among]))
        return self._best(
            lambda count: self._tracks.nearest(vector, predicate, count), "_similarity", limit, where
        )

    def search_sound(self, sound: ArrayLike, where: Filter = READY, limit: int = 20) -> Scored:
        """Return up to `limit` tracks that meet `where` and sound most like the vector `sound`, with the cosine.

        Tracks whose sound was not worked out yet are left out; see `unheard`.
        """
        predicate = to_sql(where)
        return self._best(
            lambda count: self._tracks.sounding(sound, predicate, count), "_similarity", limit, where
        )

    def sound_of(self, track_id: str) -> NDArray[np.float32] | None:
        """Return how a track sounds, float32 of shape (timbre.DIMENSION,), None where it was not worked out."""
        same = both(equals("id", track_id), equals("sound_kind", timbre.KIND), "sound IS NOT NULL")
        rows = self._tracks.read(same, columns=("id", "sound"), limit=1)
        return np.asarray(rows[0]["sound"], dtype=np.float32) if rows else None

    def vector_of(self, track_id: str) -> NDArray[np.float32] | None:
        """Return the unit vector of a track's context, None without the track."""
        return self._tracks.vectors_of([track_id]).get(track_id)

    def unheard(self) -> Tracks:
        """Return the ready tracks whose sound was not worked out, though it may be one that has none."""
        where = both(f"sound_kind != {literal(timbre.KIND)}", equals("state", "ready"))
        return [*self._served(self._tracks.read(where), READY)]

    def put_sounds(self, sounds: Mapping[str, ArrayLike]) -> None:
        """Write how tracks sound, by id, as one commit; nothing else of them changes."""
        self._may_write("the sounds cannot be written")
        if sounds:
            self._tracks.put_sounds(sounds)

    def search_words(self, text: str, where: Filter = READY, limit: int = 20) -> Scored:
        """Return up to `limit` tracks whose summary, mood, style, prompt or context has words of `text`.

        The score is BM25 (Robertson and Zaragoza 2009), above 0 and open at the top: comparable within one call only.
        """
        predicate, words = to_sql(where), checked_words(text)
        return self._best(lambda count: self._tracks.words(words, predicate, count), "_score", limit, where)

    def search_hybrid(self, text: str, vector: ArrayLike, where: Filter = READY, limit: int = 20) -> Scored:
        """Return up to `limit` tracks by words and meaning together, best first.

        The score is `w * cosine + (1 - w) * BM25 / best BM25` with w = `ranking.MEANING_WEIGHT`. Candidates come from
        both searches; the cosine of those only the words found is computed from their vectors.
        """
        predicate, pool = to_sql(where), max(HYBRID_POOL, 2 * checked_limit(limit))
        near, worded = (
            self._tracks.nearest(vector, predicate, pool),
            self._tracks.words(checked_words(text), predicate, pool),
        )
        rows = {row["id"]: row for row in (*worded, *near)}
        cosines = {row["id"]: row["_similarity"] for row in near}
        unit = unit_vector(vector)
        others = self._tracks.vectors_of([each for each in rows if each not in cosines])
        cosines |= {each: float(other @ unit) for each, other in others.items()}
        scores = blend(cosines, {row["id"]: row["_score"] for row in worded}, MEANING_WEIGHT)
        best = sorted(rows, key=lambda each: (-scores[each], each))
        found = self._served((rows[each] for each in best), where)
        return [(track, scores[track.id]) for track in islice(found, limit)]

    def list(
        self, where: Filter = READY, *, order: str = "-created_at", limit: int | None = None, offset: int = 0
    ) -> Tracks:
        """Return the tracks that meet `where`, sorted by the column `order` names, falling with a leading minus.

        Tracks whose audio is gone are listed too. Raises InputError for a column that cannot be sorted by.
        """
        if order.removeprefix("-") not in ORDERS:
            raise InputError(f"tracks cannot be sorted by {order!r}; pass one of {', '.join(ORDERS)}")
        if offset < 0 or (limit is not None and limit < 0):
            raise InputError(f"limit {limit} and offset {offset} must be 0 or more")
        rows = self._tracks.read(to_sql(where), order=order, limit=limit, offset=offset)
        return [track for track in intact(rows, from_track_row) if meets(track, where)]

    def count(self, where: Filter = READY) -> int:
        """Return how many tracks meet `where`."""
        return self._tracks.count(to_sql(where))

    def ready(self) -> int:
        """Return how many tracks are ready; quick at any size, unlike `count`."""
        return self._tracks.ready()

    def facets(self, where: Filter = READY, text: str = "") -> tuple[int, dict[str, dict[str, int]]]:
        """Return how many tracks meet `where`, and for each facet how many have each value, most frequent first.

        With `text` only tracks that have words of it count, up to 10,000. See `facets.FACETS`.
        """
        return self._tracks.facets(to_sql(where), checked_words(text) if text else "", MOST_RESULTS)

    def version(self) -> int:
        """Return a number that is another one after every change of the tracks."""
        return self._tracks.durable.head() or 0

    def vectors(self, where: Filter = READY) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        """Return the ids of the tracks that meet `where` and their unit vectors, float32, shape (tracks, dimension)."""
        found = self._tracks.vectors(to_sql(where))
        matrix = np.stack([*found.values()]) if found else np.zeros((0, self._tracks.dimension), np.float32)
        return tuple(found), matrix

    # The logs of requests and judgements

    def log(self, record: RequestRecord, vector: ArrayLike | None = None) -> None:
        """Append one line to the log of requests, with the vector of its context; it is on the disk on return."""
        self._may_write("the request cannot be logged")
        self._requests.append(record, vector, self._tracks.encoder or "")

    def log_later(self, record: RequestRecord) -> None:
        """Put one line down for the log, on the disk on return; whoever next opens the log takes it over.

        It costs a file instead of Lance. Raises StorageError.
        """
        self._may_write("the request cannot be logged")
        if self.opened or len(queue.queued(self.home)) >= queue.MOST_QUEUED:
            self.log(record)
            return
        with files.storing("the request cannot be logged"):
            queue.enqueue(self.home, record.model_dump(mode="json"))

    def requests(
        self,
        *,
        limit: int | None = None,
        since: datetime | None = None,
        answered: bool = False,
        **facts: str,
    ) -> Sequence[RequestRecord]:
        """Return the log, newest first; keywords such as `action="reused"` or `track_id=...` narrow it.

        `answered` leaves only lines whose track was handed out: no `find`, no dry run. Raises InputError for a column
        that cannot be asked for.
        """
        return self._requests.read(limit, facts, both(_since(since), SERVED if answered else None))

    def requests_near(
        self, vector: ArrayLike, limit: int, *, since: datetime | None = None, **facts: str
    ) -> Sequence[tuple[RequestRecord, float]]:
        """Return the lines whose contexts are nearest to `vector`, with the cosine, best first."""
        encoder, count = self._tracks.encoder or "", checked_limit(limit)
        return self._requests.nearest(vector, encoder, count, _since(since), facts)

    def requests_worded(
        self, text: str, limit: int, *, since: datetime | None = None, **facts: str
    ) -> Sequence[tuple[RequestRecord, float]]:
        """Return the lines whose query, summary, prompt or theme has words of `text`, with their BM25, best first."""
        return self._requests.words(checked_words(text), checked_limit(limit), facts, _since(since))

    def keys_near(self, vector: ArrayLike, limit: int) -> Sequence[tuple[str, float]]:
        """Return the keys of the nearest lines that handed out a track, each once, with the cosine, best first."""
        encoder = self._tracks.encoder or ""
        rows = self._requests.rows_near(vector, encoder, checked_limit(limit), ("key",), SERVED)
        found: dict[str, float] = {}
        for row in rows:
            found.setdefault(row["key"], row["_similarity"])
        return [*found.items()]

    def served(self, keys: Sequence[str]) -> Sequence[Row]:
        """Return key, track and time of every line with one of `keys` that handed out a track, newest first."""
        where = both(one_of("key", [*keys]), SERVED)
        return self._requests.columns(("id", "key", "track_id", "created_at"), where)

    def brief(self, ids: Sequence[str]) -> dict[str, Row]:
        """Return style and rating (0 for none) of the tracks with these ids, in the trash or not."""
        rows = self._tracks.read(one_of("id", [*ids]), columns=("id", "style", "rating")) if ids else []
        return {row["id"]: row for row in rows}

    def columns(self, table: str, names: Sequence[str], *, reused: bool = False) -> pa.Table:
        """Return columns of the "tracks" or the "requests", of all rows or of those that `reused` a track."""
        import pyarrow as pa

        part = {"tracks": self._tracks.durable, "requests": self._requests.durable}[table]
        if not part.exists():
            return pa.table({name: pa.array([], pa.string()) for name in names})
        where = both(equals("action", "reused"), SERVED) if reused else None
        return scan(part, where, names)

    def judge(self, judgement: Judgement, vector: ArrayLike | None = None) -> None:
        """Append one judgement, with the vector of the request it answers; it is on the disk on return."""
        self._may_write("the judgement cannot be kept")
        self._judgements.append(judgement, vector, self._tracks.encoder or "")

    def judgements(self, *, limit: int | None = None, **facts: str) -> Sequence[Judgement]:
        """Return the judgements, newest first; keywords such as `track_id=...` or `verdict="rejected"` narrow them.

        Raises InputError for a column that cannot be asked for.
        """
        return self._judgements.read(limit, facts)

    def judgements_of(self, keys: Sequence[str]) -> Sequence[Judgement]:
        """Return the judgements of requests with one of `keys`, newest first."""
        return self._judgements.read(None, {}, one_of("key", sorted({*keys}))) if keys else []

    def plays(self, listener: str, since: datetime) -> Sequence[tuple[str, datetime]]:
        """Return the tracks served to a listener since then with the time of each, newest first."""
        served = both(equals("listener", listener), f"created_at >= {literal(since)}", SERVED)
        rows = self._requests.columns(("id", "track_id", "created_at"), served, MOST_RESULTS)
        return [(row["track_id"], row["created_at"]) for row in rows]

    def theme_track(self, theme: str, listener: str) -> str | None:
        """Return the track last served to the listener under a theme, None without."""
        served = both(equals("theme", theme), equals("listener", listener), SERVED)
        rows = self._requests.columns(("id", "track_id", "created_at"), served, 1)
        return rows[0]["track_id"] if rows else None

    def request_vector(self, record: RequestRecord) -> NDArray[np.float32] | None:
        """Return the vector of a logged request's context: of a line with its key, else of a track made for it."""
        encoder, same = self._tracks.encoder or "", equals("key", record.key)
        logged = self._requests.vectors(encoder, same)
        if not logged and self._tracks.durable.exists() and self._tracks.stored_encoder == encoder:
            logged = self._tracks.vectors(equals("context_sha256", record.context_sha256))
        return next(iter(logged.values()), None)

    def judgements_near(self, vector: ArrayLike, cosine: float, limit: int) -> Sequence[Judgement]:
        """Return the judgements of requests whose contexts are that near to `vector`, of the `limit` nearest."""
        rows = self._judgements.rows_near(vector, self._tracks.encoder or "", limit, ("id",), None)
        near = [row["id"] for row in rows if row["_similarity"] >= cosine]
        return self._judgements.read(None, {}, one_of("id", near)) if near else []

    # Audio

    def put_audio(self, data: bytes, *, suffix: str = ".wav") -> tuple[str, str, int]:
        """Store an audio file under its sha256; return its path below the home, the digest and the size in bytes."""
        self._may_write("the audio cannot be stored")
        return audio_.put_audio(self.home, data, suffix=suffix)

    def put_sidecar(self, audio_path: str, content: Mapping[str, Any]) -> None:
        """Write `content` as JSON beside the audio file."""
        self._may_write("the sidecar cannot be stored")
        audio_.put_sidecar(self.home, audio_path, content)

    def put_codes(self, audio_path: str, codes: NDArray[np.int16]) -> None:
        """Write the codes (codebooks, frames) that the audio was decoded from beside it."""
        self._may_write("the codes cannot be stored")
        buffer = io.BytesIO()
        # Members of a zip file carry checksums, so that altered codes are not gone on from.
        np.savez_compressed(buffer, codes=np.ascontiguousarray(codes, np.int16))
        audio_.put_codes(self.home, audio_path, buffer.getvalue())

    def codes_of(self, track: Track) -> NDArray[np.int16] | None:
        """Return the codes that the audio was decoded from, None where none were kept or they cannot be read."""
        try:
            data = self.path_of(track).with_suffix(audio_.CODES).read_bytes()
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                codes: NDArray[np.int16] = archive["codes"]
        except (OSError, ValueError, EOFError, KeyError, AttributeError, zlib.error, zipfile.BadZipFile):
            return None
        return codes if codes.dtype == np.int16 and codes.ndim == 2 else None

    def path_of(self, track: Track) -> Path:
        """Return the path of the audio file; raises Damage when the row points out of the home folder."""
        return audio_.inside(self.home, track.audio_path)

    def has_audio(self, track: Track) -> bool:
        """Tell whether the audio file is there with the size the row states; `check(deep=True)` reads it too."""
        try:
            return os.stat(self.path_of(track)).st_size == track.audio_bytes  # noqa: PTH116
        except (OSError, Damage):
            return False

    @contextlib.contextmanager
    def claim(self, key: str, timeout_s: float | None = None) -> Iterator[None]:
        """Hold the right to make the track of the request `key`; others with the same key wait.

        The claim of a process that dies is free at once. Raises Busy after `timeout_s` seconds.
        """
        self._may_write("a track cannot be made")
        name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        wait_s = self._lock_timeout_s if timeout_s is None else timeout_s
        with hold(self.home / "locks" / f"make-{name}.lock", wait_s, "the making of this track", remove=True):
            yield

    # Care

    def purge(self, *, older_than_s: float = 0.0) -> int:
        """Delete tracks that lie in the trash for `older_than_s` seconds, and audio no other row names.

        Returns how many rows went. The rows go first, so that none ever points to a missing file.
        """
        what = "the trash cannot be emptied"
        self._may_write(what)
        latest = datetime.now(timezone.utc) - timedelta(seconds=older_than_s)
        predicate = f"{equals('state', 'trashed')} AND trashed_at <= {literal(latest)}"
        with self._tracks.durable.locked():
            paths = [row["audio_path"] for row in self._tracks.read(predicate, columns=("audio_path",))]
            if paths:
                self._tracks.durable.commit_locked(what, lambda table: table.delete(predicate), point="purge")
            for path in sorted(set(paths)):
                if not self._tracks.count(equals("audio_path", path)):
                    audio_.delete_audio(self.home, path)
        return len(paths)

    def reembed(
        self,
        encode: Encode,
        encoder: str,
        texts_of: Callable[[Track], str] = lambda track: track.context,
    ) -> int:
        """Give every row a vector from `encode` and switch the table to `encoder` in one step; return the row count.

        Texts are encoded before the lock is taken; only rows that came meanwhile are encoded under it. Nothing changes
        when `encode` raises.
        """
        self._may_write("the table cannot be embedded anew")
        count, table = 0, self._tracks.durable
        if table.exists():
            count, self._tracks.dimension = reembed(table, encode, encoder, texts_of)
            self._care.ensure_index(table, WORDS)
        self._tracks.encoder = encoder
        self._reembed_logs(encode, encoder)
        return count

    def check(self, *, deep: bool = False) -> Sequence[Problem]:
        """Return what is wrong with tables, rows and files; `deep` also reads every vector and audio file.

        Deep reading happens in a child process, since a damaged file can bring down the one that reads it.
        """
        tables = (self._tracks.durable, self._request_log.durable, self._judgements.durable)
        return audit.check(self.home, tables, self._tracks, deep=deep)

    def fix(self, problem: Problem) -> bool:
        """Mend what can be mended without losing anything; return whether it was.

        A row without its audio goes to the trash, a file no row names to `lost/`. A row whose columns or sound differ
        from its record is written anew from that; one whose record or vector does is copied to `lost/` and deleted.
        """
        self._may_write("nothing can be mended")
        if problem.kind == "table":
            return False
        if problem.kind == "leftover":
            return audit.clear(self.home, self._tracks, problem.subject)
        try:
            if problem.kind == "altered-row":
                self._change(problem.subject, lambda _: {})
            else:
                track = self.trash(problem.subject)
                if problem.kind == "altered-audio":
                    audit.set_aside(self.home, track.audio_path)
        except (Damage, NotFound):
            audit.drop(self.home, self._tracks, problem.subject)
        return True

    def compact(self) -> None:
        """Merge fragments, bring the indexes up to date and drop old versions, one process at a time."""
        self._may_write("the tables cannot be compacted")
        self._care.compact()

    def stats(self) -> dict[str, Any]:
        """Return counts and sizes: rows, trashed, requests, audio files and bytes, versions, encoder, dimension."""
        audio = [path for path in audio_.audio_files(self.home) if path.suffix not in (".json", ".npz")]
        table = self._tracks.durable
        logs = (self._requests.durable, self._judgements.durable)
        schema = table.table.schema if table.exists() else None
        return {
            "rows": self.count(Filter(state=None)),
            "trashed": self.count(Filter(state="trashed")),
            "requests": self._requests.count(),
            "judgements": self._judgements.count(),
            "audio_files": len(audio),
            "audio_bytes": sum(path.stat().st_size for path in audio),
            "table_bytes": table.size_bytes() + sum(log.size_bytes() for log in logs),
            "version": table.head() or 0,
            "schema_version": table_version(schema) if schema else SCHEMA_VERSION,
            "encoder": table_encoder(schema) if schema else self._tracks.encoder,
            "dimension": schema.field("vector").type.list_size if schema else self._tracks.dimension,
        }

    # Inside

    @property
    def _requests(self) -> Ledger[RequestRecord]:
        """The log of requests, lines that waited for it taken over."""
        if queue.queued(self.home) and os.access(self.home / "lance", os.W_OK):
            with self._taking_over:
                # Another thread may have taken them while this one waited.
                if lines := queue.queued(self.home):
                    self._take_over(lines)
        return self._request_log

    def _take_over(self, lines: Sequence[Path]) -> None:
        records = []
        for path in lines:
            try:
                records.append(RequestRecord.model_validate_json(path.read_bytes()))
            except FileNotFoundError:
                pass  # another process took it
            except ValidationError:
                aside = audit.set_aside(self.home, path.relative_to(self.home).as_posix())
                _log.warning("a line for the log of requests cannot be read and is set aside as %s", aside)
        self._request_log.absorb(records)
        failpoint("queue.absorbed")
        queue.forget(lines)

    def _connect(self) -> Any:
        if self._connection is None:
            lancedb = import_lancedb()
            self._session = lancedb.Session()
            self._connection = lancedb.connect(**self._way())
        return self._connection

    def _open_for_queries(self, name: str) -> Any:
        self._connect()

        async def opened() -> Any:
            return await (await import_lancedb().connect_async(**self._way())).open_table(name)

        return lance.run(opened())

    def _way(self) -> dict[str, Any]:
        """Return how to connect; connections of one session share what they keep in memory."""
        uri = str(self.home / "lance")
        return {"uri": uri, "read_consistency_interval": ALWAYS, "session": self._session}

    def _upgrade(self) -> None:
        def tracks(old: pa.Schema) -> pa.Schema:
            return track_schema(old.field("vector").type.list_size, table_encoder(old))

        self._upgrade_table(self._tracks.durable, tracks)
        self._upgrade_table(self._request_log.durable, lambda _: request_schema(self._dimension()))
        self._upgrade_table(self._judgements.durable, lambda _: judgement_schema(self._dimension()))

    def _upgrade_table(self, table: DurableTable, schema_from: Callable[[pa.Schema], pa.Schema]) -> None:
        known = VERSIONS[table.name]
        if table.schema_version == known:
            return  # noted with its last commit; Lance need not be asked
        version = table_version(table.table.schema) if table.exists() else known
        if version > known:
            raise StorageError(
                f"the table of {table.name} in {self.home} has schema version {version}, and this program knows "
                f"up to {known}; upgrade the program"
            )
        if version < known:
            self._may_write(f"the {table.name} have schema version {version} and must be upgraded to {known}")
            migrate(table, schema_from)
            if table is self._tracks.durable:
                self._care.ensure_index(table, WORDS)

    def _dimension(self) -> int:
        """Return the length of the vectors of the tracks, which those of the logs are compared with."""
        table = self._tracks.durable
        if table.exists():
            return int(table.table.schema.field("vector").type.list_size)
        return self._tracks.dimension

    def _reembed_logs(self, encode: Encode, encoder: str) -> None:
        """Give the logs new vectors: those of tracks made for the same context, else of the request's summary."""
        dimension = self._tracks.dimension
        columns = ("context_sha256", "vector")
        made = {row["context_sha256"]: row["vector"] for row in self._tracks.read(None, columns=columns)}
        asked: dict[str, NDArray[np.float32]] = {}
        if (log := self._requests.durable).exists():
            asked = reembed_log(log, request_schema(dimension), "context_sha256", encoder, made, encode)
        if (log := self._judgements.durable).exists():
            reembed_log(log, judgement_schema(dimension), "key", encoder, asked, None)

    def _may_write(self, what: str) -> None:
        for folder in (self.home, self.home / "lance"):
            if not os.access(folder, os.W_OK):
                raise StorageError(f"{what}: {folder} is read-only; choose a home folder you can write to")

    def _change(self, track_id: str, change: Callable[[Track], Mapping[str, Any]]) -> Track:
        self._may_write(f"track {track_id} cannot be changed")
        return self._tracks.change(track_id, change)

    def _best(self, fetch: Callable[[int], Sequence[Row]], score: str, limit: int, where: Filter) -> Scored:
        """Fetch until `limit` tracks that can be served are found or there are no more."""
        count = checked_limit(limit)
        while True:
            rows = fetch(count)
            scores = {row["id"]: float(row[score]) for row in rows}
            found = [*self._served(rows, where)]
            if len(found) >= limit or len(rows) < count:
                return [(track, scores[track.id]) for track in found[:limit]]
            count = 2 * count + 8

    def _served(self, rows: Iterable[Row], where: Filter) -> Iterator[Track]:
        """Yield the tracks of intact rows whose records meet `where`, as their columns do, and whose audio is there."""
        tracks = intact(rows, from_track_row)
        return (track for track in tracks if meets(track, where) and self.has_audio(track))


def _since(moment: datetime | None) -> str | None:
    if moment is not None and moment.tzinfo is None:
        raise InputError(f"the time {moment.isoformat()} has no time zone; pass one in UTC")
    return None if moment is None else f"created_at >= {literal(moment)}"


def audit_deep(home: str) -> None:
    """Print the findings of a deep audit of `home` as JSON; the child process of `Store.check` runs this."""
    store = Store.open(home, create=False)
    problems = audit.read_through(store.home, store._tracks, deep=True)
    print(json.dumps([problem.model_dump() for problem in problems]))  # noqa: T201


MEANING_WEIGHT = 0.6
"""Best or level with the best on both sets of tests/benchmarks/words_and_meaning.py, one of which flatters words and
the other meaning; fusing ranks loses a fifth of the first places of the former."""


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
