"""Files that survive a crash, paths that stay inside a folder, and errors of the disk as sentences."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..errors import CatalogError, Damage, StorageError
from .failpoint import failpoint

__all__ = [
    "TEMPORARY",
    "check_writable",
    "evict",
    "inside",
    "refusal",
    "set_aside",
    "sha256_of",
    "storing",
    "sync",
    "write_file",
]

TEMPORARY = ".tmp-"
MOST_AT_ONCE = 8
"""Files that are synced side by side."""
REFUSALS = frozenset(
    {
        errno.EACCES,
        errno.EAGAIN,
        errno.EDQUOT,
        errno.EINTR,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.EPERM,
        errno.EROFS,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
"""Errors by which the system refuses to read or write; they tell nothing about what is on the disk."""
_ERRNO_IN_TEXT = re.compile(r"\(os error (\d+)\)")
"""How Rust prints an error of the system."""
_CHUNK_BYTES = 1 << 20


def write_file(
    path: Path, data: bytes, *, durable: bool = True, point: str = "file", mode: int = 0o600
) -> None:
    """Replace `path` by `data` as a whole: a reader finds the old content or the new, and a failure leaves the old.

    `durable`: the content is on the disk on return, and a power cut leaves the old or the new as well. Without it a
    power cut may leave a torn file, which is fine for what is checked when it is read and can be made again.
    Failpoints `<point>.written`, `<point>.synced`, `<point>.renamed`. Raises OSError.
    """
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with _created(temporary, mode) as descriptor:
            _write_all(descriptor, data)
            failpoint(f"{point}.written")
            # Synced before it is renamed: file systems may write the new name to the disk before the content.
            if durable:
                _full_sync(descriptor)
        failpoint(f"{point}.synced")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    failpoint(f"{point}.renamed")
    # The new name is an entry of the folder, which has a sync of its own.
    if durable:
        sync([], [path.parent])


def sync(files: Iterable[Path], folders: Iterable[Path]) -> None:
    """Force files and folders to the disk; one flush of the drive's own cache at the end on macOS.

    A file that has gone meanwhile is passed over. Raises OSError.
    """
    paths = [*files, *folders]
    there = [path for path, synced in zip(paths, _side_by_side(paths), strict=True) if synced]
    # On macOS fsync leaves the data in the drive's cache. Flushing that for the last file flushes it for all.
    last = there[-1] if there else None
    if last is not None and hasattr(fcntl, "F_FULLFSYNC"):
        with contextlib.suppress(OSError):
            descriptor = os.open(last, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            finally:
                os.close(descriptor)


def evict(files: Iterable[Path]) -> None:
    """Let the system forget what it holds of synced files in memory, where it can: they are read from the disk then."""
    for path in files if hasattr(os, "posix_fadvise") else ():
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def _side_by_side(paths: Sequence[Path]) -> list[bool]:
    """Sync paths at the same time: a file system writes its journal once for all that wait for it."""
    if len(paths) < 2:
        return [_sync(path) for path in paths]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(len(paths), MOST_AT_ONCE)) as threads:
        try:
            synced = threads.map(_sync, paths)
        except RuntimeError:  # the main thread has ended, and Python starts no more threads in pools
            synced = map(_sync, paths)
        return [*synced]


def _sync(path: Path) -> bool:
    """Force a file or folder to the disk, and tell whether it was there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return True


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as hex digits."""
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            sha256.update(chunk)
    return sha256.hexdigest()


def inside(folder: Path, relative: str) -> Path:
    """Return the path `relative` names below `folder`; raises Damage when it leads out of it."""
    parts = [part for part in relative.split("/") if part not in ("", ".")]
    if not parts or relative.startswith("/") or ".." in parts or "\x00" in relative:
        raise Damage(f"the stored path {relative!r} leads out of the home folder {folder}")
    # Resolving is slow, and needed only where there is a link on the way; every search comes by here for every track.
    place = str(folder)
    linked = False
    for part in parts:
        place = f"{place}/{part}"
        linked = linked or os.path.islink(place)  # noqa: PTH114
    path = Path(place)
    if linked and not path.resolve().is_relative_to(folder.resolve()):
        raise Damage(f"the stored path {relative!r} is a link out of the home folder {folder}")
    return path


def set_aside(home: Path, relative: str) -> Path:
    """Move a file to `lost/` below the home folder, under a name that is free, and return its new path."""
    path = inside(home, relative)
    folder = home / "lost"
    with storing(f"{relative} cannot be moved to {folder}"):
        folder.mkdir(mode=0o700, exist_ok=True)
        target = folder / f"{int(time.time())}-{os.urandom(3).hex()}-{path.name.lstrip('.')}"
        path.rename(target)
        sync([], [folder, path.parent])
    return target


def check_writable(home: Path, what: str) -> None:
    """Raise StorageError, beginning with `what`, where the home folder or that of its tables is read-only or gone."""
    for folder in (home, home / "lance"):
        if not folder.exists():
            raise StorageError(f"{what}: {folder} is gone; open the catalog again")
        if not os.access(folder, os.W_OK):
            raise StorageError(f"{what}: {folder} is read-only; choose a home folder you can write to")


@contextlib.contextmanager
def storing(what: str) -> Iterator[None]:
    """Turn an OSError of the body into a StorageError that begins with `what`."""
    try:
        yield
    except CatalogError:  # some are OSErrors too
        raise
    except OSError as error:
        raise StorageError(f"{what}: {reason(error)}") from error


def refusal(error: BaseException | None) -> int:
    """Return the errno by which the system refused, for an error or one of its causes; 0 where it did not."""
    while error is not None:
        numbers = [errno.ENOMEM if isinstance(error, MemoryError) else getattr(error, "errno", None) or 0]
        numbers += [int(number) for number in _ERRNO_IN_TEXT.findall(str(error))]
        if refused := REFUSALS.intersection(numbers):
            return min(refused)
        error = error.__cause__
    return 0


def reason(error: OSError) -> str:
    """Return why the system refused, and what to do, as a sentence."""
    advice = {
        errno.ENOSPC: "the disk is full; free some space and try again",
        errno.EDQUOT: "the disk quota is used up; free some space and try again",
        errno.EROFS: "the file system is mounted read-only",
        errno.EACCES: "permission denied; choose a folder you can write to",
        errno.EPERM: "permission denied; choose a folder you can write to",
        errno.ENOTDIR: "a part of the path is a file; choose a folder",
        errno.EMFILE: "this process has too many files open; raise `ulimit -n` and try again",
        errno.ENFILE: "the system has too many files open; close some programs and try again",
        errno.EEXIST: "a file of that name is in the way; choose a folder",
    }
    return advice.get(error.errno or 0, error.strerror or str(error))


@contextlib.contextmanager
def _created(path: Path, mode: int) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _full_sync(descriptor: int) -> None:
    # fsync on macOS leaves the data in the drive's cache; F_FULLFSYNC does not, where the file system knows it.
    if hasattr(fcntl, "F_FULLFSYNC"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)
