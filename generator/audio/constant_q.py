"""The twelve tones of a signal, from a constant-Q transform: filters three to a semitone, over seven octaves.

The transform is that of Schörkhuber and Klapuri (2010), "Constant-Q transform toolbox for music processing": one set of
filters hears the top octave, and each lower octave is the same filters on the signal at half the rate. The tones are
CENS, the chroma energy normalized statistics of Müller and Ewert (2011), "Chroma Toolbox". Computed as librosa 0.11
computes `feature.chroma_cens(hop_length=2048, tuning=0, win_len_smooth=None)`; docs/ANALYSIS.md says how near.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .measured_signal import SIGNAL_RATE
from .spectrum import spectra

__all__ = ["HOP", "cens_chroma"]


HOP = 2048
OCTAVES, BINS = 7, 36
"""Octaves from C1 up, and filters in each."""
C1_HZ = 440.0 * 2.0 ** (-45 / 12)
DROPPED = 0.01
"""Share of a filter's spectrum that is left out, its smallest values."""
STEPS = (0.4, 0.2, 0.1, 0.05)
"""Shares of a frame's energy; a tone counts one for each that it exceeds."""

Array = NDArray[np.float32]


def cens_chroma(signal: Array) -> Array:
    """Return how much each of the twelve tones is there in each frame, C first, shape (frames, 12).

    `signal` is mono at `SIGNAL_RATE`. A frame has unit length, or is 0 where it is silent.
    """
    energy = _tones(signal)
    share = _scaled(energy, energy.sum(axis=1, keepdims=True))
    steps: Array = np.sum([share > step for step in STEPS], axis=0, dtype=np.float32)
    return _scaled(steps, np.linalg.norm(steps, axis=1, keepdims=True))


def _tones(signal: Array) -> Array:
    """Return the magnitudes of the transform, added up by tone, shape (frames, 12)."""
    import soxr

    filters, length = _filters()
    window = np.ones(2 * (filters.shape[0] - 1), np.float32)
    octaves, hop = [], HOP
    for _ in range(OCTAVES):
        octaves.append(np.concatenate([np.abs(block @ filters) for block in spectra(signal, window, hop)]))
        # At half the rate the filters hear the next lower octave; the factor keeps its energy.
        half = soxr.resample(signal, 2, 1, quality="HQ")
        half = np.pad(half, (0, max(0, math.ceil(len(signal) / 2) - len(half))))
        signal, hop = half[: math.ceil(len(signal) / 2)] * np.float32(math.sqrt(2.0)), hop // 2
    frames = min(map(len, octaves))
    bins = np.sum([octave[:frames] for octave in octaves], axis=0) / np.sqrt(length).astype(np.float32)
    # A tone is its own filter with one on each side.
    tones: Array = np.roll(bins, 1, axis=1).reshape(frames, 12, BINS // 12).sum(axis=2)
    return tones


@functools.cache
def _filters() -> tuple[NDArray[np.complex64], NDArray[np.float64]]:
    """Return the spectra of the top octave's filters, shape (size // 2 + 1, BINS), and their lengths in samples."""
    hz = C1_HZ * 2.0 ** (OCTAVES - 1 + np.arange(BINS) / BINS)
    step = 2.0 ** (2 / BINS)
    length = (step + 1) / (step - 1) * SIGNAL_RATE / hz
    size = 2 ** math.ceil(math.log2(length.max()))
    filters = np.zeros((BINS, size), np.complex64)
    for row, centre, samples in zip(filters, hz, length, strict=True):
        times = np.arange(-samples // 2, samples // 2)
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(len(times)) / len(times))
        start = (size - len(times)) // 2
        wave = window * np.exp(2j * np.pi * centre / SIGNAL_RATE * times)
        row[start : start + len(times)] = wave / window.sum() * samples / size
    spectrum = np.fft.fft(filters, axis=1)[:, : size // 2 + 1]
    magnitude = np.sort(np.abs(spectrum), axis=1)
    share = np.cumsum(magnitude, axis=1) / magnitude.sum(axis=1, keepdims=True)
    least = np.take_along_axis(magnitude, np.argmin(share < DROPPED, axis=1)[:, None], axis=1)
    kept = np.where(np.abs(spectrum) >= least, spectrum, 0).astype(np.complex64)
    return np.ascontiguousarray(kept.T), length


def _scaled(values: Array, length: NDArray[Any]) -> Array:
    """Return the rows of `values` divided by `length`, shape (frames, 1); rows of no length stay as they are."""
    scaled = values / np.where(length < np.finfo(np.float32).tiny, 1, length)
    return scaled.astype(np.float32, copy=False)
