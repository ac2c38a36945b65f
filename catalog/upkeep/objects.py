"""The files of a backup: each under the sha256 of its bytes, written once and never changed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import time
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..disk.failpoint import failpoint
from ..disk.files import TEMPORARY, sha256_of, sync
from ..errors import Damage

__all__ = ["Objects", "Stored", "copy"]


class Stored(NamedTuple):
    """The content of one file."""

    sha256: str
    size_bytes: int


BATCH = 64
"""Files that are synced together before they get their names."""
ABANDONED_AFTER_S = 86_400.0
"""The age from which a temporary file is of a process that died."""
_CHUNK_BYTES = 1 << 20


class Objects:
    """The folder `objects/` of a backup. Files count as copied after `flush`; several processes may add to it."""

    def __init__(self, backup: Path, *, deep: bool = False) -> None:
        """`deep` reads each file that is there already, in place of comparing its size."""
        self._folder = backup / "objects"
        self._deep = deep
        self._waiting: dict[Path, Path] = {}
        """Copies that are not synced yet, and the paths they will have."""
        self.copied: list[Stored] = []
        self.altered: list[Stored] = []
        """What was there, and was found altered; it is copied anew where the home has it."""

    def path(self, stored: Stored) -> Path:
        """Return where a content is, or would be."""
        return self._folder / stored.sha256[:2] / stored.sha256

    def has(self, stored: Stored) -> bool:
        """Tell whether a content is there: by its size, or by reading it where the folder is read deeply."""
        path = self.path(stored)
        try:
            whole = path.stat().st_size == stored.size_bytes
            whole = whole and (not self._deep or sha256_of(path) == stored.sha256)
        except FileNotFoundError:
            return False
        if not whole:
            self.altered.append(stored)
        return whole

    def add(self, source: Path, expected: Stored | None = None) -> Stored:
        """Copy a file unless its content is there; return what it is stored as.

        Raises Damage, and stores nothing, where the file does not hold the content that is `expected`.
        """
        stored = expected or Stored(sha256_of(source), source.stat().st_size)
        target = self.path(stored)
        if target in self._waiting.values() or self.has(stored):
            return stored
        if not target.parent.is_dir():
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync([], [target.parent.parent, target.parent.parent.parent])
        temporary = target.with_name(f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}")
        copy(source, temporary, stored)
        self._waiting[temporary] = target
        self.copied.append(stored)
        if len(self._waiting) >= BATCH:
            self.flush()
        return stored

    def flush(self) -> None:
        """Force the copies to the disk, then give them their names, and force these to the disk too."""
        sync(self._waiting, [])
        for temporary, target in self._waiting.items():
            temporary.replace(target)
        failpoint("backup.renamed")
        sync([], sorted({target.parent for target in self._waiting.values()}))
        self._waiting.clear()

    def clear(self) -> None:
        """Delete temporary files: of this process, and those of processes that died long ago."""
        latest = time.time() - ABANDONED_AFTER_S
        for path in self._folder.glob(f"*/{TEMPORARY}*"):
            with contextlib.suppress(OSError):
                if path in self._waiting or path.stat().st_mtime <= latest:
                    path.unlink()
        self._waiting.clear()


def copy(source: Path, target: Path, stored: Stored) -> None:
    """Copy a file to a new one. Raises Damage, and leaves no copy, where it does not hold the content `stored`."""
    sha256, size = hashlib.sha256(), 0
    try:
        with source.open("rb") as old, os.fdopen(_created(target), "wb") as new:
            while chunk := _read(old, source):
                sha256.update(chunk)
                size += new.write(chunk)
        if (sha256.hexdigest(), size) != stored:
            raise Damage(f"{source} no longer holds what was stored")
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _read(file: BinaryIO, source: Path) -> bytes:
    try:
        return file.read(_CHUNK_BYTES)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        # One bad place of a drive must not keep every other file from being copied.
        raise Damage(f"{source} cannot be read: {error.strerror}") from error


def _created(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
