"""The spectrum of a track in letters, for a terminal."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from ..generator.protocol import Audio

__all__ = ["spectrum_lines"]

SHADES = " ░▒▓█"
BANDS_HZ = (40.0, 125.0, 400.0, 1250.0, 4000.0, 16_000.0)
"""The edges of the lines, from below."""
RANGE_DB = 50.0
FRAME = 2048


def spectrum_lines(audio: Audio, width: int) -> list[str]:
    """Return a line for each band, the highest first, with `width` letters from the start to the end.

    The fuller a letter, the louder; the loudest band of the track is full, and what is 50 dB softer is empty.
    """
    signal = audio.samples.mean(axis=1)
    power = np.stack([_bands(part, audio.sample_rate) for part in np.array_split(signal, width)], axis=1)
    loudest = float(power.max())
    if loudest <= 0.0:
        return [SHADES[0] * width] * len(power)
    level = 1.0 + 10.0 * np.log10(np.maximum(power / loudest, 1e-12)) / RANGE_DB
    shades = np.clip(np.rint(level * (len(SHADES) - 1)), 0, len(SHADES) - 1).astype(int)
    return ["".join(SHADES[shade] for shade in line) for line in shades[::-1]]


def _bands(signal: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """Return the mean power of each band in `signal`, by a few frames of it."""
    if len(signal) < FRAME:
        signal = np.pad(signal, ((FRAME - len(signal)) // 2, (FRAME - len(signal) + 1) // 2))
    starts = np.linspace(0, len(signal) - FRAME, max(1, min(8, len(signal) // FRAME))).astype(int)
    frames = np.stack([signal[start : start + FRAME] for start in starts]) * np.hanning(FRAME)
    power = np.square(np.abs(np.fft.rfft(frames, axis=1))).mean(axis=0)
    hz = np.fft.rfftfreq(FRAME, 1.0 / rate)
    return np.array([power[(hz >= low) & (hz < high)].sum() for low, high in itertools.pairwise(BANDS_HZ)])
