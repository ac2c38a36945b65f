"""Audio files in a home folder: under their sha256, each with a sidecar and codes beside it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..disk.arrays import array_in
from ..disk.digests import digest_of, known_digest
from ..disk.files import TEMPORARY, check_writable, inside, sha256_of, storing, sync, write_file
from ..errors import Damage, InputError
from ..models import Track

__all__ = ["ARRAYS", "CODES", "PRINT", "SIDECAR", "AudioFiles", "beside", "checked_audio", "suffix_of"]


_log = logging.getLogger(__name__)

SIDECAR, CODES, PRINT = ".json", ".codes.npz", ".print.npz"
"""Endings of what stands beside an audio file under its name."""
ARRAYS = {CODES: "codes", PRINT: "prints"}
"""The array that a file with such an ending holds."""
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")


class AudioFiles:
    """The audio files of one home folder, and what stands beside them."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def put(self, data: bytes, *, suffix: str = ".wav") -> tuple[str, str, int]:
        """Store an audio file under its sha256, on the disk when this returns.

        Returns the path relative to the home folder with forward slashes, the hex digest and the size in bytes. The
        same bytes are stored once. Raises InputError for no bytes or an odd suffix, StorageError when the disk
        refuses; then nothing half-written is left.
        """
        check_writable(self._home, "the audio cannot be stored")
        sha256 = checked_audio(data, suffix)
        relative = f"audio/{sha256[:2]}/{sha256}{suffix}"
        path = self._home / relative
        with storing(f"{len(data):,} bytes of audio cannot be written to {self._home}"):
            _make_shard(path.parent)
            if path.is_file() and path.stat().st_size == len(data) and sha256_of(path) == sha256:
                # Another process may have renamed it and not yet synced it; it counts as stored only once it is.
                sync([path], [path.parent])
            else:
                write_file(path, data, point="audio")
        return relative, sha256, len(data)

    def take(self, file: Path, sha256: str, *, suffix: str = ".wav") -> str:
        """Move a whole, synced file with that sha256 in under it; return its path relative to the home folder."""
        relative = f"audio/{sha256[:2]}/{sha256}{suffix}"
        path = self._home / relative
        with storing(f"{file} cannot be moved to {self._home}"):
            _make_shard(path.parent)
            file.replace(path)
            sync([], [path.parent])
        return relative

    def put_original(self, source: Path, sha256: str) -> str:
        """Copy a file with that sha256 in under it, on the disk on return; return its path relative to the home folder.

        Raises InputError for a file that has changed since its sha256 was taken, StorageError when the disk refuses.
        """
        relative = f"audio/{sha256[:2]}/{sha256}{suffix_of(source)}"
        path = self._home / relative
        with storing(f"{source} cannot be copied to {self._home}"):
            _make_shard(path.parent)
            if path.is_file() and path.stat().st_size == source.stat().st_size and sha256_of(path) == sha256:
                sync([path], [path.parent])
                return relative
            temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}")
            try:
                shutil.copyfile(source, temporary)
                if sha256_of(temporary) != sha256:
                    raise InputError("it changed while it was read; add it again")
                sync([temporary], [])
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
            sync([], [path.parent])
        return relative

    def put_print(self, audio_path: str, prints: NDArray[np.uint32]) -> None:
        """Write the kept part of the acoustic fingerprint beside the audio file."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, prints=np.ascontiguousarray(prints, np.uint32))
        self._put_beside(audio_path, PRINT, buffer.getvalue(), "fingerprint")

    def print_at(self, audio_path: str) -> NDArray[np.uint32] | None:
        """Return the fingerprint beside an audio file, None where there is none or it cannot be read."""
        try:
            path = inside(self._home, audio_path).with_suffix(PRINT)
            prints: NDArray[np.uint32] = array_in(path.read_bytes(), ARRAYS[PRINT])
        except (OSError, Damage):
            return None
        return prints if prints.dtype == np.uint32 and prints.ndim == 1 else None

    def put_sidecar(self, audio_path: str, content: Mapping[str, Any]) -> None:
        """Write `content` as JSON beside the audio file, under the same name with `.json`."""
        check_writable(self._home, "the sidecar cannot be stored")
        try:
            text = json.dumps(
                content, ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False, default=str
            )
            data = text.encode("utf-8")
        except (TypeError, ValueError) as error:
            raise InputError(f"the sidecar of {audio_path} is no valid JSON: {error}") from None
        self._put_beside(audio_path, SIDECAR, data + b"\n", "sidecar")

    def put_codes(self, audio_path: str, codes: NDArray[np.int16]) -> None:
        """Write the codes (codebooks, frames) that the audio was decoded from beside it."""
        check_writable(self._home, "the codes cannot be stored")
        buffer = io.BytesIO()
        # Members of a zip file carry checksums, so that altered codes are never continued.
        np.savez_compressed(buffer, codes=np.ascontiguousarray(codes, np.int16))
        self._put_beside(audio_path, CODES, buffer.getvalue(), "codes")

    def codes_of(self, track: Track) -> NDArray[np.int16] | None:
        """Return the codes that the audio was decoded from, None where none were kept or they cannot be read."""
        try:
            codes: NDArray[np.int16] = array_in(
                self.path_of(track).with_suffix(CODES).read_bytes(), ARRAYS[CODES]
            )
        except (OSError, Damage):
            return None
        return codes if codes.dtype == np.int16 and codes.ndim == 2 else None

    def path_of(self, track: Track) -> Path:
        """Return the path of the audio file; raises Damage when the row points out of the home folder."""
        return inside(self._home, track.audio_path)

    def exists(self, track: Track) -> bool:
        """Tell whether the audio file is there with the size the row states, and is not known to be altered.

        `verified_path` reads the file; until then it is not known.
        """
        try:
            path = self.path_of(track)
            # Searches come by here for every track, and a Path's own `stat` takes longer.
            stat = os.stat(path)  # noqa: PTH116
        except (OSError, Damage):
            return False
        return stat.st_size == track.audio_bytes and known_digest(path, stat) in (None, track.audio_sha256)

    def is_there(self, track: Track) -> bool:
        """Tell whether there is a file for the audio of a track, whatever is in it."""
        return self.path_of(track).is_file()

    def is_stored(self, track: Track) -> bool:
        """Tell, for a row that is to go in, whether its audio is there."""
        return self.exists(track)

    def verified_path(self, track: Track) -> Path:
        """Return the path of the audio file, whose bytes are those that were stored.

        They are read once in a process for as long as the file stays the same. Raises Damage where the file is gone or
        altered, StorageError where it cannot be read.
        """
        path = self.path_of(track)
        if not path.is_file():
            raise Damage(f"the audio file {path} of track {track.id} is missing; run `catalog doctor`")
        with storing(f"the audio of track {track.id} cannot be read"):
            digest = digest_of(path)
        if digest != track.audio_sha256:
            raise Damage(
                f"the audio of track {track.id} is not served, since {track.audio_path} no longer holds what was "
                "stored; run `catalog doctor --deep`"
            )
        return path

    def intact(self, track: Track) -> bool:
        """Tell whether the bytes of the audio file are those that were stored; where not, a warning is logged.

        From then on `exists` is false, so that no search returns the track. Raises StorageError.
        """
        try:
            self.verified_path(track)
        except Damage as error:
            _log.warning("%s", error)
            return False
        return True

    def bring_back(self, track: Track) -> None:
        """Move the audio of a track, and what stands beside it, back from `lost/`; the caller holds the table's lock.

        A file is taken for left over by its age, and the clock may have been set, or its maker have slept. Raises
        StorageError.
        """
        with storing(f"the audio of track {track.id} cannot be brought back from {self._home / 'lost'}"):
            original = [track.original] if track.original else []
            for relative in (track.audio_path, *beside(track.audio_path), *original):
                goal = inside(self._home, relative)
                kept = [] if goal.exists() else sorted((self._home / "lost").glob(f"*-{goal.name}"))
                if relative == track.audio_path:
                    kept = [path for path in kept if sha256_of(path) == track.audio_sha256]
                if kept:
                    kept[-1].rename(goal)
                    sync([], [goal.parent, kept[-1].parent])

    def files(self) -> Iterator[Path]:
        """Yield every file below `audio/`: audio, sidecars, codes and temporary files, in order."""
        root = self._home / "audio"
        for folder in sorted(path for path in root.glob("*") if path.is_dir()):
            yield from sorted(path for path in folder.iterdir() if path.is_file())

    def sizes(self) -> Iterator[int]:
        """Yield the bytes of every audio file; one that is being written, or goes meanwhile, counts as none."""
        for path in self.files():
            if path.suffix in (".json", ".npz") or path.name.startswith(TEMPORARY):
                continue
            with contextlib.suppress(FileNotFoundError):
                yield path.stat().st_size

    def _put_beside(self, audio_path: str, ending: str, data: bytes, what: str) -> None:
        path = inside(self._home, audio_path).with_suffix(ending)
        with storing(f"the {what} of {audio_path} cannot be written"):
            _make_shard(path.parent)
            write_file(path, data, point=what)


def checked_audio(data: bytes, suffix: str) -> str:
    """Return the sha256 of the bytes of an audio file; raises InputError for no bytes or an odd suffix."""
    if not data:
        raise InputError("the audio is empty; pass the bytes of an audio file")
    if not _SUFFIX.fullmatch(suffix):
        raise InputError(f"the suffix {suffix!r} names no audio file; pass one such as '.wav'")
    return hashlib.sha256(data).hexdigest()


def suffix_of(source: Path) -> str:
    """Return the suffix under which a copy of an audio file is stored."""
    suffix = source.suffix.lower()
    return suffix if _SUFFIX.fullmatch(suffix) else ".bin"


def beside(audio_path: str) -> tuple[str, ...]:
    """Return the paths of what may stand beside an audio file."""
    return tuple(str(PurePosixPath(audio_path).with_suffix(ending)) for ending in (SIDECAR, CODES, PRINT))


def _make_shard(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync([], [folder.parent])
