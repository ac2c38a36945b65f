"""The audio of a home on an object store, with a bounded read-through cache in a local folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ...disk.digests import digest_of
from ...disk.files import TEMPORARY, inside, sha256_of, storing, write_file
from ...disk.remote.files import bring
from ...disk.remote.table import STALE_S
from ...errors import Damage, InputError, StorageError
from ...models import Track
from ...objects.blobs import PART_BYTES, Blobs
from ..audio import CODES, PRINT, AudioFiles, checked_audio, suffix_of
from .purged import is_condemned

__all__ = ["RemoteAudio"]


CACHE_MB = "CATALOG_CACHE_MB"
"""The environment variable that bounds the audio in the cache of a home."""
USUAL_MB = 2_000
KEPT_S = 600.0
"""A file that came into the cache so lately, or was marked as used, stays, since a caller may have its path."""
MARKED_S = KEPT_S / 2
"""How old the mark of a use may be: a new one makes the next digest read the whole file again."""
STORED_S = 3600.0
"""How long it counts that an object was put or seen; a row goes in soon after its audio."""
LEFT_OVER_S = 3600.0
"""The age from which a temporary file is of a process that died."""


class RemoteAudio(AudioFiles):
    """The audio of one remote home. An object under its sha256 never changes, so what the cache has is right."""

    def __init__(self, folder: Path, blobs: Blobs) -> None:
        super().__init__(folder)
        self._blobs = blobs
        self._stored: dict[str, float] = {}
        """When this process last put, or saw, the object of a path."""
        self._gone: dict[str, float] = {}
        """When this process last did not find the object of a path, or found it altered, by the monotonic clock."""

    def put(self, data: bytes, *, suffix: str = ".wav") -> tuple[str, str, int]:
        """Store an audio file under its sha256; the store has it when this returns. See `AudioFiles.put`."""
        sha256 = checked_audio(data, suffix)
        return self._put(data, sha256, suffix), sha256, len(data)

    def take(self, file: Path, sha256: str, *, suffix: str = ".wav") -> str:
        """Store a whole file with that sha256, and delete it; return its path below the home."""
        with storing(f"{file} cannot be read"):
            relative = self._put(file, sha256, suffix)
            file.unlink(missing_ok=True)
        return relative

    def put_original(self, source: Path, sha256: str) -> str:
        """Store a copy of a file with that sha256; return its path below the home. See `AudioFiles.put_original`."""
        folder = self._home / "audio" / sha256[:2]
        with storing(f"{source} cannot be copied to {folder}"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = folder / f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}"
            try:
                shutil.copyfile(source, temporary)
                if sha256_of(temporary) != sha256:
                    raise InputError("it changed while it was read; add it again")
                return self._put(temporary, sha256, suffix_of(source))
            finally:
                temporary.unlink(missing_ok=True)

    def print_at(self, audio_path: str) -> NDArray[np.uint32] | None:
        """Return the fingerprint beside an audio file, None where there is none or it cannot be read."""
        return super().print_at(audio_path) if self._fetched(_beside(audio_path, PRINT)) else None

    def codes_of(self, track: Track) -> NDArray[np.int16] | None:
        """Return the codes that the audio was decoded from, None where none were kept or they cannot be read."""
        return super().codes_of(track) if self._fetched(_beside(track.audio_path, CODES)) else None

    def exists(self, track: Track) -> bool:
        """Tell whether nothing is known against the audio: a row goes in after its file, and `intact` reads it."""
        path = track.audio_path
        if path in self._gone and time.monotonic() - self._gone.get(path, 0.0) >= STALE_S:
            self._look_again(track)
        return path not in self._gone

    def is_there(self, track: Track) -> bool:
        """Tell whether there is a file, or an object, for the audio of a track."""
        return super().is_there(track) or self._blobs.size(track.audio_path) is not None

    def is_stored(self, track: Track) -> bool:
        """Tell whether the store has the audio with the size that the row states, and will keep it."""
        path = track.audio_path
        if time.time() - self._stored.get(path, 0.0) > STORED_S:
            if self._blobs.size(path) != track.audio_bytes or is_condemned(self._blobs, path):
                return False
            self._stored[path] = time.time()
        return True

    def verified_path(self, track: Track) -> Path:
        """Return the local path of the audio, fetched and compared with its sha256 where the cache has it not yet."""
        path = self.path_of(track)
        with storing(f"the audio of track {track.id} cannot be read"):
            if _is_kept(path) and digest_of(path) == track.audio_sha256:
                return path
            wrong = "is missing"
            try:
                is_there = bring(self._blobs, track.audio_path, path, sha256=track.audio_sha256)
            except Damage:
                is_there, wrong = False, "no longer holds what was stored"
            if not is_there:
                self._gone[track.audio_path] = time.monotonic()
                self._stored.pop(track.audio_path, None)
                raise Damage(
                    f"the audio of track {track.id} is not served, since {self._blobs.address}/{track.audio_path} "
                    f"{wrong}; bring the object back from a version or copy of the bucket, or put the track in "
                    f"the trash by `catalog rm {track.id}`"
                )
            self._gone.pop(track.audio_path, None)
            self._bound_at_times()
        return path

    def bring_back(self, track: Track) -> None:
        """Do nothing: no file of a remote home is set aside."""

    def put_back(self, track: Track) -> bool:
        """Put audio back into the store that the cache has whole; return whether it has."""
        try:
            data = self.path_of(track).read_bytes()
        except OSError:
            return False
        if hashlib.sha256(data).hexdigest() != track.audio_sha256:
            return False
        self._blobs.put(track.audio_path, data)
        self._gone.pop(track.audio_path, None)
        return True

    def files(self) -> Iterator[Path]:
        """Refuse: the files of a remote home are objects."""
        raise StorageError(f"the files of {self._blobs.address} are not on this machine")

    def sizes(self) -> Iterator[int]:
        """Yield the bytes of every audio object."""
        for blob in self._blobs.list("audio"):
            if not blob.path.endswith((".json", ".npz")):
                yield blob.size_bytes

    def _look_again(self, track: Track) -> None:
        """Forget that audio was gone where the store has it again; who serves it compares its bytes."""
        self._gone[track.audio_path] = time.monotonic()
        with contextlib.suppress(StorageError):  # the next look tells
            if self._blobs.size(track.audio_path) == track.audio_bytes:
                self._gone.pop(track.audio_path, None)

    def _put(self, data: bytes | Path, sha256: str, suffix: str) -> str:
        """Store bytes, or a file that the cache may take; return the path below the home."""
        relative = self._created(data, f"audio/{sha256[:2]}/{sha256}{suffix}")
        # Looked up after the object is there: from now on a purge leaves it for longer than a row takes to go in.
        if is_condemned(self._blobs, relative):
            name = f"{sha256}-{secrets.token_hex(4)}{suffix}"
            relative = self._created(data, f"audio/{sha256[:2]}/{name}")
        self._stored[relative] = time.time()
        self._gone.pop(relative, None)
        with contextlib.suppress(OSError):
            self._keep(inside(self._home, relative), data)
        return relative

    def _created(self, data: bytes | Path, relative: str) -> str:
        size = len(data) if isinstance(data, bytes) else data.stat().st_size
        # What is there under this name has this content, unless a server lost the end of it. A condition holds for one
        # request alone, in which no large file would go over a slow line in time: those go in parts.
        if size <= PART_BYTES:
            data = data if isinstance(data, bytes) else data.read_bytes()
            if self._blobs.create(relative, data) is not None:
                return relative
        if self._blobs.size(relative) != size:
            self._blobs.put(relative, data)
        return relative

    def _put_beside(self, audio_path: str, ending: str, data: bytes, what: str) -> None:
        del what
        self._blobs.put(_beside(audio_path, ending), data)
        with contextlib.suppress(OSError):
            self._keep(inside(self._home, _beside(audio_path, ending)), data)

    def _fetched(self, relative: str) -> bool:
        """Bring what stands beside an audio file into the cache, and tell whether it is there."""
        path = inside(self._home, relative)
        if not _is_kept(path) and (data := self._blobs.get(relative)) is not None:
            self._keep(path, data)
        return path.is_file()

    def _keep(self, path: Path, data: bytes | Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if isinstance(data, Path):
            data.replace(path)
        else:
            write_file(path, data, durable=False)
        self._bound_at_times()

    def _bound_at_times(self) -> None:
        if os.urandom(1)[0] % 16 == 0:
            self._bound()

    def _bound(self) -> None:
        """Delete the files of the cache that were used longest ago, where it has more than it may."""
        limit, now = _most_bytes(), time.time()
        files = []
        for path in (self._home / "audio").glob("*/*"):
            with contextlib.suppress(FileNotFoundError):  # another process bounds the cache too
                used_at, size = (state := path.stat()).st_mtime, state.st_size
                if not path.name.startswith(TEMPORARY):
                    files.append((used_at, size, path))
                elif used_at < now - LEFT_OVER_S:
                    path.unlink()
        files.sort()
        size, latest = sum(each[1] for each in files), now - KEPT_S
        for used_at, file_size, path in files:
            if size <= limit or used_at > latest:
                break
            path.unlink(missing_ok=True)
            size -= file_size


def _is_kept(path: Path) -> bool:
    """Tell whether the cache has a file, and mark it as used, so that it stays for who is handed its path."""
    with contextlib.suppress(OSError):  # another process deleted it, or this one may only read
        if path.stat().st_mtime < time.time() - MARKED_S:
            os.utime(path)
    return path.is_file()


def _beside(audio_path: str, ending: str) -> str:
    return str(PurePosixPath(audio_path).with_suffix(ending))


def _most_bytes() -> float:
    try:
        return float(os.environ[CACHE_MB]) * 1e6
    except (KeyError, ValueError):
        return USUAL_MB * 1e6
