"""The beat as loops and seams need it: band levels every 8 ms, onsets in them, and the period of the pulse.

`analysis.tempo_bpm` measures the tempo that is stored with a track and is wrong less often (docs/ANALYSIS.md). The beat
here shares its hops with the seam meter, which needs the onsets themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FRAME_S",
    "HOPS",
    "RANGE_DB",
    "Beat",
    "band_levels",
    "find_beat",
    "hop_frames",
    "onset_strength",
    "refine_peak",
]


Floats = NDArray[np.float64]

FRAME_S = 0.032
HOPS = 4
"""Hops in a frame: frames overlap by three quarters."""
BANDS = 40
LOW_HZ = 40.0
RANGE_DB = 60.0
"""Levels further than this under the loudest band are cut off: nobody hears them beside it."""
BLOCK_HOPS = 512
MIN_BEAT_S, MAX_BEAT_S = 1 / 3, 1.5
USUAL_BEAT_S = 60 / 115
BEAT_SPREAD = 0.9
"""Standard deviation of beats around the usual one, in octaves."""
MIN_PULSE = 0.3
"""Least autocorrelation of the onsets at the beat, where 1 is exact repetition."""


@dataclass(frozen=True)
class Beat:
    """A pulse: its period, and how regular it is (autocorrelation of the onsets, 1 for exact repetition)."""

    period_s: float
    strength: float


def hop_frames(rate: int) -> int:
    """Return the samples from one frame to the next, about 8 ms."""
    return max(8, round(FRAME_S * rate / HOPS))


def band_levels(samples: NDArray[np.float32], rate: int) -> Floats:
    """Return the level in dB of each frame in up to 40 bands, shape (hops, bands), from samples (frames, channels)."""
    hop = hop_frames(rate)
    size = HOPS * hop
    count = max(0, (len(samples) - size) // hop + 1)
    window = np.hanning(size).astype(np.float32)
    edges = np.geomspace(LOW_HZ, rate / 2, BANDS + 1) * size / rate
    starts = np.unique(np.clip(np.round(edges[:-1]).astype(int), 1, size // 2))
    powers = np.empty((count, len(starts)))
    views = np.lib.stride_tricks.sliding_window_view(samples, size, axis=0)[::hop]
    for low in range(0, count, BLOCK_HOPS):  # in blocks, so that memory does not grow with length
        spectra = np.fft.rfft(views[low : low + BLOCK_HOPS] * window, axis=-1)
        power = (spectra.real**2 + spectra.imag**2).sum(axis=1)
        powers[low : low + BLOCK_HOPS] = np.add.reduceat(power[:, : size // 2 + 1], starts, axis=1)
    floor = max(float(powers.max(initial=0.0)) * 10 ** (-RANGE_DB / 10), 1e-12)
    levels: Floats = 10 * np.log10(powers + floor)
    return levels


def onset_strength(levels: Floats) -> Floats:
    """Return by how many dB the bands rise at each hop, on the average, shape (hops,)."""
    strength = np.zeros(len(levels))
    # Frames HOPS apart share no sample, so a rise is a new sound and not the same one in another window.
    strength[HOPS:] = np.maximum(levels[HOPS:] - levels[:-HOPS], 0.0).mean(axis=1)
    return strength


def find_beat(strength: Floats, hop_s: float) -> Beat | None:
    """Return the pulse in the onset strength, or None where none is regular enough."""
    centred = strength - strength.mean()
    size = 1 << int(np.ceil(np.log2(max(2 * len(centred), 2))))
    spectrum = np.fft.rfft(centred, size)
    raw = np.fft.irfft(spectrum * spectrum.conj(), size)[: len(centred)]
    if raw[0] <= 1e-9:
        return None
    low, high = int(MIN_BEAT_S / hop_s), min(int(MAX_BEAT_S / hop_s) + 1, len(centred) // 3)
    if high - low < 3:
        return None
    lags = np.arange(low, high)
    # Long lags have fewer terms in their sum; without the division short beats would win.
    repeats = raw[low:high] / raw[0] * len(centred) / (len(centred) - lags)
    # Half a beat and two beats repeat as well; the one nearest to 115 beats a minute is the pulse.
    nearness = np.exp(-0.5 * (np.log2(lags * hop_s / USUAL_BEAT_S) / BEAT_SPREAD) ** 2)
    best = int(np.argmax(repeats * nearness))
    if repeats[best] < MIN_PULSE:
        return None
    return Beat((low + refine_peak(repeats, best)) * hop_s, float(repeats[best]))


def refine_peak(values: NDArray[Any], at: int) -> float:
    """Return where the parabola through the values around `at` is highest, at most half a step from `at`."""
    if not 0 < at < len(values) - 1:
        return float(at)
    before, here, after = (float(values[at + step]) for step in (-1, 0, 1))
    bend = before - 2 * here + after
    return at + min(0.5, max(-0.5, 0.5 * (before - after) / bend)) if bend < 0 else float(at)
