"""Files that can be made again, kept in a folder of bounded size: other formats, pictures, outlines.

The name of a file ends in the sha256 of its content. Files are not synced, so a power cut may leave a torn one. It does
not match its name and is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ..errors import InputError, StorageError

__all__ = ["FileCache"]


NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,120}")
MAX_BYTES = 1_000_000_000
CHECKSUM = "_"
"""What stands before the checksum in the name of a file; no name given by a caller holds it."""
TEMPORARY = "."
"""How the name of a file begins while it is written."""
WRITING_S = 60.0
"""How long such a file may take; an older one was left by a process that died."""
CHUNK_BYTES = 1 << 20
Stamp = tuple[int, int, int]
"""Inode, bytes and time of change in ns: what a file that was checked is known again by."""


class FileCache:
    """Files by name, made when they are first requested; those used longest ago are removed when there is too much.

    Where the folder cannot be written a temporary one takes its place, so that a read-only home is served too.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int = MAX_BYTES,
        looked_up: Callable[[str, bool], None] | None = None,
    ) -> None:
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            self._temporary = tempfile.TemporaryDirectory(prefix="catalog-")
            folder = Path(self._temporary.name)
        self._folder = folder
        self._max_bytes = max_bytes
        self._looked_up = looked_up
        self._making = [threading.Lock() for _ in range(64)]
        self._checked: dict[Path, Stamp] = {}
        """The files that matched their checksum in this process."""
        self._written = max_bytes
        """Bytes written since the folder was last measured; it starts high, so that the first write measures."""

    def open(self, kind: str, name: str, make: Callable[[], bytes]) -> BinaryIO:
        """Return the file `name` of one kind, open for reading; where there is none, `make` returns its content.

        The caller closes it. It is handed out open, not as a path, because another thread may remove the file at any
        time; an open file can be read to its end all the same. Threads that want one file wait for the thread that
        makes it. A file that does not match its checksum is made again. Raises what `make` raises, and StorageError.
        """
        if not NAME.fullmatch(name):
            raise InputError(f"{name!r} is no name of a file")
        path = self._folder / kind / name[:2] / name
        with self._making[hash(path) % len(self._making)]:
            file = self._whole(path)
            if self._looked_up:
                self._looked_up(kind, file is not None)
            return self._write(path, make()) if file is None else file

    def close(self) -> None:
        """Remove what is temporary."""
        if self._temporary:
            self._temporary.cleanup()

    def _whole(self, path: Path) -> BinaryIO | None:
        """Return the file kept for `path`, open and marked as just used; None where there is none that is whole."""
        for kept in path.parent.glob(f"{path.name}{CHECKSUM}*"):
            file = _opened(kept)
            if file is None:
                continue
            if self._checked.get(kept) == _stamp(file) or _sha256(file) == kept.name.rpartition(CHECKSUM)[2]:
                with contextlib.suppress(OSError):
                    os.utime(kept)
                self._checked[kept] = _stamp(file)
                return file
            file.close()
            with contextlib.suppress(OSError):
                kept.unlink()
        return None

    def _write(self, path: Path, content: bytes) -> BinaryIO:
        """Write beside `path`, then rename, so that a reader never sees half a file; return it open at its start."""
        self._written += len(content)
        if self._written > self._max_bytes // 10:
            self._shrink()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY)
            file = os.fdopen(descriptor, "w+b")
            try:
                file.write(content)
                file.flush()
                kept = path.with_name(f"{path.name}{CHECKSUM}{hashlib.sha256(content).hexdigest()}")
                Path(temporary).replace(kept)
            except BaseException:
                file.close()
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error
        self._checked[kept] = _stamp(file)
        file.seek(0)
        return file

    def _shrink(self) -> None:
        """Remove the files used longest ago until the rest is small enough."""
        self._written = 0
        files = []
        for path in self._folder.rglob("*"):
            with contextlib.suppress(OSError):
                if path.is_file():
                    stat = path.stat()
                    files.append((stat.st_mtime, stat.st_size, path))
        over = sum(size for _, size, _ in files) - self._max_bytes
        began = time.time() - WRITING_S
        for used, size, path in sorted(files):
            if over <= 0:
                return
            if path.name.startswith(TEMPORARY) and used > began:
                continue  # another thread writes it now
            path.unlink(missing_ok=True)
            self._checked.pop(path, None)
            over -= size


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except OSError:
        return None


def _stamp(file: BinaryIO) -> Stamp:
    stat = os.fstat(file.fileno())
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _sha256(file: BinaryIO) -> str:
    """Return the sha256 of an open file as hex digits, "" where it cannot be read; leave the file at its start."""
    sha256 = hashlib.sha256()
    try:
        while chunk := file.read(CHUNK_BYTES):
            sha256.update(chunk)
        file.seek(0)
    except OSError:
        return ""
    return sha256.hexdigest()
