"""What the catalog holds already: the bytes of files, and recordings by their fingerprints."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..disk.files import write_file
from ..errors import CatalogError
from ..generator.listening.copies import KnownRecordings
from ..generator.listening.fingerprint import KIND, Fingerprint, sparse
from ..models import IMPORTED
from ..search.filters import both, equals, one_of
from ..store.store import Store

__all__ = ["Known", "Prints"]


_log = logging.getLogger(__name__)
Prints = NDArray[np.uint32]

CACHE = f"{KIND}.npz"


class _Imported(NamedTuple):
    id: str
    audio_path: str
    duration_s: float
    original_sha256: str


class Known:
    """The tracks of a catalog that are not in the trash, as they were when this was made, and those added since."""

    def __init__(
        self, store: Store, *, beside: Collection[str] | None = None, head: int | None = None
    ) -> None:
        """`beside` are the ids of tracks that are passed over; then the file of all fingerprints is left alone.

        `head` is a version of the table whose rows are among them.
        """
        self._store = store
        self._is_whole = beside is None
        table = store.tracks.table.durable
        self._head = table.head()
        """The version of the table before it is read."""
        # Of a shared table no more is known than the version that was read last.
        is_read = self._head is None or self._head != head or table.shared
        rows = store.tracks.columns(("id", "audio_sha256", "state")).to_pylist() if is_read else []
        ready = [row for row in rows if row["state"] == "ready" and row["id"] not in (beside or ())]
        self._by_bytes: dict[str, str] = {row["audio_sha256"]: row["id"] for row in ready}
        self._ids = {row["id"] for row in ready}
        imported = _imported(store, [*self._ids] if beside or not is_read else None)
        self._by_bytes |= {one.original_sha256: one.id for one in imported if one.original_sha256}
        self._recordings = KnownRecordings()
        self._owners: list[str] = []
        self._imported = imported
        self._listened = False

    def of_bytes(self, sha256: str) -> str | None:
        """Return the track whose file, or whose original, has that sha256."""
        return self._by_bytes.get(sha256)

    def of_id(self, track_id: str) -> str | None:
        """Return the id if a track has it."""
        return track_id if track_id in self._ids else None

    def of_sound(self, heard: Fingerprint | None, duration_s: float) -> str | None:
        """Return the track of the same recording, coded in another way or cut a little."""
        if heard is None:
            return None
        self._listen()
        copy = self._recordings.find(heard, duration_s)
        return None if copy is None else self._owners[copy.number]

    def add(self, track_id: str, sha256: str, heard: Fingerprint | None, duration_s: float) -> None:
        """Count a track among the known ones."""
        self._by_bytes[sha256] = track_id
        self._ids.add(track_id)
        if heard is not None:
            self._listen()
            self._recordings.add(sparse(heard), duration_s)
            self._owners.append(track_id)

    def newer(self, pending: Collection[str]) -> Known:
        """Return those tracks of the catalog that are not among these; tracks of `pending` are not in it yet."""
        return Known(self._store, beside=self._ids.difference(pending), head=self._head)

    def take(self, newer: Known, *, commits: int = 0) -> None:
        """Count the tracks of `newer` among these; `commits` is how often the table was written to since then."""
        head = self._store.tracks.table.durable.head()
        if newer._head is not None and head == newer._head + commits:
            self._head = head
        self._by_bytes |= newer._by_bytes
        self._ids |= newer._ids
        if not self._listened:
            self._imported += newer._imported
            return
        for one in newer._imported:
            if (prints := self._store.audio.print_at(one.audio_path)) is not None:
                self._recordings.add(prints, one.duration_s)
                self._owners.append(one.id)

    def _listen(self) -> None:
        """Read the fingerprints of the catalog, once: most from one file, those that it lacks from beside the audio."""
        if self._listened:
            return
        self._listened = True
        if not self._imported:
            return
        kept = _read_cache(self._store) if self._is_whole else {}
        missing = 0
        found: dict[str, Prints] = {}
        for one in self._imported:
            prints = kept.get(one.id)
            if prints is None:
                missing += 1
                prints = self._store.audio.print_at(one.audio_path)
            if prints is not None:
                found[one.id] = prints
        lengths = {one.id: one.duration_s for one in self._imported}
        self._owners = [*found]
        self._recordings = KnownRecordings([*found.values()], [lengths[each] for each in found])
        if missing and self._is_whole:
            _write_cache(self._store, found)


def _imported(store: Store, among: list[str] | None) -> list[_Imported]:
    """Return the imported tracks that are not in the trash, or those of them with the ids of `among`."""
    found: list[_Imported] = []
    if among is not None and not among:
        return found
    predicate = both(
        equals("backend", IMPORTED), equals("state", "ready"), None if among is None else one_of("id", among)
    )
    for row in store.tracks.table.read(predicate, columns=("id", "audio_path", "duration_s", "config")):
        try:
            config = json.loads(row["config"])
        except ValueError:
            config = {}
        original = str(config.get("original_sha256", "")) if isinstance(config, dict) else ""
        found.append(_Imported(row["id"], row["audio_path"], float(row["duration_s"]), original))
    return found


def _read_cache(store: Store) -> dict[str, Prints]:
    """Return the fingerprints that one file holds; it is made anew where it is damaged."""
    try:
        with np.load(io.BytesIO((store.home / "cache" / CACHE).read_bytes())) as file:
            ids, lengths, prints = file["ids"].tolist(), file["lengths"], file["prints"]
        return dict(zip(ids, np.split(prints, np.cumsum(lengths)[:-1]), strict=True)) if ids else {}
    except (OSError, ValueError, KeyError, EOFError):
        return {}
    except Exception as error:  # zipfile and zlib raise errors of their own for damage
        _log.warning("the file of fingerprints is made anew: %s", error)
        return {}


def _write_cache(store: Store, found: Mapping[str, Prints]) -> None:
    if not found:
        return
    buffer = io.BytesIO()
    lengths = np.array([len(prints) for prints in found.values()], np.int64)
    np.savez(buffer, ids=np.array([*found]), lengths=lengths, prints=np.concatenate([*found.values()]))
    try:
        write_file(store.home / "cache" / CACHE, buffer.getvalue(), durable=False)
    except (OSError, CatalogError) as error:
        _log.warning("the fingerprints were not kept in one file: %s", error)
