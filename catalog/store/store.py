"""A catalog on disk: tracks, the logs of requests and judgements, and the audio files, in one home folder.

Audio goes to the disk before its row, and a row is on the disk before the call that inserts it returns; see
docs/STORAGE.md for the layout and the promises.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import resource
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ..disk.files import check_writable, storing, sync
from ..disk.lance import Connection, lance_errors
from ..disk.locks import hold, remove_abandoned
from ..disk.maintenance import WORDS, Maintenance
from ..disk.table import DurableTable
from ..errors import Damage, InputError, NotFound, StorageError
from ..models import Track
from ..mounts import check_local
from . import answers, audit
from .audio import AudioFiles
from .care import Care
from .judgements import Judgements
from .requests import Requests
from .rows import intact_ids
from .schema import VERSIONS, index_for, table_version
from .track_table import TrackTable
from .tracks import Tracks
from .view.read_only import open_read_only

if TYPE_CHECKING:
    from ..disk.lance import LanceTable

__all__ = ["RESTORING", "Store", "audit_deep", "make_folders"]


FOLDERS = ("audio", "locks", "cache", "lance")
"""Lance last: a home that has it has the others."""
RESTORING = ".restoring-"
"""How the name of the folder begins in which `catalog restore --from` builds a home."""
_KIND = "repeats"


class Store:
    """A catalog in a home folder. Threads may share it; any number of processes may open the same home."""

    def __init__(self, home: Path, *, encoder: str | None, dimension: int, lock_timeout_s: float) -> None:
        """Use `Store.open`."""
        self.home = home
        self._lock_timeout_s = lock_timeout_s
        self._connection = Connection(home / "lance")
        self._tables = [
            DurableTable(
                self._connection,
                home,
                name,
                lock_timeout_s=lock_timeout_s,
                version_of=table_version,
                intact_ids=intact_ids,
            )
            for name in VERSIONS
        ]
        tracks, requests, judgements = self._tables
        self._maintenance = maintenance = Maintenance(self._tables, index_for)
        rows = TrackTable(tracks, maintenance, encoder, dimension)
        self.audio = AudioFiles(home)
        self.tracks = Tracks(home, rows, self.audio)
        self.requests = Requests(home, self._connection, requests, maintenance, rows)
        self.judgements = Judgements(home, judgements, maintenance, rows)
        self.care = Care(home, self.tracks, self.requests, self.judgements, self.audio, maintenance)

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
        own. A home that cannot be written opens for reading. Raises NotFound without a home and `create`, StorageError
        for a place that cannot be a home, such as a network file system, and for a table of a newer version, Busy when
        another process writes for longer than `lock_timeout_s`.
        """
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", str(home)):
            raise StorageError(f"{home} is a remote address; so far a catalog is kept in a local folder")
        if not str(home).strip():
            raise InputError("the home folder's name is empty; pass a folder for the catalog")
        folder = Path(home).expanduser().absolute()
        check_local(folder)
        with storing(f"the home folder {folder} cannot be read"):
            if folder.exists() and not folder.is_dir():
                raise StorageError(f"{folder} is a file; pass a folder for the catalog")
            exists = (folder / "lance").is_dir()
            if not exists and any(folder.glob(f"{RESTORING}*")):
                raise Damage(
                    f"a restore of {folder} is not finished; run `catalog restore --from DIR` again, "
                    "as `catalog restore --from DIR --force`"
                )
        if not exists and not create:
            raise NotFound(f"there is no catalog in {folder}; the first track made there begins one")
        if not exists or os.access(folder, os.W_OK):
            make_folders(folder)
        store = cls(folder, encoder=encoder, dimension=dimension, lock_timeout_s=lock_timeout_s)
        store.care.upgrade()
        return store

    def close(self) -> None:
        """Close the tables; a store that is used again opens them anew."""
        for table in self._tables:
            table.close()
        self._connection.close()

    @property
    def tables(self) -> Mapping[str, DurableTable]:
        """The tables by name."""
        return {table.name: table for table in self._tables}

    def tracks_table(self) -> LanceTable:
        """Return LanceDB's own table of the tracks, which only reads and sees every later commit; docs/TABLE.md.

        A value that a track does not have is null. Raises NotFound where no track was made yet.
        """
        table = self.tables["tracks"]
        if not table.exists():
            raise NotFound(
                f"there is no table of tracks in {self.home}; the first track made there begins it"
            )
        check_words = partial(self._maintenance.ensure_index, table, WORDS)
        with lance_errors("the table of tracks cannot be opened"):
            opened = open_read_only(self._connection, table.name, check_words)
        if os.access(table.folder, os.W_OK):
            check_words()
        return opened

    @property
    def opened(self) -> bool:
        """Whether this store has loaded Lance."""
        return self._connection.opened

    @contextlib.contextmanager
    def claim(self, key: str, timeout_s: float | None = None) -> Iterator[None]:
        """Hold the right to make the track of the request `key`; others with the same key wait.

        The claim of a process that dies is free at once. Raises Busy after `timeout_s` seconds.
        """
        check_writable(self.home, "a track cannot be made")
        name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        wait_s = self._lock_timeout_s if timeout_s is None else timeout_s
        locks = self.home / "locks"
        try:
            with hold(locks / f"make-{name}.lock", wait_s, "the making of this track", remove=True):
                yield
        finally:
            remove_abandoned(locks, "make-*.lock")

    # Exact repeats

    def stamp(self) -> Sequence[int] | None:
        """Return what vouches for a repeat that is looked up after this; see `remember`."""
        return answers.stamp_of(self.home)

    def recall(self, key: str) -> Track | None:
        """Return the track that was remembered for the request `key`, if nothing has changed since; without Lance."""
        content = answers.recall(self.home, _KIND, key)
        try:
            track = Track.model_validate(content["track"]) if content else None
        except ValidationError:
            return None
        return track if track and track.key == key and track.state == "ready" else None

    def remember(self, track: Track, stamp: Sequence[int] | None) -> None:
        """Keep `track` as the answer to repeats of its request, on the word of a stamp from before it was read."""
        content = {
            "audio_path": track.audio_path,
            "audio_bytes": track.audio_bytes,
            "audio_sha256": track.audio_sha256,
            "track": track.model_dump(mode="json"),
        }
        answers.remember(self.home, _KIND, track.key, stamp, content)


def make_folders(home: Path) -> None:
    """Create the home folder and the folders in it, readable by their owner only."""
    with storing(f"the home folder {home} cannot be made"):
        above = [folder for folder in (home, *home.parents) if not folder.is_dir()]
        missing = [folder for folder in (home, *(home / name for name in FOLDERS)) if not folder.is_dir()]
        for folder in missing:
            folder.mkdir(mode=0o700, parents=folder == home, exist_ok=True)
        if missing:
            # The name of a new home is an entry of the folder above it, which some may not read.
            named_in = [folder.parent for folder in above if os.access(folder.parent, os.R_OK)]
            sync([], [home, *named_in])


def audit_deep(home: str, most_bytes: int) -> None:
    """Print the findings of a deep audit of `home` as JSON; the child process of `Care.check` runs this.

    It may have `most_bytes` of memory, where the system has such a limit.
    """
    with contextlib.suppress(OSError, ValueError):  # a lower limit is set already
        resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))
    store = Store.open(home, create=False)
    problems = audit.read_through(store.home, store.tracks.table, deep=True)
    print(json.dumps([problem.model_dump() for problem in problems]))  # noqa: T201
