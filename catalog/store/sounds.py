"""How stored tracks sound: read from their rows, or measured from the audio where the row does not have it yet."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import CatalogError, InputError, StorageError
from ..generator import AudioError, audio
from ..generator.audio import timbre
from ..models import Track
from .store import Store

__all__ = ["measure_sounds", "sound_of"]


_log = logging.getLogger(__name__)

MOST_S = 36_000.0
"""Tracks are the catalog's own files; what they hold was bounded when they were stored."""
_BATCH = 50
"""Sounds written in one commit."""


def sound_of(store: Store, track: Track) -> NDArray[np.float32]:
    """Return how `track` sounds; where that is not in its row yet, measure it and keep it there.

    Raises InputError for a track that is silent or too short, StorageError for audio that cannot be read.
    """
    stored = store.tracks.sound_of(track.id)
    if stored is not None:
        return stored
    sound = _measured(store, track)
    if sound is None:
        raise InputError(f"track {track.id} is silent or too short to be compared by sound; use by text")
    try:
        store.tracks.put_sounds({track.id: sound})
    except StorageError as error:
        # In a read-only catalog the track can be compared all the same.
        _log.warning("how track %s sounds was not kept: %s", track.id, error)
    return sound


def measure_sounds(store: Store, tracks: Sequence[Track]) -> int:
    """Measure how `tracks` sound and keep it in their rows; return how many have a sound now."""
    count = 0
    for start in range(0, len(tracks), _BATCH):
        sounds = {}
        for track in tracks[start : start + _BATCH]:
            try:
                sound = _measured(store, track)
            except CatalogError as error:
                _log.warning("the sound of track %s cannot be measured: %s", track.id, error)
                continue
            if sound is not None:
                sounds[track.id] = sound
        store.tracks.put_sounds(sounds)
        count += len(sounds)
    return count


def _measured(store: Store, track: Track) -> NDArray[np.float32] | None:
    try:
        return timbre.sound_vector(
            audio.read(store.audio.verified_path(track), max_bytes=track.audio_bytes, max_duration_s=MOST_S)
        )
    except AudioError as error:
        raise StorageError(f"{error}; run `catalog doctor --deep`") from error
