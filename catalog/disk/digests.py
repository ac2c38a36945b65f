"""The sha256 of files, each read through once in a process for as long as it stays the same file."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from .files import sha256_of

__all__ = ["digest_of", "known_digest", "read_again"]


MOST_KNOWN = 100_000
"""Files whose digests are remembered; at more, all are forgotten."""

_State = tuple[int, int, int, int]
_KNOWN: dict[str, tuple[_State, str]] = {}
"""By path: size, times of change and inode when the file was read, and its digest."""


def digest_of(path: Path) -> str:
    """Return the sha256 of a file as hex digits. Raises OSError."""
    return known_digest(path, path.stat()) or _read(path)


def read_again(path: Path) -> str:
    """Return what `digest_of` does, from the disk, whatever this process and the system remember of the file."""
    # What the system has read stays in its memory: without it, the disk is not asked.
    _forget_pages(path)
    try:
        return _read(path)
    finally:
        _forget_pages(path)  # a file that nobody wanted must not take the place of one that is served


def known_digest(path: Path, stat: os.stat_result) -> str | None:
    """Return the digest of a file that this process has read and whose `stat` is still the same, else None."""
    known = _KNOWN.get(str(path))
    return known[1] if known and known[0] == _state(stat) else None


def _read(path: Path) -> str:
    # Taken before the file is read, so that a change meanwhile makes the digest outdated.
    stat = path.stat()
    digest = sha256_of(path)
    if len(_KNOWN) >= MOST_KNOWN:
        _KNOWN.clear()
    _KNOWN[str(path)] = _state(stat), digest
    return digest


def _forget_pages(path: Path) -> None:
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _state(stat: os.stat_result) -> _State:
    # The time of change of the inode tells of a write whose author set the time of modification back.
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
