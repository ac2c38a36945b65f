"""Locks between processes and threads: a file held with flock, which the system frees when its holder dies.

The generator uses `filelock`, which does not do here. Its import takes longer than all others of an exact repeat, which
looks for a running service by `is_held`. It cannot look without taking the lock, it leaves the file of a lock behind,
and where a file system has no flock it makes do with a file that outlives its holder.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import Busy, StorageError

__all__ = ["hold", "is_held", "remove_abandoned"]


_HELD_ELSEWHERE = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK}
ABANDONED_AFTER_S = 3600.0
"""The age from which a lock file that nobody holds is of a process that was killed."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.002, 0.05


@contextlib.contextmanager
def hold(path: Path, timeout_s: float, what: str, *, remove: bool = False) -> Iterator[None]:
    """Hold the lock file `path`, waiting up to `timeout_s` seconds for its holder.

    `what` names the thing locked in the message of the error. With `remove` the file goes away with the lock, for
    names that are used once. Raises Busy when the wait is over, StorageError where files cannot be locked.
    """
    deadline = time.monotonic() + timeout_s
    wait_s = _FIRST_WAIT_S
    while (descriptor := _try(path)) is None:
        if time.monotonic() >= deadline:
            raise Busy(
                f"another process still holds {what} after {timeout_s:g} s; try again when it has finished"
            )
        time.sleep(min(wait_s, max(0.0, deadline - time.monotonic())))
        wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
    try:
        yield
    finally:
        if remove:
            # Removed while held: a waiter that opened this inode sees in _try that the name has moved on.
            path.unlink(missing_ok=True)
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Tell whether some process, this one included, holds the lock file `path`; the file is not created."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # A shared lock, so that two who look at the same time do not take each other for the holder.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _HELD_ELSEWHERE
    finally:
        os.close(descriptor)
    return False


def remove_abandoned(folder: Path, pattern: str) -> None:
    """Remove old lock files in `folder` that nobody holds, for locks whose file goes away with them.

    Each is removed while it is held, as `hold` does, so nobody else can hold a file without a name.
    """
    latest = time.time() - ABANDONED_AFTER_S
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime <= latest and (descriptor := _try(path)) is not None:
                try:
                    path.unlink()
                finally:
                    os.close(descriptor)


def _try(path: Path) -> int | None:
    """Return the descriptor of the lock file once locked, None when another holds it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        told = f"the lock file {path} cannot be opened: {error.strerror}"
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            if error.errno == errno.EROFS or not os.access(path.parent, os.W_OK):
                told = f"{path.parent} is read-only; choose a folder you can write to"
            else:
                told += "; let its owner make it writable for you, or remove it while no process uses it"
        raise StorageError(told) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _still_named(path, descriptor):
            return descriptor
    except OSError as error:
        if error.errno not in _HELD_ELSEWHERE:
            os.close(descriptor)
            raise StorageError(
                f"{path} cannot be locked: {error.strerror}; keep its folder on a local disk"
            ) from error
    os.close(descriptor)
    return None


def _still_named(path: Path, descriptor: int) -> bool:
    try:
        named, held = path.stat(), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino)
