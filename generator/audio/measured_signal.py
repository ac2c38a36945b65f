"""The signal that measurements are made on: mono, 22,050 Hz, at most 45 s from the middle."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..protocol import Audio
from .checks import checked
from .shaping import resample, to_mono

__all__ = ["SIGNAL_RATE", "measured_signal"]


SIGNAL_RATE = 22_050
MAX_S = 45.0
SILENCE_RMS = 10.0 ** (-70 / 20)


def measured_signal(audio: Audio, min_s: float) -> NDArray[np.float32] | None:
    """Return the signal, shape (frames,); None for silence and for audio shorter than `min_s` seconds.

    Raises AudioError for samples that are not finite.
    """
    if checked(audio).duration_s < min_s:
        return None
    excess = max(0, len(audio.samples) - round(MAX_S * audio.sample_rate))
    samples = audio.samples[excess // 2 : len(audio.samples) - (excess - excess // 2)]
    middle = Audio(samples, audio.sample_rate)
    signal: NDArray[np.float32] = resample(to_mono(middle), SIGNAL_RATE).samples[:, 0]
    return signal if math.sqrt(float(np.mean(np.square(signal)))) > SILENCE_RMS else None
