"""Files of a home that were altered or lost, brought back from a backup."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..collections.files import collection_in
from ..disk.files import storing, write_file
from ..errors import Damage, InputError, NotFound
from ..store.audit import set_aside
from ..store.store import Store
from .objects import Objects, Stored
from .snapshots import named, snapshot_names

__all__ = ["bring_back_audio", "bring_back_collection"]


def bring_back_audio(store: Store, folder: str | Path, track_id: str) -> bool:
    """Write the audio of a track anew from the backup in `folder`; return False where that does not have it whole.

    A file that was altered moves to `lost/`. Raises Damage for an altered row, StorageError where the disk refuses.
    """
    track = store.tracks.get(track_id)
    if track is None:
        return False
    stored = Stored(track.audio_sha256, track.audio_bytes)
    with storing(f"the audio of track {track_id} cannot be brought back from {folder}"):
        try:
            data = Objects(Path(folder).expanduser().absolute()).path(stored).read_bytes()
        except FileNotFoundError:
            return False
        if hashlib.sha256(data).hexdigest() != stored.sha256:
            return False
        path = store.audio.path_of(track)
        if path.exists():
            set_aside(store.home, track.audio_path)
        store.audio.put(data, suffix=path.suffix)
    return True


def bring_back_collection(home: Path, folder: str | Path, relative: str) -> str | None:
    """Write the file of a collection anew from the newest snapshot in `folder` that has it whole.

    Return the name of that snapshot, None without one. An altered file moves to `lost/`. Raises StorageError where
    the disk refuses.
    """
    backup = Path(folder).expanduser().absolute()
    try:
        names = snapshot_names(backup)
    except NotFound:
        return None
    with storing(f"{relative} cannot be brought back from {folder}"):
        for name in names:
            if (data := _collection_of(backup, name, relative)) is not None:
                set_aside(home, relative)
                write_file(home / relative, data, point="collection")
                return name
    return None


def _collection_of(backup: Path, name: str, relative: str) -> bytes | None:
    """Return the file of a collection as a snapshot has it, None where it does not have it whole."""
    try:
        stored = named(backup, name).others.get(relative)
        if stored is None:
            return None
        data = Objects(backup).path(stored).read_bytes()
        collection_in(data, relative)
    except (Damage, FileNotFoundError, InputError):
        return None
    return data
