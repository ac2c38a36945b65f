"""Audio files in a home folder: under their sha256, with a sidecar and codes beside them."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ..disk.files import digest, storing, sync, write_durably
from ..errors import Damage, InputError

__all__ = [
    "CODES",
    "FOLDERS",
    "SIDECAR",
    "audio_files",
    "beside",
    "delete_audio",
    "inside",
    "make_folders",
    "put_audio",
    "put_codes",
    "put_sidecar",
]


FOLDERS = ("audio", "locks", "cache", "lance")
"""Lance last: a home that has it has the others."""
SIDECAR, CODES = ".json", ".codes.npz"
"""Endings of what stands beside an audio file under its name."""
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")


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


def _make_shard(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync([], [folder.parent])
