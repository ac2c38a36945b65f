"""Audio of a home that was altered or lost, brought back from a backup."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..disk.files import storing
from ..store.audit import set_aside
from ..store.store import Store
from .objects import Objects, Stored

__all__ = ["bring_back_audio"]


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
