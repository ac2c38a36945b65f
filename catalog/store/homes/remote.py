"""A catalog on an object store, which any number of replicas share; on this machine it has caches alone.

Its tables are on the store too, or in a database of LanceDB's service.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence

from ...disk.files import storing, write_file
from ...disk.lance import Connection
from ...disk.remote.maintenance import ObjectMaintenance
from ...disk.remote.service import (
    ServiceMaintenance,
    ServiceTable,
    check_database,
    check_merges,
    connect_service,
)
from ...disk.remote.table import ObjectTable
from ...errors import Busy, InputError, NotFound, StorageError
from ...models import RequestRecord, Track
from ...objects.address import Address, cache_folder, parse_address
from ...objects.blobs import Blobs
from ...objects.lease import lease
from ...objects.probe import check_conditions
from ..judgements import Judgements
from ..requests import Requests
from ..schema import VERSIONS, far_index_for
from ..track_table import TrackTable
from ..tracks import Tracks
from .local import make_folders
from .remote_audio import RemoteAudio
from .remote_care import RemoteCare
from .remote_log import RemoteRequests

__all__ = ["RESTORING_MARK", "RemoteHome"]


MARK = "home.json"
"""The object that every home has; a home that has it passed the probe."""
RESTORING_MARK = "restoring.json"
"""The object that a home has while a restore into it has not ended; such a home refuses to open."""
FORMAT, WITH_SERVICE = 1, 2
"""The format of a home, and of one whose tables are in a database, which earlier programs do not know."""
SHARED_FILES = ("catalog.yaml", "certificate.json", "music-certificate.json")
"""Files of a home that decide what is served; an opening brings them to this machine."""
MOST_REMEMBERED = 10_000
"""Answers to repeats that a process keeps in memory."""


class RemoteHome:
    """A home at an address. Commits and claims are conditional writes of the store."""

    def __init__(self, address: Address, blobs: Blobs, service: Connection | None = None) -> None:
        """`service`: the database with the tables, where they are in one."""
        self.folder = cache_folder(address)
        self.address = address.home
        self.blobs = blobs
        tables = f"{address.url}/lance"
        self.connection = service or Connection(tables, address.options, looks_every=None)
        self.reading = service or Connection(tables, address.options)
        kind, maintenance = (
            (ServiceTable, ServiceMaintenance) if service else (ObjectTable, ObjectMaintenance)
        )
        self.tables = [kind(self.connection, self.address, name) for name in VERSIONS]
        for table in self.tables:
            table.beside = self.tables
        self.maintenance = maintenance(self.tables, self.blobs, far_index_for)
        self.audio = RemoteAudio(self.folder, self.blobs)
        self._remembered: OrderedDict[str, tuple[list[int | None], Track]] = OrderedDict()
        self._claimed: set[str] = set()
        self._turn = threading.Condition()

    @classmethod
    def open(
        cls, home: str, *, create: bool, options: Mapping[str, str] | None, restoring: bool = False
    ) -> RemoteHome:
        """Open the home at an address, which is made on first use; see `Store.open`, which raises alike."""
        address = parse_address(home, options)
        blobs, database = Blobs(address), address.database
        mark = blobs.get(MARK)
        if mark is None and not create:
            raise NotFound(f"there is no catalog in {address.home}; the first track made there begins one")
        if mark is not None and not restoring and blobs.get(RESTORING_MARK) is not None:
            raise StorageError(
                f"a restore into {address.home} has not ended; wait for it, or go on with it by "
                "`catalog restore --from DIR` as it was called first"
            )
        service = connect_service(database) if database else None
        place = cls(address, blobs, service)
        if database and service and not place.tables[0].exists():
            check_database(service, database)
        if mark is None:
            check_conditions(blobs)
            if database and service:
                check_merges(service, database)
            mark = place.begin(address)
        if _format_in(mark) > WITH_SERVICE:
            raise StorageError(f"the catalog in {address} is of a later version; upgrade the program")
        if (tables := _tables_in(mark)) != (database.url if database else ""):
            cure = f"{tables}?blobs={address}" if tables else address
            raise InputError(f"the tables of the catalog in {address} are elsewhere; open it as {cure}")
        make_folders(place.folder)
        place.bring_files()
        return place

    def begin(self, address: Address) -> bytes:
        """Mark the home and return its mark; InputError for a database with the tables of another home."""
        content: dict[str, int | str] = {"format": FORMAT}
        if database := address.database:
            content = {"format": WITH_SERVICE, "tables": database.url}
            # Another process may have begun this home meanwhile, and its tables.
            if any(table.exists() for table in self.tables) and self.blobs.get(MARK) is None:
                raise InputError(
                    f"{database.url} has the tables of a catalog already, whose audio is not in {address}; "
                    "pass the address of its audio, or another database"
                )
        data = json.dumps(content).encode()
        self.blobs.create(MARK, data)
        return self.blobs.get(MARK) or data

    def bring_files(self) -> None:
        """Bring the shared files of the home into the local folder, as they are now."""
        for name in SHARED_FILES:
            content, path = self.blobs.get(name), self.folder / name
            with storing(f"the caches in {self.folder} cannot be written"):
                if content is None:
                    path.unlink(missing_ok=True)
                elif not path.is_file() or path.read_bytes() != content:  # its time tells callers of a change
                    write_file(path, content, durable=False)

    def warm(self) -> None:
        """Bring what the first call needs into memory."""
        for table in self.tables:
            self.maintenance.warm(table)

    def requests(self, rows: TrackTable) -> RemoteRequests:
        """Return the log of requests."""
        return RemoteRequests(self.folder, self.connection, self.tables[1], self.maintenance, rows)

    def care(self, tracks: Tracks, requests: Requests, judgements: Judgements) -> RemoteCare:
        """Return what keeps it sound."""
        parts = (self.folder, tracks, requests, judgements, self.audio, self.maintenance)
        return RemoteCare(self.blobs, *parts)

    @contextlib.contextmanager
    def claim(self, key: str, timeout_s: float) -> Iterator[None]:
        """Hold the right to make a track, and see what was committed before.

        The claim of a process that dies is free some seconds later.
        """
        name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        what = "the making of this track"
        with self._one_thread(name, timeout_s, what), lease(self.blobs, f"make-{name}", timeout_s, what):
            self._see_all()
            yield

    def stamp(self) -> Sequence[int | None]:
        """Return the known versions of the tables that decide whether a track may be served again."""
        return [table.head() or 0 for table in (self.tables[0], self.tables[2])]

    def recall(self, key: str) -> tuple[Track, None] | None:
        """Return the track that this process remembers for a request, if no commit is known since."""
        with self._turn:
            kept = self._remembered.get(key)
        stands = kept and kept[0] == self.stamp() and self.audio.exists(kept[1])
        return (kept[1], None) if kept and stands else None

    def remember(self, track: Track, stamp: Sequence[int | None], line: RequestRecord | None) -> None:
        """Keep `track` in memory as the answer to repeats of its request; one that rests on the log is not kept."""
        if line is not None:
            return
        with self._turn:
            self._remembered[track.key] = [*stamp], track
            if len(self._remembered) > MOST_REMEMBERED:
                self._remembered.popitem(last=False)

    @contextlib.contextmanager
    def _one_thread(self, name: str, timeout_s: float, what: str) -> Iterator[None]:
        """Let one thread of this process ask for a claim: the others wait here, where it takes no request."""
        with self._turn:
            if not self._turn.wait_for(lambda: name not in self._claimed, timeout_s):
                raise Busy(f"{what} still goes on after {timeout_s:g} s; try again when it has finished")
            self._claimed.add(name)
        try:
            yield
        finally:
            with self._turn:
                self._claimed.discard(name)
                self._turn.notify_all()

    def _see_all(self) -> None:
        tracks, _, judgements = self.tables
        tracks.refresh()
        judgements.refresh()


def _tables_in(mark: bytes) -> str:
    try:
        return str(json.loads(mark).get("tables", ""))
    except (ValueError, AttributeError):
        return ""


def _format_in(mark: bytes) -> int:
    try:
        return int(json.loads(mark)["format"])
    except (ValueError, KeyError, TypeError):
        return FORMAT
