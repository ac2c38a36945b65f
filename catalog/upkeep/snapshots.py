"""Snapshots: the list of the files that a home had at one time, under the name of the sha256 of its own text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from ..disk.files import storing, write_file
from ..errors import CatalogError, Damage, InputError, NotFound
from ..models import Value
from .objects import Stored

__all__ = [
    "Snapshot",
    "Summary",
    "TableState",
    "named",
    "newest",
    "snapshot_names",
    "summaries",
    "write",
]


_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z-([0-9a-f]{16})")


class TableState(Value):
    """One version of a table."""

    version: int
    rows: int
    taken_at: datetime
    sound: bool
    """Whether every row matched its checksums."""
    compacted: int
    schema_version: int
    files: dict[str, Stored]
    """By path below the home folder, with forward slashes."""


class Snapshot(Value):
    """What a home had, by path below the home folder, with forward slashes."""

    format: Literal[1] = 1
    made_at: datetime
    program: str
    home: str
    tables: dict[str, TableState]
    audio: dict[str, Stored]
    """Audio of the tracks, and what stands beside it."""
    others: dict[str, Stored]
    """Configuration, certificates, lines of the log that wait."""
    lacking: tuple[str, ...] = ()
    """Audio that was gone or altered, and that the backup does not have from before."""

    @property
    def tracks(self) -> int:
        """The number of rows of the table of tracks."""
        return self.tables["tracks"].rows if "tracks" in self.tables else 0

    @property
    def files(self) -> dict[str, Stored]:
        """Every file of the snapshot."""
        of_tables = [state.files for state in self.tables.values()]
        return {
            path: stored for files in (*of_tables, self.audio, self.others) for path, stored in files.items()
        }


class Summary(Value):
    """A snapshot in a list."""

    name: str
    detail: str
    """What it has, or why it cannot be read."""
    tracks: int | None = None
    home: str | None = None
    """The folder that was copied."""
    size_bytes: int | None = None


def summaries(backup: Path) -> Sequence[Summary]:
    """Return what each snapshot of a backup has, newest first. Raises NotFound where it has none."""
    return [_summary(backup, name) for name in snapshot_names(backup)]


def _summary(backup: Path, name: str) -> Summary:
    try:
        snapshot = named(backup, name)
    except CatalogError as error:
        return Summary(name=name, detail=str(error))
    size = sum(stored.size_bytes for stored in snapshot.files.values())
    detail = f"{snapshot.tracks} tracks, {size / 1e6:.1f} MB, of {snapshot.home}"
    return Summary(name=name, detail=detail, tracks=snapshot.tracks, home=snapshot.home, size_bytes=size)


def snapshot_names(backup: Path) -> Sequence[str]:
    """Return the names of the snapshots of a backup, newest first. Raises NotFound where it has none."""
    with storing(f"the snapshots in {backup} cannot be listed"):
        paths = [*(backup / "snapshots").glob("*.json")]
    names = sorted((path.stem for path in paths if _NAME.fullmatch(path.stem)), reverse=True)
    if not names:
        raise NotFound(f"there is no backup in {backup}; `catalog doctor --backup DIR` makes one")
    return names


def named(backup: Path, name: str) -> Snapshot:
    """Return the snapshot `name`. Raises InputError without it, Damage where its text is altered."""
    names = snapshot_names(backup)
    if name not in names:
        raise InputError(f"there is no snapshot {name!r} in {backup}; the newest is {names[0]}")
    path = backup / "snapshots" / f"{name}.json"
    with storing(f"the snapshot {path} cannot be read"):
        text = path.read_bytes()
    if not name.endswith(f"-{_digest(text)}"):
        raise Damage(f"the snapshot {path} is altered; pass another one as snapshot=NAME")
    try:
        return Snapshot.model_validate_json(text)
    except ValidationError as error:
        raise InputError(
            f"the snapshot {path} is of a version that this program does not know: {error.errors()[0]['msg']}"
        ) from None


def newest(backup: Path) -> Snapshot | None:
    """Return the newest snapshot that is whole, None without any."""
    try:
        names = snapshot_names(backup)
    except NotFound:
        return None
    for name in names:
        try:
            return named(backup, name)
        except Damage:
            continue
    return None


def write(backup: Path, snapshot: Snapshot) -> str:
    """Write a snapshot, on the disk as a whole on return, and return its name. Raises OSError."""
    text = snapshot.model_dump_json().encode("utf-8")
    folder = backup / "snapshots"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{snapshot.made_at:%Y%m%dT%H%M%S.%f}Z-{_digest(text)}"
    write_file(folder / f"{name}.json", text, point="snapshot")
    return name


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:16]
