"""The sha256 of files, each read through once in a process for as long as it stays the same file."""

from __future__ import annotations

import os
from pathlib import Path

from .files import sha256_of

__all__ = ["digest_of", "known_digest"]


MOST_KNOWN = 100_000
"""Files whose digests are remembered; at more, all are forgotten."""

_State = tuple[int, int, int, int]
_KNOWN: dict[str, tuple[_State, str]] = {}
"""By path: size, times of change and inode when the file was read, and its digest."""


def digest_of(path: Path) -> str:
    """Return the sha256 of a file as hex digits. Raises OSError."""
    # Taken before the file is read, so that a change meanwhile makes the digest outdated.
    stat = path.stat()
    digest = known_digest(path, stat)
    if digest is None:
        digest = sha256_of(path)
        if len(_KNOWN) >= MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[str(path)] = _state(stat), digest
    return digest


def known_digest(path: Path, stat: os.stat_result) -> str | None:
    """Return the digest of a file that this process has read and whose `stat` is still the same, else None."""
    known = _KNOWN.get(str(path))
    return known[1] if known and known[0] == _state(stat) else None


def _state(stat: os.stat_result) -> _State:
    # The time of change of the inode tells of a write whose author set the time of modification back.
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
