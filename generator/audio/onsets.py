"""How strongly sounds begin, moment by moment: the spectral flux of SuperFlux over mel bands.

Böck and Widmer (2013), "Maximum filter vibrato suppression for onset detection", DAFx-13. Computed as librosa 0.11
computes `onset.onset_strength(hop_length=256, lag=2, max_size=3)`; docs/ANALYSIS.md says how near.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from .measured_signal import SIGNAL_RATE
from .spectrum import spectra

__all__ = ["HOP", "onset_strength"]


SIZE, HOP = 2048, 256
BANDS = 128
RANGE_DB = 80.0
"""Levels further than this under the loudest are cut off."""
LAG = 2
"""Frames between the two levels that are compared."""

LINEAR_HZ, LINEAR_MELS = 1000.0, 15.0
LOG_STEP = np.log(6.4) / 27.0
"""The mel scale of Slaney (1998, "Auditory Toolbox"): 15 mels up to 1000 Hz, and 27 for each factor of 6.4 above."""

Array = NDArray[np.float32]


def onset_strength(signal: Array) -> Array:
    """Return the mean rise of level in dB over the mel bands, one value each `HOP` samples, float32.

    `signal` is mono at `SIGNAL_RATE`. The level of a band is compared with the loudest of it and its two neighbours two
    frames before, so that a vibrato is no onset. Values are late by the lag and half a frame; the first ones are 0.
    """
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(SIZE) / SIZE)).astype(np.float32)
    mel = mel_filters().T
    power = np.concatenate([(block.real**2 + block.imag**2) @ mel for block in spectra(signal, window, HOP)])
    level = 10.0 * np.log10(np.maximum(power, np.float32(1e-10)))
    level = np.maximum(level, level.max() - np.float32(RANGE_DB))
    around = level.copy()
    np.maximum(around[:, 1:], level[:, :-1], out=around[:, 1:])
    np.maximum(around[:, :-1], level[:, 1:], out=around[:, :-1])
    rise = np.maximum(level[LAG:] - around[:-LAG], 0.0).mean(axis=1)
    strength: Array = np.pad(rise, (LAG + SIZE // (2 * HOP), 0))[: len(level)]
    return strength


@functools.cache
def mel_filters() -> Array:
    """Return triangles of equal area up to half the rate, evenly spaced in mels, shape (BANDS, SIZE // 2 + 1)."""
    top = LINEAR_MELS + np.log(SIGNAL_RATE / 2 / LINEAR_HZ) / LOG_STEP
    edges = _hertz(np.linspace(0.0, top, BANDS + 2))
    hz = np.fft.rfftfreq(SIZE, 1.0 / SIGNAL_RATE)
    rising = (hz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - hz) / np.diff(edges)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    filters: Array = (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)
    return filters


def _hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    above = LINEAR_HZ * np.exp(LOG_STEP * (mels - LINEAR_MELS))
    return np.where(mels < LINEAR_MELS, mels * (LINEAR_HZ / LINEAR_MELS), above)
