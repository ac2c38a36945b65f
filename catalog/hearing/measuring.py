"""Measure the samples of a track: the facts that are kept with it, and the brief that they suggest."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import CatalogError
from ..generator.audio import analysis, onsets, timbre
from ..generator.audio.measured_signal import SIGNAL_RATE, measured_signal
from ..generator.listening.facts import MIN_S, SoundFacts, facts_of, loudness_range_lu
from ..generator.protocol import Audio
from ..models import Measured, Suggested
from .model import features, load

__all__ = ["SHORTEST_S", "Analysis", "analysed", "measured"]

_log = logging.getLogger(__name__)

SHORTEST_S = 4.0
"""The shortest sound that suggests a style; tempo and key need as much."""


class Analysis(NamedTuple):
    """All that is measured of a piece beside its levels."""

    tempo_bpm: float | None
    musical_key: str | None
    facts: Measured | None
    sound: NDArray[np.float32] | None
    """How it sounds, as `timbre.sound_vector` gives it."""


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
    raw = timbre.raw_features(middle) if middle.duration_s >= SHORTEST_S else None
    facts = facts_of(signal, onsets.onset_strength(signal))
    found = loudness_range_lu(audio) if range_lu is None else range_lu
    return _measured(facts, found, _suggested(raw, facts, tempo_bpm, musical_key))


def analysed(audio: Audio) -> Analysis | None:
    """Return all that is measured of `audio` but its loudness range; None for silence and under 0.5 s.

    The same as each measurement gives alone, where what several of them need is worked out once. Raises AudioError.
    """
    signal = measured_signal(audio, timbre.MIN_S)
    if signal is None:
        return None
    middle = Audio(signal[:, None], SIGNAL_RATE)
    seconds, strength, raw = middle.duration_s, onsets.onset_strength(signal), timbre.raw_features(middle)
    tempo = analysis.tempo_of(strength) if seconds >= analysis.MIN_S else None
    key, found = analysis.musical_key(middle), None
    if seconds >= MIN_S:
        facts = facts_of(signal, strength)
        suggested = _suggested(raw if seconds >= SHORTEST_S else None, facts, tempo, key)
        found = _measured(facts, None, suggested)
    return Analysis(tempo, key, found, None if raw is None else timbre.vector_of(raw))


def _measured(facts: SoundFacts, range_lu: float | None, suggested: Suggested | None) -> Measured:
    return Measured(
        loudness_range_lu=None if range_lu is None else round(range_lu, 1),
        brightness_hz=round(facts.brightness_hz, 1),
        density_per_s=round(facts.density_per_s, 2),
        percussiveness=round(facts.percussiveness, 4),
        suggests=suggested,
    )


def _suggested(
    raw: NDArray[np.float64] | None, facts: SoundFacts, tempo_bpm: float | None, musical_key: str | None
) -> Suggested | None:
    """Return the brief that features and facts suggest; None without features, and where the model cannot be read."""
    if raw is None:
        return None
    try:
        model = load()
    except CatalogError as error:
        _log.warning("measured facts suggest nothing: %s", error)
        return None
    return model.suggest(features(raw, facts, tempo_bpm, musical_key))
