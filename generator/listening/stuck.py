"""Stuck loops: the same second or two again and again where the music should go on, a typical failure of MusicGen.

The levels of 32 mel bands are compared with those of one period before. Music that repeats a bar is played anew, on
other notes or with other strengths, and differs by several decibels; what is stuck differs by less than one, but for
its level as a whole. Music that stands still, such as a drone, differs little from any time before: its difference
after a period is compared with that after other lags, so that it is not blamed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..audio.checks import checked
from ..audio.measured_signal import SIGNAL_RATE
from ..audio.onsets import mel_filters
from ..audio.shaping import resample, to_mono
from ..audio.spectrum import spectra
from ..protocol import Audio
from .expected import Expected, Fault

__all__ = ["stuck"]


Floats = NDArray[np.float32]

SIZE, HOP, BANDS, TOGETHER = 2048, 512, 32, 4
RANGE_DB = 60.0
LEAST_PERIOD_S, MOST_PERIOD_S = 0.3, 4.2
SMOOTH_S = 1.0
"""The difference is averaged over this long."""
SAME_DB, SAME_SHARE = 1.0, 0.25
"""What is stuck differs by less than this, and by less than this share of the usual difference between two times."""
LEAST_STUCK_S, LEAST_TIMES = 5.0, 3.5
"""It is a fault from so many seconds and so many times on, the first time counted."""


def stuck(audio: Audio, expected: Expected) -> list[Fault]:
    """Return a fault where the music repeats a short stretch; none where it may repeat. Raises AudioError."""
    if expected.may_repeat or checked(audio).duration_s < LEAST_STUCK_S:
        return []
    levels = _levels_db(audio)
    frames_per_s = SIGNAL_RATE / HOP
    most = min(round(MOST_PERIOD_S * frames_per_s), len(levels) // 3)
    lags = range(round(LEAST_PERIOD_S * frames_per_s), most + 1)
    differences = [_difference(levels, lag) for lag in lags]
    if not differences:
        return []
    usual = float(np.median([one.mean() for one in differences]))
    same = min(SAME_DB, SAME_SHARE * usual)
    longest_s, period_s, start_s = 0.0, 0.0, 0.0
    for lag, difference in zip(lags, differences, strict=True):
        first, frames = _longest(_smooth(difference, round(SMOOTH_S * frames_per_s)) < same)
        # A second is lost to the smoothing; what is compared with one period before lasts a period more.
        seconds = (frames + round(SMOOTH_S * frames_per_s) - 1 + lag) / frames_per_s if frames else 0.0
        if seconds > longest_s + 0.5 * period_s and seconds * frames_per_s >= LEAST_TIMES * lag:
            longest_s, period_s, start_s = seconds, lag / frames_per_s, first / frames_per_s
    if longest_s < LEAST_STUCK_S:
        return []
    words = f"the same {period_s:.1f} s are repeated for {longest_s:.0f} s from {start_s:.0f} s on"
    return [Fault("stuck", words, min(1.0, longest_s / audio.duration_s))]


def _difference(levels: Floats, lag: int) -> Floats:
    """Return how far each frame is from the one `lag` before in dB, apart from a change of all bands alike."""
    change = levels[lag:] - levels[:-lag]
    return np.asarray(np.abs(change - change.mean(axis=1, keepdims=True)).mean(axis=1))


def _levels_db(audio: Audio) -> Floats:
    """Return the level of each band and frame in dB, shape (frames, 32)."""
    signal = resample(to_mono(audio), SIGNAL_RATE).samples[:, 0]
    window = np.hanning(SIZE).astype(np.float32)
    mel = mel_filters().T
    power = np.concatenate([(block.real**2 + block.imag**2) @ mel for block in spectra(signal, window, HOP)])
    bands = power.reshape(len(power), BANDS, TOGETHER).sum(axis=2)
    levels = 10.0 * np.log10(np.maximum(bands, np.float32(1e-10)))
    return np.asarray(np.maximum(levels, levels.max() - RANGE_DB), dtype=np.float32)


def _smooth(values: Floats, size: int) -> NDArray[np.float64]:
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    return np.asarray((sums[size:] - sums[:-size]) / size) if len(values) >= size else np.full(0, np.inf)


def _longest(flags: NDArray[np.bool_]) -> tuple[int, int]:
    """Return where the longest run of true values begins, and its length; 0 and 0 without any."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    if not len(edges):
        return 0, 0
    lengths = edges[1::2] - edges[::2]
    best = int(lengths.argmax())
    return int(edges[2 * best]), int(lengths[best])
