"""How stored tracks sound: read from the table, or worked out from the audio file where it is not there yet."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from generator import AudioError, audio
from generator.audio import timbre

from ..errors import CatalogError, InputError, StorageError
from ..models import Track
from .store import Store

__all__ = ["listen", "sound_of"]


_log = logging.getLogger(__name__)

_TOGETHER = 50
"""Sounds written in one commit."""


def sound_of(store: Store, track: Track) -> NDArray[np.float32]:
    """Return how `track` sounds, and keep it where it was not known.

    Raises InputError for a track that is silent or too short, Damage for audio that cannot be read.
    """
    known = store.tracks.sound_of(track.id)
    if known is not None:
        return known
    heard = _heard(store, track)
    if heard is None:
        raise InputError(f"track {track.id} is silent or too short to be compared by sound; use by text")
    try:
        store.tracks.put_sounds({track.id: heard})
    except StorageError as error:
        _log.warning(
            "how track %s sounds was not kept: %s", track.id, error
        )  # a read-only catalog still compares
    return heard


def listen(store: Store, tracks: Sequence[Track]) -> int:
    """Work out how `tracks` sound and keep it; return of how many it is known now."""
    count = 0
    for start in range(0, len(tracks), _TOGETHER):
        heard = {}
        for track in tracks[start : start + _TOGETHER]:
            try:
                vector = _heard(store, track)
            except CatalogError as error:
                _log.warning("track %s cannot be heard: %s", track.id, error)
                continue
            if vector is not None:
                heard[track.id] = vector
        store.tracks.put_sounds(heard)
        count += len(heard)
    return count


def _heard(store: Store, track: Track) -> NDArray[np.float32] | None:
    try:
        return timbre.sound_vector(audio.read(store.audio.path_of(track)))
    except AudioError as error:
        raise StorageError(f"{error}; run `catalog doctor --deep`") from error
