"""Measure the samples of a track: the facts that are kept with it, and the brief that they suggest."""

from __future__ import annotations

import logging

from ..errors import CatalogError
from ..generator.audio import timbre
from ..generator.audio.measured_signal import SIGNAL_RATE, measured_signal
from ..generator.listening.facts import MIN_S, SoundFacts, loudness_range_lu, sound_facts
from ..generator.protocol import Audio
from ..models import Measured, Suggested
from .model import features, load

__all__ = ["SHORTEST_S", "measured"]

_log = logging.getLogger(__name__)

SHORTEST_S = 4.0
"""The shortest sound that suggests a style; tempo and key need as much."""


def measured(
    audio: Audio, *, tempo_bpm: float | None, musical_key: str | None, range_lu: float | None = None
) -> Measured | None:
    """Return what is measured of `audio`, whose tempo and key are known; None for silence and under 1 s.

    `range_lu` is the loudness range where it is known already. Raises AudioError for samples that are not finite.
    """
    signal = measured_signal(audio, MIN_S)
    if signal is None:
        return None
    middle = Audio(signal[:, None], SIGNAL_RATE)
    facts = sound_facts(middle)
    if facts is None:
        return None
    found = loudness_range_lu(audio) if range_lu is None else range_lu
    return Measured(
        loudness_range_lu=None if found is None else round(found, 1),
        brightness_hz=round(facts.brightness_hz, 1),
        density_per_s=round(facts.density_per_s, 2),
        percussiveness=round(facts.percussiveness, 4),
        suggests=_suggested(middle, facts, tempo_bpm, musical_key),
    )


def _suggested(
    middle: Audio, facts: SoundFacts, tempo_bpm: float | None, musical_key: str | None
) -> Suggested | None:
    """Return the brief that the facts suggest; None for too short a sound, and where the model cannot be read."""
    raw = timbre.raw_features(middle) if middle.duration_s >= SHORTEST_S else None
    if raw is None:
        return None
    try:
        model = load()
    except CatalogError as error:
        _log.warning("measured facts suggest nothing: %s", error)
        return None
    return model.suggest(features(raw, facts, tempo_bpm, musical_key))
