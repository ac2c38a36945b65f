"""Loudness and true peak of long audio, block by block: what `generator.audio.loudness` measures all at once."""

from __future__ import annotations

import functools
import heapq
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..generator.listening.facts import range_of_steps_lu

__all__ = ["LevelMeter"]


Samples = NDArray[np.float32]

STEP_S = 0.1
"""The gating blocks of BS.1770 are 0.4 s long and begin every 0.1 s."""
STEPS_A_BLOCK = 4
ABSOLUTE_GATE_LUFS, RELATIVE_GATE_LU = -70.0, -10.0
OFFSET_LUFS = -0.691
OVERSAMPLING = 4
FFT, TAPS = 16_384, 3_584
"""What is new in a transform is four steps of 0.1 s at 32 kHz, so that blocks of whole seconds waste none."""
PEAK_STEPS = 48
"""The true peak is looked for in so many steps of 0.1 s, those with the highest samples."""


class LevelMeter:
    """Integrated loudness (ITU-R BS.1770-4) and true peak of blocks of samples at one rate."""

    def __init__(self, rate: int, channels: int) -> None:
        self._rate = rate
        self._step = round(STEP_S * rate)
        self._response = _k_weighting(rate)
        self._before = np.zeros((channels, TAPS), np.float32)
        self._rest = np.zeros((0, channels), np.float32)
        self._energies: list[NDArray[np.float64]] = []
        self._loudest: list[tuple[float, int, Samples]] = []
        self._count = 0

    def add(self, block: Samples) -> None:
        """Measure the next block, shape (frames, channels)."""
        joined = np.concatenate([self._rest, block])
        whole = len(joined) // self._step * self._step
        self._rest = joined[whole:].copy()
        if whole:
            self._measure(joined[:whole])

    def loudness_lufs(self) -> float | None:
        """Return the integrated loudness; None where all blocks lie under the gate, or there is none."""
        steps = np.concatenate(self._energies) if self._energies else np.zeros(0)
        if not len(steps):
            return None
        size = min(STEPS_A_BLOCK, len(steps))
        power = np.convolve(steps, np.ones(size) / size, "valid")
        loud = power[_lufs(power) > ABSOLUTE_GATE_LUFS]
        if not len(loud):
            return None
        gated = loud[_lufs(loud) > _lufs(np.array([loud.mean()]))[0] + RELATIVE_GATE_LU]
        return float(_lufs(np.array([gated.mean()]))[0]) if len(gated) else None

    def loudness_range_lu(self) -> float | None:
        """Return how far soft and loud parts lie apart (EBU Tech 3342); None for silence and under 3 s."""
        found = range_of_steps_lu(np.concatenate(self._energies)) if self._energies else None
        return None if found is None else round(found, 1)

    def true_peak_db(self) -> float | None:
        """Return the true peak in dBTP by four times oversampling; None for silence."""
        import soxr

        if len(self._rest):
            self._keep_loudest(float(np.abs(self._rest).max()), self._rest)
        peak = 0.0
        for highest, _, part in self._loudest:
            dense = soxr.resample(part, self._rate, OVERSAMPLING * self._rate, quality="HQ")
            peak = max(peak, highest, float(np.abs(dense).max(initial=0.0)))
        return 20.0 * math.log10(peak) if peak > 0 else None

    def _measure(self, samples: Samples) -> None:
        weighted = self._weighted(samples)
        squared = np.einsum("cf,cf->f", weighted, weighted)
        self._energies.append(squared.reshape(-1, self._step).mean(axis=1, dtype=np.float64))
        steps = samples.reshape(-1, self._step, samples.shape[1])
        flat = samples.reshape(len(steps), -1)
        highest = np.maximum(flat.max(axis=1), -flat.min(axis=1))
        for place in np.argsort(-highest)[:PEAK_STEPS].tolist():
            self._keep_loudest(float(highest[place]), steps[place])

    def _weighted(self, samples: Samples) -> Samples:
        """Return the next samples with the weighting of BS.1770, shape (channels, frames), by overlap and save."""
        import scipy.fft

        hop = FFT - TAPS
        turned = np.concatenate([self._before, samples.T], axis=1)
        self._before = turned[:, -TAPS:].copy()
        count = -(-len(samples) // hop)
        padded = np.pad(turned, ((0, 0), (0, count * hop + TAPS - turned.shape[1])))
        frames = np.lib.stride_tricks.sliding_window_view(padded, FFT, axis=1)[:, ::hop]
        made = scipy.fft.irfft(scipy.fft.rfft(frames, axis=-1) * self._response, FFT, axis=-1)
        weighted: Samples = made[:, :, TAPS:].reshape(len(turned), -1)[:, : len(samples)]
        return weighted

    def _keep_loudest(self, highest: float, part: Samples) -> None:
        self._count += 1
        if len(self._loudest) < PEAK_STEPS:
            heapq.heappush(self._loudest, (highest, self._count, part.copy()))
        elif highest > self._loudest[0][0]:
            heapq.heapreplace(self._loudest, (highest, self._count, part.copy()))


def _lufs(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return OFFSET_LUFS + 10.0 * np.log10(np.maximum(power, 1e-20))


@functools.cache
def _k_weighting(rate: int) -> NDArray[np.complex64]:
    """Return the spectrum of the two filters of BS.1770 one after the other, those of pyloudnorm.

    They ring for less than `TAPS` samples: the slower one has lost 230 dB by then, at 32 kHz.
    """
    from pyloudnorm import Meter
    from scipy.signal import lfilter

    response: Any = np.zeros(TAPS)
    response[0] = 1.0
    for one in Meter(rate)._filters.values():
        response = lfilter(one.b, one.a, response)
    return np.fft.rfft(response, FFT).astype(np.complex64)
