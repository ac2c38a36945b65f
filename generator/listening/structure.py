"""The structure of a piece: its beats and its sections."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..audio.checks import checked
from ..audio.measured_signal import SIGNAL_RATE, SILENCE_RMS
from ..audio.shaping import resample, to_mono
from ..protocol import Audio
from .beats import beat_times
from .sections import Section, find_sections

__all__ = ["MIN_S", "VERSION", "Structure", "structure_of"]

VERSION = 1
"""Count it up when a change here or in beats and sections gives other answers: what is kept is then measured anew."""
MIN_S = 4.0
"""The shortest audio that has beats and sections, as for `audio.analysis`."""


@dataclass(frozen=True)
class Structure:
    """Beats and sections of a piece, in seconds from its start."""

    beats: tuple[float, ...]
    """Empty where there is no pulse."""
    sections: tuple[Section, ...]
    """From start to end; empty for silence and for less than `MIN_S`."""


def structure_of(audio: Audio, tempo_bpm: float | None) -> Structure:
    """Return beats and sections of `audio`, the whole of it; no beats where its tempo is None.

    Raises AudioError for samples that are not finite.
    """
    if checked(audio).duration_s < MIN_S:
        return Structure((), ())
    signal = resample(to_mono(audio), SIGNAL_RATE).samples[:, 0]
    if math.sqrt(float(np.mean(np.square(signal)))) <= SILENCE_RMS:
        return Structure((), ())
    beats = () if tempo_bpm is None else tuple(beat_times(signal, tempo_bpm).round(3).tolist())
    return Structure(beats, find_sections(signal))
