"""What is measured in the samples of stored tracks, for those that were stored before it was measured."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ...errors import CatalogError
from ...generator import AudioError, Progress, audio
from ...hearing.measuring import measured
from ...models import Measured, Track
from ..store import Store

__all__ = ["measure_facts"]

_log = logging.getLogger(__name__)

BATCH = 50
"""Tracks written in one commit."""


def measure_facts(store: Store, tracks: Sequence[Track], on_progress: Progress | None = None) -> int:
    """Measure the samples of `tracks` and keep the facts in their rows; return how many have them now.

    Tracks whose audio cannot be read are passed over with a warning. `on_track` gets the number of tracks done.
    """
    count = 0
    for start in range(0, len(tracks), BATCH):
        found: dict[str, Measured] = {}
        for number, track in enumerate(tracks[start : start + BATCH], start + 1):
            if on_progress is not None:
                on_progress(number, len(tracks))
            try:
                sound = audio.read(store.audio.verified_path(track))
                facts = measured(sound, tempo_bpm=track.tempo_bpm, musical_key=track.musical_key)
            except (AudioError, CatalogError) as error:
                _log.warning("track %s cannot be measured: %s", track.id, error)
                continue
            if facts is not None:
                found[track.id] = facts
        store.tracks.put_measured(found)
        count += len(found)
    return count
