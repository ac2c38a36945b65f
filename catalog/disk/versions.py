"""What the files of a Lance table say without Lance: its newest version, and the note of what is safe on the disk."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ..errors import StorageError
from .files import refusal, storing, sync

__all__ = ["Marks", "TableFiles", "ends_in_magic", "is_whole", "manifest_path", "new_stamp"]


_MAGIC = b"LANC"
_TRAILER_BYTES = 16
_ENDING = ".manifest"
_MANIFEST = re.compile(r"(\d+)\.manifest")
_LARGEST = 2**64 - 1
"""Lance names a manifest by the distance of its version to this number, so that the newest sorts first."""


class Marks(NamedTuple):
    """The note beside a table."""

    acknowledged: int = 0
    """The newest version known to be on the disk whole; 0 when unknown."""
    compacted: int = 0
    """The version the table had after it was last compacted."""
    stamp: int = 0
    """Drawn anew whenever a row may have changed."""
    schema: int = 0
    """The schema version the table was last written with; 0 when unknown."""


class TableFiles:
    """The files of the table in `home/lance/<name>.lance`, and the note `home/lance/<name>.acked`."""

    def __init__(self, home: Path, name: str) -> None:
        self.name = name
        self.home = home
        self.folder = home / "lance" / f"{name}.lance"
        self._note = home / "lance" / f"{name}.acked"

    def newest(self) -> tuple[int, Path] | None:
        """Return the newest version on the disk and its manifest, None without any; StorageError if not to be read."""
        names: list[str] = []
        folder = self.folder / "_versions"
        with (
            storing(f"the versions of the {self.name} table in {self.home} cannot be listed"),
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(folder) as entries,
        ):
            names = [entry.name.removesuffix(_ENDING) for entry in entries if entry.name.endswith(_ENDING)]
        # Every read asks for the newest of hundreds, so numbers are compared as texts, the shorter first.
        numbers = [name for name in names if name.isdecimal()]
        newest = min(numbers, key=lambda number: (len(number), number), default=None)
        return None if newest is None else (_LARGEST - int(newest), folder / f"{newest}{_ENDING}")

    def versions(self) -> list[int]:
        """Return the versions on the disk, newest first; raises OSError."""
        matches = (_MANIFEST.fullmatch(path.name) for path in (self.folder / "_versions").iterdir())
        return sorted((_LARGEST - int(match[1]) for match in matches if match), reverse=True)

    def head(self) -> int | None:
        """Return the newest version on the disk, None without any."""
        newest = self.newest()
        return newest[0] if newest else None

    @property
    def marks(self) -> Marks:
        """The note beside the table; zeros where it is absent or altered, StorageError if not to be read."""
        with storing(f"the note of the {self.name} table in {self.home} cannot be read"):
            try:
                line, _, checksum = self._note.read_bytes().partition(b"\n")
            except OSError as error:
                if refusal(error):
                    raise  # zeros would make the table pass for one that was never acknowledged
                return Marks()
        # Before notes had a checksum, they were one line.
        if checksum and checksum != _checksum(line):
            return Marks()
        try:
            return Marks(*(int(number) for number in line.split()))
        except (ValueError, TypeError):
            return Marks()

    @property
    def schema_version(self) -> int:
        """The schema version of the table as it was last written; 0 when unknown, as for an unfinished commit."""
        marks, newest = self.marks, self.newest()
        whole = newest and marks.acknowledged == newest[0] and is_whole(newest[1])
        return marks.schema if whole else 0

    @property
    def stamp(self) -> int | None:
        """A number that is another one whenever a row may have changed; None while a commit is unfinished.

        Rows that are only added leave it. 0 without a table, None too where the disk refuses.
        """
        state = self.state
        return None if state is None else state[0]

    @property
    def state(self) -> tuple[int, int] | None:
        """The `stamp` and the newest version, 0 without a table; None while a commit is unfinished."""
        try:
            marks, head = self.marks, self.head() or 0
            return (marks.stamp, head) if marks.acknowledged == head else None
        except StorageError:
            return None

    def problems(self) -> list[str]:
        """Say what is wrong with the newest version, judged by its files alone."""
        newest, acknowledged = self.newest(), self.marks.acknowledged
        if newest is None:
            return (
                [f"the {self.name} table is gone; version {acknowledged} was there"] if acknowledged else []
            )
        head, manifest = newest
        if not is_whole(manifest):
            return [f"version {head} of the {self.name} table cannot be read"]
        if head < acknowledged:
            return [f"the {self.name} table is at version {head}; version {acknowledged} was there"]
        return []

    def files(self) -> frozenset[Path]:
        """Return every file of the table; raises OSError, since a file that is passed over would never be synced."""
        return frozenset(map(Path, self.file_paths()))

    def file_paths(self) -> frozenset[str]:
        """Return what `files` does as texts, in an eighth of the time: every commit compares all files twice."""
        walk = os.walk(self.folder, onerror=_unless_gone)
        return frozenset(f"{folder}/{name}" for folder, _, names in walk for name in names)

    def size_bytes(self) -> int:
        """Return the bytes of every file of the table; a file that a writer removes meanwhile counts as none."""
        size = 0
        for path in self.file_paths():
            with contextlib.suppress(FileNotFoundError):
                size += os.stat(path).st_size  # noqa: PTH116  # a Path takes longer
        return size

    def sync(self, paths: Iterable[Path]) -> None:
        """Force files of the table to the disk, and the folders on the way to them."""
        files = sorted(paths)
        folders = {parent for path in files for parent in path.parents if parent.is_relative_to(self.folder)}
        sync(files, sorted(folders))

    def write_marks(self, marks: Marks) -> None:
        """Write the note beside the table, on the disk on return; the caller holds the lock of the table."""
        # Fewer bytes than a disk sector, always the same length, overwritten in place. A disk writes a sector whole or
        # not at all, so one sync is enough and no half of a note is ever read.
        line = " ".join(f"{number:020d}" for number in marks).encode("ascii")
        data = line + b"\n" + _checksum(line)
        new = not self._note.exists()
        descriptor = os.open(self._note, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, data, 0)
            getattr(os, "fdatasync", os.fsync)(descriptor)
        finally:
            os.close(descriptor)
        if new:
            sync([], [self._note.parent])


def _checksum(line: bytes) -> bytes:
    return f"{zlib.crc32(line):08x}\n".encode("ascii")


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def manifest_path(folder: Path, version: int) -> Path:
    """Return where the manifest of a version of the table in `folder` is."""
    return folder / "_versions" / f"{_LARGEST - version}.manifest"


def new_stamp() -> int:
    """Return a number that no stamp had before."""
    # Drawn, not counted: a folder brought back from a copy must not come to a number it had before.
    return secrets.randbits(63) | 1


def is_whole(manifest: Path) -> bool:
    """Tell whether a manifest has its trailer: position of its message, format version, magic."""
    trailer, size = _trailer(manifest)
    return trailer.endswith(_MAGIC) and int.from_bytes(trailer[:8], "little") < size


def ends_in_magic(path: Path) -> bool:
    """Tell whether a data or index file of Lance has its last bytes, which are written last."""
    return _trailer(path)[0].endswith(_MAGIC)


def _trailer(path: Path) -> tuple[bytes, int]:
    """Return the last 16 bytes of a file and its size in bytes; nothing and 0 when it is shorter or gone."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size >= _TRAILER_BYTES:
            file.seek(-_TRAILER_BYTES, os.SEEK_END)
            return file.read(_TRAILER_BYTES), size
    return b"", 0
