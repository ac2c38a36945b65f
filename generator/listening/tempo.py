"""A tempo far from the one that was asked for, octaves and other simple ratios allowed.

The measured tempo alone would blame much that is right: it may be the double, or one and a half, and between two
such readings a listener could not decide either. So the pulse is looked up at the asked tempo: music in that tempo
repeats well after one or two of its beats, whichever of them is counted as the beat. Two beats of a third more may be
one and a half of the music's own, and two of a fifth less two and a half. Then the music does not repeat after one of
them, and better after one of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..audio import onsets
from ..audio.measured_signal import SIGNAL_RATE, measured_signal
from ..protocol import Audio
from .expected import Expected, Fault

__all__ = ["tempo"]


MIN_S = 8.0
FRAMES_PER_MINUTE = 60.0 * SIGNAL_RATE / onsets.HOP
SLOWEST_BPM, FASTEST_BPM = 40.0, 200.0
CLEAR = 0.45
"""Least autocorrelation of a pulse that is told at all; 1 is exact repetition."""
WEAKER = 0.6
"""At the asked tempo the pulse is fainter than this share of the clearest one."""
OWN_BEATS = (4 / 3, 4 / 5)
"""How many beats of the asked tempo one of the music's is, where that tempo is a third more or a fifth less."""
BETTER = 1.05
"""How much better music repeats after its own beat; triplets repeat after 4/3 of a beat as well as after two."""
TOLERANCE = 0.02


def tempo(audio: Audio, expected: Expected) -> list[Fault]:
    """Return a fault where the music has a clear pulse, and none at the asked tempo. Raises AudioError."""
    signal = measured_signal(audio, MIN_S) if expected.tempo_bpm else None
    if signal is None or expected.tempo_bpm is None:
        return []
    repeats = _autocorrelation(onsets.onset_strength(signal))
    lags = np.arange(int(FRAMES_PER_MINUTE / FASTEST_BPM), int(FRAMES_PER_MINUTE / SLOWEST_BPM) + 1)
    lag = int(lags[np.argmax(repeats[lags])])
    beat = FRAMES_PER_MINUTE / expected.tempo_bpm
    one, two = (_best_near(repeats, beats * beat) for beats in (1.0, 2.0))
    own = max(_best_near(repeats, beats * beat) for beats in OWN_BEATS)
    least = WEAKER * repeats[lag]
    if repeats[lag] < CLEAR or one >= least or (two >= least and own <= BETTER * two):
        return []
    heard_bpm = FRAMES_PER_MINUTE / lag
    words = f"its pulse is {heard_bpm:.0f} a minute and {expected.tempo_bpm:.0f} was asked for"
    return [Fault("tempo", words, 0.3)]


def _best_near(repeats: NDArray[np.float64], lag: float) -> float:
    low, high = int(lag * (1 - TOLERANCE)), int(np.ceil(lag * (1 + TOLERANCE))) + 1
    near = repeats[low:high]
    return float(near.max()) if near.size else 0.0


def _autocorrelation(strength: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how well `strength` repeats after each lag in frames; 1 at lag 0."""
    spectrum = np.fft.rfft(strength - strength.mean(dtype=np.float64), 2 * len(strength))
    repeats = np.fft.irfft(spectrum.real**2 + spectrum.imag**2)[: len(strength)]
    return np.asarray(repeats / max(float(repeats[0]), 1e-12))
