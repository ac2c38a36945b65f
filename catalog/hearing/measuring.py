"""Measure the samples of a track: the facts that are kept with it."""

from __future__ import annotations

from ..generator.audio.measured_signal import SIGNAL_RATE, measured_signal
from ..generator.listening.facts import MIN_S, loudness_range_lu, sound_facts
from ..generator.protocol import Audio
from ..models import Measured

__all__ = ["measured"]


def measured(audio: Audio, *, range_lu: float | None = None) -> Measured | None:
    """Return what is measured of `audio`; None for silence and under 1 s.

    `range_lu` is the loudness range where it is known already. Raises AudioError for samples that are not finite.
    """
    signal = measured_signal(audio, MIN_S)
    if signal is None:
        return None
    facts = sound_facts(Audio(signal[:, None], SIGNAL_RATE))
    if facts is None:
        return None
    found = loudness_range_lu(audio) if range_lu is None else range_lu
    return Measured(
        loudness_range_lu=None if found is None else round(found, 1),
        brightness_hz=round(facts.brightness_hz, 1),
        density_per_s=round(facts.density_per_s, 2),
        percussiveness=round(facts.percussiveness, 4),
    )
