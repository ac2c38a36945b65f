"""Durable, content-addressed files: audio under its sha256 with a JSON sidecar beside it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from catalog.errors import Damage, InputError, StorageError
from catalog.failpoint import failpoint

__all__ = [
    "TEMPORARY",
    "audio_files",
    "beside",
    "delete_audio",
    "digest",
    "inside",
    "make_folders",
    "put_audio",
    "put_codes",
    "put_sidecar",
    "storing",
    "sync",
    "write_durably",
]

FOLDERS = ("audio", "locks", "cache", "lance")
"""Lance last: a home that has it has the others."""
TEMPORARY = ".tmp-"
SIDECAR, CODES = ".json", ".codes.npz"
"""Endings of what stands beside an audio file under its name."""
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
_CHUNK_BYTES = 1 << 20


def make_folders(home: Path) -> None:
    """Create the home folder and the folders in it, readable by their owner only."""
    with storing(f"the home folder {home} cannot be made"):
        missing = [folder for folder in (home, *(home / name for name in FOLDERS)) if not folder.is_dir()]
        for folder in missing:
            folder.mkdir(mode=0o700, parents=folder == home, exist_ok=True)
        if missing:
            sync([], [home])


def put_audio(home: Path, data: bytes, *, suffix: str = ".wav") -> tuple[str, str, int]:
    """Store `data` under its sha256, on the disk when this returns.

    Returns the path relative to `home` with forward slashes, the hex digest and the size in bytes. The same bytes
    are stored once. Raises InputError for no bytes or an odd suffix, StorageError when the disk refuses; then
    nothing half-written is left.
    """
    if not data:
        raise InputError("the audio is empty; pass the bytes of an audio file")
    if not _SUFFIX.fullmatch(suffix):
        raise InputError(f"the suffix {suffix!r} names no audio file; pass one such as '.wav'")
    sha256 = hashlib.sha256(data).hexdigest()
    relative = f"audio/{sha256[:2]}/{sha256}{suffix}"
    path = home / relative
    with storing(f"{len(data):,} bytes of audio cannot be written to {home}"):
        _make_shard(path.parent)
        if path.is_file() and path.stat().st_size == len(data) and digest(path) == sha256:
            # Another process may have renamed it and not yet synced it; it counts as stored only once it is.
            sync([path], [path.parent])
        else:
            write_durably(path, data, point="audio")
    return relative, sha256, len(data)


def put_sidecar(home: Path, audio_path: str, content: Mapping[str, Any]) -> Path:
    """Write `content` as JSON beside the audio file, under the same name with `.json`."""
    audio = inside(home, audio_path)
    path = audio.with_suffix(SIDECAR)
    try:
        text = json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False, default=str)
        data = text.encode("utf-8")
    except (TypeError, ValueError) as error:
        raise InputError(f"the sidecar of {audio_path} is no valid JSON: {error}") from None
    with storing(f"the sidecar of {audio_path} cannot be written"):
        _make_shard(path.parent)
        write_durably(path, data + b"\n", point="sidecar")
    return path


def put_codes(home: Path, audio_path: str, data: bytes) -> Path:
    """Write the codes that the audio was decoded from beside it, under the same name with `.codes.npz`."""
    path = inside(home, audio_path).with_suffix(CODES)
    with storing(f"the codes of {audio_path} cannot be written"):
        _make_shard(path.parent)
        write_durably(path, data, point="codes")
    return path


def beside(audio_path: str) -> tuple[str, ...]:
    """Return the paths of what may stand beside an audio file."""
    return tuple(str(PurePosixPath(audio_path).with_suffix(ending)) for ending in (SIDECAR, CODES))


def delete_audio(home: Path, audio_path: str) -> None:
    """Delete an audio file and what stands beside it; a file that is gone already is fine."""
    path = inside(home, audio_path)
    with storing(f"{audio_path} cannot be deleted"):
        path.unlink(missing_ok=True)
        for other in beside(audio_path):
            inside(home, other).unlink(missing_ok=True)
        if path.parent.is_dir():
            sync([], [path.parent])


def write_durably(path: Path, data: bytes, *, point: str = "file", mode: int = 0o600) -> None:
    """Replace `path` by `data` as a whole: temporary file of `mode`, sync, rename, sync of the folder.

    Failpoints `<point>.written`, `<point>.synced`, `<point>.renamed`. A failure leaves the old file as it was.
    """
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with _created(temporary, mode) as descriptor:
            _write_all(descriptor, data)
            failpoint(f"{point}.written")
            _full_sync(descriptor)
        failpoint(f"{point}.synced")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    failpoint(f"{point}.renamed")
    sync([], [path.parent])


def sync(files: Iterable[Path], folders: Iterable[Path]) -> None:
    """Force files, then folders, to the disk; one flush of the drive's own cache at the end on macOS.

    A file that has gone meanwhile is passed over. Raises OSError.
    """
    last = None
    for path in (*files, *folders):
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            last = path
    if last is not None and hasattr(fcntl, "F_FULLFSYNC"):
        with contextlib.suppress(OSError):
            descriptor = os.open(last, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            finally:
                os.close(descriptor)


def inside(home: Path, relative: str) -> Path:
    """Return the path `relative` names below `home`; raises Damage when it leads out of the home folder."""
    parts = [part for part in relative.split("/") if part not in ("", ".")]
    if not parts or relative.startswith("/") or ".." in parts or "\x00" in relative:
        raise Damage(f"the stored path {relative!r} leads out of the home folder {home}")
    # Resolving is slow, and needed only where there is a link on the way; every search comes by here for every track.
    place = str(home)
    linked = False
    for part in parts:
        place = f"{place}/{part}"
        linked = linked or os.path.islink(place)  # noqa: PTH114
    path = Path(place)
    if linked and not path.resolve().is_relative_to(home.resolve()):
        raise Damage(f"the stored path {relative!r} is a link out of the home folder {home}")
    return path


def audio_files(home: Path) -> Iterator[Path]:
    """Yield every file below `audio/`: audio, sidecars and temporary files, in order."""
    root = home / "audio"
    for folder in sorted(path for path in root.glob("*") if path.is_dir()):
        yield from sorted(path for path in folder.iterdir() if path.is_file())


def digest(path: Path) -> str:
    """Return the sha256 of a file as hex digits."""
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            sha256.update(chunk)
    return sha256.hexdigest()


@contextlib.contextmanager
def storing(what: str) -> Iterator[None]:
    """Turn an OSError of the body into a StorageError that begins with `what`."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"{what}: {reason(error)}") from error


def reason(error: OSError) -> str:
    """Say in words why the system refused, and what to do."""
    advice = {
        errno.ENOSPC: "the disk is full; free some space and try again",
        errno.EDQUOT: "the disk quota is used up; free some space and try again",
        errno.EROFS: "the file system is mounted read-only",
        errno.EACCES: "permission denied; choose a folder you can write to",
        errno.EPERM: "permission denied; choose a folder you can write to",
        errno.ENOTDIR: "a part of the path is a file; choose a folder",
        errno.EEXIST: "a file of that name is in the way; choose a folder",
    }
    return advice.get(error.errno or 0, error.strerror or str(error))


def _make_shard(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync([], [folder.parent])


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
