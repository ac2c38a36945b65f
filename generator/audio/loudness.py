"""Loudness and true peak: measured by ITU-R BS.1770, and brought to a target without clipping."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from ..protocol import Audio
from .checks import checked, replaced

__all__ = ["loudness_lufs", "normalize_loudness", "true_peak_db"]


BLOCK_S = 0.4
"""The gating block of BS.1770: shorter audio has to be repeated to be measured."""
OVERSAMPLING = 4
MAX_LIMITING_DB = 6.0
LOOK_AHEAD_S = 0.02
HEADROOM_DB = 0.01
"""Kept free under the ceiling, because rounding to 16 bits and dither add a little."""
TOLERANCE_LU = 0.1


def loudness_lufs(audio: Audio) -> float | None:
    """Return the integrated loudness in LUFS, or None where all blocks lie under the gate of -70 LUFS.

    A clip shorter than one gating block of 400 ms is measured on a repeated copy. Source: ITU-R BS.1770-4 by
    pyloudnorm. Raises AudioError for samples that are not finite.
    """
    return _loudness(checked(audio).samples, audio.sample_rate)


def true_peak_db(audio: Audio) -> float | None:
    """Return the true peak in dBTP, from four times oversampling (BS.1770-4, annex 2); None for silence."""
    peak = _true_peak(checked(audio).samples, audio.sample_rate)
    return _db(peak) if peak > 0 else None


def normalize_loudness(audio: Audio, target_lufs: float, true_peak_db: float = -1.0) -> Audio:
    """Return `audio` at `target_lufs`, with its true peak at or under `true_peak_db` in every case.

    A look-ahead limiter lowers peaks that the gain lifts over the ceiling, by up to 6 dB; beyond that the gain is
    smaller, and the result is quieter than the target. Silence stays silence. Raises AudioError.
    """
    samples, rate = checked(audio).samples, audio.sample_rate
    if not math.isfinite(target_lufs) or not math.isfinite(true_peak_db) or true_peak_db > 0:
        raise AudioError(
            f"cannot normalize to {target_lufs} LUFS under {true_peak_db} dBTP: both must be finite and the "
            "peak at most 0"
        )
    ceiling = _amplitude(true_peak_db - HEADROOM_DB)
    measured = _loudness(samples, rate)
    if measured is None:
        return replaced(audio, _under(samples, rate, ceiling))
    peak = _true_peak(samples, rate)
    if peak * _amplitude(target_lufs - measured) <= ceiling:
        return replaced(audio, samples * np.float32(_amplitude(target_lufs - measured)))
    return replaced(
        audio, _under(_raised(samples, rate, target_lufs - measured, ceiling, peak), rate, ceiling)
    )


def _raised(
    samples: NDArray[np.float32], rate: int, gain_db: float, ceiling: float, peak: float
) -> NDArray[np.float32]:
    """Apply `gain_db` with the limiter, and a second time with the loudness that the limiter took added to the gain."""
    envelope = _envelope(samples, rate)
    most_db = _db(ceiling / peak) + MAX_LIMITING_DB
    target = (_loudness(samples, rate) or 0.0) + gain_db
    raised = _limited(samples, envelope, rate, _amplitude(min(gain_db, most_db)), ceiling)
    lost = target - (_loudness(raised, rate) or target)
    if gain_db < most_db and lost > TOLERANCE_LU:
        raised = _limited(samples, envelope, rate, _amplitude(min(gain_db + lost, most_db)), ceiling)
    return raised


def _loudness(samples: NDArray[np.float32], rate: int) -> float | None:
    from pyloudnorm import Meter

    copies = math.ceil(BLOCK_S * rate / samples.shape[0])
    tiled = np.tile(samples, (copies + 1, 1)) if copies > 1 else samples
    measured = float(Meter(rate).integrated_loudness(tiled.astype(np.float64)))
    return measured if math.isfinite(measured) else None


def _oversampled(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Return the magnitudes at four times the rate, shape (frames, 4 x channels)."""
    import soxr

    frames, channels = samples.shape
    dense = np.zeros((frames * OVERSAMPLING, channels), dtype=np.float32)
    made = soxr.resample(samples, rate, rate * OVERSAMPLING, quality="HQ")[: len(dense)]
    dense[: len(made)] = made
    return np.abs(dense, out=dense).reshape(frames, -1)


def _true_peak(samples: NDArray[np.float32], rate: int) -> float:
    return float(max(_oversampled(samples, rate).max(), samples.max(), -samples.min()))


def _envelope(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Return the highest level of any channel around each frame, shape (frames,)."""
    # Column by column: numpy's maximum over a short last axis is several times slower.
    levels = [*_oversampled(samples, rate).T, *np.abs(samples).T]
    until_next: NDArray[np.float32] = functools.reduce(np.maximum, levels)
    return np.maximum(until_next, np.roll(until_next, 1))


def _limited(
    samples: NDArray[np.float32], envelope: NDArray[np.float32], rate: int, gain: float, ceiling: float
) -> NDArray[np.float32]:
    """Apply `gain`, and less of it around each place where `envelope` would pass `ceiling`.

    The gain is the least one within the look-ahead, then averaged over the same span. Each of the averaged values is at
    most the gain that is allowed in the middle, so their mean is too: the curve is smooth and no peak passes.
    Beginning and end count as neighbours, so that a loop's seam keeps its level.
    """
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    allowed = np.minimum(gain, ceiling / np.maximum(envelope.astype(np.float64), ceiling / gain))
    half = max(0, min(int(LOOK_AHEAD_S * rate), len(allowed) // 2) - 1) // 2 * 2 + 1
    held = minimum_filter1d(allowed, 2 * half - 1, mode="wrap")
    # Two running means in turn weigh like a triangle over the same span, at a cost that does not grow with the span.
    smooth = uniform_filter1d(uniform_filter1d(held, half, mode="wrap"), half, mode="wrap")
    limited: NDArray[np.float32] = samples * smooth[:, None].astype(np.float32)
    return limited


def _under(samples: NDArray[np.float32], rate: int, ceiling: float) -> NDArray[np.float32]:
    """Scale all of `samples` down where their true peak still passes `ceiling`."""
    peak = _true_peak(samples, rate)
    return samples if peak <= ceiling else samples * np.float32(ceiling / peak)


def _amplitude(db: float) -> float:
    return float(10.0 ** (db / 20.0))


def _db(amplitude: Any) -> float:
    return 20.0 * math.log10(amplitude)
