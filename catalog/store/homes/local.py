"""A catalog in a folder of this machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from ...disk.files import check_writable, storing, sync
from ...disk.lance import Connection
from ...disk.locks import hold, remove_abandoned
from ...disk.maintenance import Maintenance
from ...disk.table import DurableTable
from ...errors import Damage, InputError, NotFound, StorageError
from ...models import RequestRecord, Track
from ...mounts import check_local
from .. import answers
from ..audio import AudioFiles
from ..care import Care
from ..judgements import Judgements
from ..requests import Requests
from ..rows import intact_ids
from ..schema import VERSIONS, index_for, table_version
from ..track_table import TrackTable
from ..tracks import Tracks

__all__ = ["RESTORING", "LocalHome", "make_folders"]


FOLDERS = ("audio", "locks", "cache", "lance")
"""Lance last: a home that has it has the others."""
RESTORING = ".restoring-"
"""How the name of the folder begins in which `catalog restore --from` builds a home."""
_KIND = "repeats"


class LocalHome:
    """A home folder; its writers take turns under file locks."""

    blobs = None

    def __init__(self, folder: Path, lock_timeout_s: float) -> None:
        self.folder = folder
        self.address = str(folder)
        self.connection = self.reading = Connection(folder / "lance")
        self.tables = [
            DurableTable(
                self.connection,
                folder,
                name,
                lock_timeout_s=lock_timeout_s,
                version_of=table_version,
                intact_ids=intact_ids,
            )
            for name in VERSIONS
        ]
        self.maintenance = Maintenance(self.tables, index_for)
        self.audio = AudioFiles(folder)

    @classmethod
    def open(cls, home: str | Path, *, create: bool, lock_timeout_s: float) -> LocalHome:
        """Open a home folder, which is made on first use; raises as `Store.open` does."""
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
        return cls(folder, lock_timeout_s)

    def warm(self) -> None:
        """Nothing is far."""

    def requests(self, rows: TrackTable) -> Requests:
        """Return the log of requests."""
        return Requests(self.folder, self.connection, self.tables[1], self.maintenance, rows)

    def care(self, tracks: Tracks, requests: Requests, judgements: Judgements) -> Care:
        """Return what keeps it sound."""
        return Care(self.folder, tracks, requests, judgements, self.audio, self.maintenance)

    @contextlib.contextmanager
    def claim(self, key: str, timeout_s: float) -> Iterator[None]:
        """Hold the right to make a track; the claim of a process that dies is free at once."""
        check_writable(self.folder, "a track cannot be made")
        name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        locks = self.folder / "locks"
        try:
            with hold(locks / f"make-{name}.lock", timeout_s, "the making of this track", remove=True):
                yield
        finally:
            remove_abandoned(locks, "make-*.lock")

    def stamp(self) -> Sequence[int | None]:
        """Return what vouches for a repeat that is looked up after this; see `answers`."""
        return answers.stamp_of(self.folder)

    def recall(self, key: str) -> tuple[Track, RequestRecord | None] | None:
        """Return what was remembered for a request, if nothing has changed since; without Lance."""
        if not (content := answers.recall(self.folder, _KIND, key)):
            return None
        line = content.get("line")
        try:
            track = Track.model_validate(content["track"])
            return track, RequestRecord.model_validate(line) if line else None
        except ValidationError:
            return None

    def remember(self, track: Track, stamp: Sequence[int | None], line: RequestRecord | None) -> None:
        """Keep `track` as the answer to repeats of its request, or of that of `line`; see `Store.remember`."""
        content = {
            "audio_path": track.audio_path,
            "audio_bytes": track.audio_bytes,
            "audio_sha256": track.audio_sha256,
            "track": track.model_dump(mode="json"),
            "line": line and line.model_dump(mode="json"),
        }
        key = line.key if line else track.key
        answers.remember(self.folder, _KIND, key, stamp, content, made=line is None)


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
