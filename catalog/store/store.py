"""A catalog: tracks, the logs of requests and judgements, and the audio files, in one home.

Audio is stored before its row, and a row is stored before the call that inserts it returns; see docs/STORAGE.md for the
layout and the promises of each kind of home.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..disk.lance import lance_errors
from ..disk.maintenance import WORDS, Upkeep
from ..disk.table import DurableTable
from ..errors import InputError, NotFound
from ..models import RequestRecord, Track
from ..objects.address import is_address, refuse_mistyped
from . import audit
from .homes.local import RESTORING, LocalHome, make_folders
from .homes.remote import RemoteHome
from .judgements import Judgements
from .track_table import TrackTable
from .tracks import Tracks
from .vectors.far import hold_rows
from .view.read_only import open_read_only

if TYPE_CHECKING:
    from ..disk.lance import LanceTable

__all__ = ["RESTORING", "Store", "audit_deep", "make_folders"]


class Store:
    """A catalog in its home. Threads may share it; any number of processes may open the same home."""

    def __init__(
        self, place: LocalHome | RemoteHome, *, encoder: str | None, dimension: int, lock_timeout_s: float
    ) -> None:
        """Use `Store.open`."""
        self.home = place.folder
        """The home folder, or the local folder with the caches of a remote home."""
        self.address = place.address
        """The home as people name it: its path, or its address."""
        self.blobs = place.blobs
        """The objects of a remote home, None for a home folder."""
        self._place = place
        self._lock_timeout_s = lock_timeout_s
        self._connection = place.connection
        tracks, _, judgements = place.tables
        self._maintenance: Upkeep = place.maintenance
        rows = TrackTable(tracks, place.maintenance, encoder, dimension)
        self.audio = place.audio
        self.tracks = Tracks(self.home, rows, self.audio)
        self.requests = place.requests(rows)
        rows.answered = self.requests.answered
        self.judgements = Judgements(self.home, judgements, place.maintenance, rows)
        self.care = place.care(self.tracks, self.requests, self.judgements)
        self._takes: dict[str, int] = {}
        """How many tracks a request had when its claim was had, for the claims that are held."""

    @classmethod
    def open(
        cls,
        home: str | Path,
        *,
        encoder: str | None = None,
        dimension: int = 384,
        create: bool = True,
        lock_timeout_s: float = 600.0,
        options: Mapping[str, str] | None = None,
        restoring: bool = False,
    ) -> Store:
        """Open the catalog in `home`, made on first use; a torn last write is set aside, an older shape upgraded.

        `home` is a folder, or an address such as `s3://bucket/prefix` or `db://NAME?blobs=s3://bucket/prefix`, with
        `options` for its object store and its database in place of the file that CATALOG_STORAGE names, before those of
        the environment. `restoring` opens an address although a restore into it has not ended. `encoder` is the
        identity of the encoder in use, of `dimension` numbers per vector; None takes the table's own. A home folder
        that cannot be written opens for reading. Raises NotFound without a home and `create`, StorageError for a place
        that cannot be a home, such as a network file system or an object store that ignores conditions, for one whose
        restore has not ended, and for a table of a newer version, Busy when another process writes for longer than
        `lock_timeout_s`.
        """
        place: LocalHome | RemoteHome
        if is_address(home):
            place = RemoteHome.open(str(home), create=create, options=options, restoring=restoring)
        else:
            refuse_mistyped(home)
            place = LocalHome.open(home, create=create, lock_timeout_s=lock_timeout_s)
        store = cls(place, encoder=encoder, dimension=dimension, lock_timeout_s=lock_timeout_s)
        store.care.upgrade()
        return store

    def warm(self) -> None:
        """Open the table of tracks, so that the first call is as quick as the rest."""
        self.tracks.count()
        hold_rows(self.tracks.table.durable, self.tracks.table.encoder)
        self._place.warm()

    def close(self) -> None:
        """Close the tables; a store that is used again opens them anew."""
        self.requests.close()
        for table in self._place.tables:
            table.close()
        self._connection.close()

    @property
    def tables(self) -> Mapping[str, DurableTable]:
        """The tables of a home folder by name; none for a remote home."""
        return {table.name: table for table in self._place.tables if isinstance(table, DurableTable)}

    def tracks_table(self) -> LanceTable:
        """Return LanceDB's own table of the tracks, which only reads and sees every later commit; docs/TABLE.md.

        A value that a track does not have is null. Raises NotFound where no track was made yet.
        """
        table = self.tracks.table.durable
        if not table.exists():
            raise NotFound(
                f"there is no table of tracks in {self.address}; the first track made there begins it"
            )
        if table.of_service:
            raise InputError(
                f"tracks_table() is not offered for {self.address}, where LanceDB's client would write; "
                "use search, browse or export"
            )
        check_words = partial(self._maintenance.ensure_index, table, WORDS)
        with lance_errors("the table of tracks cannot be opened"):
            opened = open_read_only(self._place.reading, table.name, check_words)
        if table.shared or os.access(self.home / "lance" / f"{table.name}.lance", os.W_OK):
            check_words()
        return opened

    @property
    def opened(self) -> bool:
        """Whether this store has loaded Lance."""
        return self._connection.opened

    @contextlib.contextmanager
    def claim(self, key: str, timeout_s: float | None = None) -> Iterator[None]:
        """Hold the right to make the track of the request `key`; others with the same key wait.

        What was committed before is seen then. The claim of a process that dies is free at once, or some seconds later
        in a remote home; there one that is frozen for as long loses it. Raises Busy after `timeout_s` seconds.
        """
        with self._place.claim(key, self._lock_timeout_s if timeout_s is None else timeout_s):
            if self.blobs is None:
                yield
                return
            # Counted before anything is looked up: what is made under a claim that was lost meanwhile gets the id of
            # the track that the next holder made.
            self._takes[key] = self.tracks.takes(key)
            try:
                yield
            finally:
                self._takes.pop(key, None)

    def takes(self, key: str) -> int:
        """Return how many tracks were made for the request `key`; where its claim is held, when it was had."""
        kept = self._takes.get(key)
        return self.tracks.takes(key) if kept is None else kept

    def new_id(self, key: str, seed: int) -> str:
        """Return the id of a new track for the request `key`, of 16 hexadecimal digits.

        In a remote home two who make the same take of a request, each without knowing of the other, give it one id.
        """
        if self.blobs is None:
            return uuid.uuid4().hex[:16]
        number = earlier = self.takes(key)
        while True:
            new = hashlib.sha256(f"{key}/{seed}/{number}".encode()).hexdigest()[:16]
            # A purge lets the numbers begin anew, and a track that lies in the trash may have the next one.
            if not earlier or (track := self.tracks.get(new)) is None or track.state == "ready":
                return new
            number += 1

    def share(self, name: str) -> None:
        """Give a file that was written into the folder of this home to every replica that opens it from now on."""
        if self.blobs is not None:
            self.blobs.put(name, (self.home / name).read_bytes())

    def at_once(self, *asks: Callable[[], object]) -> None:
        """Ask several things at the same time where each takes a request, so that their answers are known then."""
        if self.blobs is not None:
            with ThreadPoolExecutor(len(asks)) as threads:
                for asked in [threads.submit(ask) for ask in asks]:
                    asked.result()

    # Exact repeats

    def stamp(self) -> Sequence[int | None]:
        """Return what vouches for a repeat that is looked up after this; see `remember`."""
        return self._place.stamp()

    def recall(self, key: str) -> tuple[Track, RequestRecord | None] | None:
        """Return the track that was remembered for the request `key`, if nothing has changed since; without Lance.

        Beside it is the line of the log by which it answers the request, None for a track that was made for it.
        """
        if not (kept := self._place.recall(key)):
            return None
        track, line = kept
        return kept if (line or track).key == key and track.state == "ready" else None

    def remember(self, track: Track, stamp: Sequence[int | None], line: RequestRecord | None = None) -> None:
        """Keep `track` as the answer to repeats of its request, or of that of `line`, the line that answers it.

        `stamp` is from before they were read.
        """
        self._place.remember(track, stamp, line)


def audit_deep(home: str, most_bytes: int) -> None:
    """Print the findings of a deep audit of `home` as JSON; the child process of `Care.check` runs this.

    It may have `most_bytes` of memory, where the system has such a limit.
    """
    with contextlib.suppress(OSError, ValueError):  # a lower limit is set already
        resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))
    store = Store.open(home, create=False)
    problems = audit.read_through(store.home, store.tracks.table, deep=True)
    print(json.dumps([problem.model_dump() for problem in problems]))  # noqa: T201
