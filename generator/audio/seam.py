"""How much a loop's seam stands out: what happens where the end meets the start, against what happens inside.

Four things are looked at in short spans of equal length, the one around the seam and those inside: the largest jump
between samples, energy that appears, energy that vanishes, and a step in loudness. Where a pulse is heard, a fifth
is how far the beat slips. docs/SCENES.md has the measurements behind the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..protocol import Audio
from .checks import checked

__all__ = ["MIN_LOOP_S", "Beat", "Seam", "band_levels", "find_beat", "measure_seam", "onset_strength"]


Floats = NDArray[np.float64]

MIN_LOOP_S = 1.5
"""Nothing shorter has an inside to compare the seam with."""
HEARD_S = 45.0
"""As much of a long loop is listened to on each side of the seam."""
FRAME_S = 0.032
HOPS = 4
"""Frames overlap by three quarters."""
BANDS = 40
LOW_HZ = 40.0
RANGE_DB = 60.0
"""What is softer than the loudest band by more than this is not heard."""
SPAN_S = 3.0
"""Length of the spans inside whose largest values are compared with: a bar or two, so that each has its accent."""
NEAR_S = 0.1
"""How far from the seam its own values are looked for."""
LOUDNESS_S = 3.0
"""What EBU Tech 3341 calls short-term: a note that begins does not count as a step, another level does."""
LIKE = 1.12
"""A span inside counts as less unusual only where it is so by an eighth, about a decibel."""
FLOORS: Mapping[str, float] = {
    "sample_step": 1e-3,
    "appearing": 1.0,
    "vanishing": 1.0,
    "loudness_step": 5.0,
    "beat_slip": 0.15,
}
"""What cannot be heard is not divided by: the least 95th percentile that is compared with."""
MIN_BEAT_S, MAX_BEAT_S = 1 / 3, 1.5
BAR_BEATS = 4
ON_TIME_HOPS = 2
"""A beat within 16 ms of where it should be is on time."""
MIN_PULSE = 0.3


@dataclass(frozen=True)
class Seam:
    """What happens at the seam; each value is a multiple of the 95th percentile inside the loop."""

    unusual: float
    """Share of the spans inside that are clearly less conspicuous than the one around the seam, 0 to 1."""
    sample_step: float
    appearing: float
    vanishing: float
    loudness_step: float
    beat_slip: float

    @property
    def worst(self) -> float:
        """Return the largest of the five."""
        return max(self.sample_step, self.appearing, self.vanishing, self.loudness_step, self.beat_slip)


@dataclass(frozen=True)
class Beat:
    """A pulse: its period, and how regular it is (autocorrelation of the onsets, 1 for exact repetition)."""

    period_s: float
    strength: float


def measure_seam(loop: Audio) -> Seam | None:
    """Return how unusual the seam of `loop` is, None for less than 1.5 s.

    A loop rendered round a circle has no seam, and its end and start are like any other place in it; so `unusual` up
    to 0.95 means that one span in twenty inside is as conspicuous. Raises AudioError for samples that are not finite.
    """
    samples, rate = checked(loop).samples, loop.sample_rate
    if loop.duration_s < MIN_LOOP_S:
        return None
    around, seam = _around(samples, round(HEARD_S * rate))
    hop = _hop(rate)
    first = seam % hop  # so that one of the hops is exactly the seam
    levels = band_levels(around[first:], rate)
    values, at = _events(around, rate, levels, first), (seam - first) // hop - HOPS
    inside = _spans(len(levels) - HOPS, at, round(min(SPAN_S, loop.duration_s / 10) * rate / hop))
    near = slice(max(0, at - round(NEAR_S * rate / hop)), at + round(NEAR_S * rate / hop) + 1)
    ratios = {}
    for name, value in values.items():
        highest = np.array([value[span].max() for span in inside])
        ratios[name] = np.append(highest, value[near].max()) / _usual(highest, name)
    here, elsewhere = _slips(levels, hop / rate, at + HOPS, [(s.start + s.stop) // 2 + HOPS for s in inside])
    worst = np.max(list(ratios.values()), axis=0)
    slip = here / _usual(elsewhere, "beat_slip")
    unusual = float(np.mean(worst[:-1] * LIKE < max(worst[-1], slip)))
    if max(worst[-1], slip) <= 1.0:
        unusual = min(unusual, 0.95)
    at_seam = {name: round(float(ratio[-1]), 3) for name, ratio in ratios.items()}
    return Seam(unusual=round(unusual, 4), beat_slip=round(slip, 3), **at_seam)


def _usual(values: Floats, name: str) -> float:
    return max(float(np.quantile(values, 0.95)) if values.size else 0.0, FLOORS[name])


def _around(samples: NDArray[np.float32], heard: int) -> tuple[NDArray[np.float32], int]:
    """Return the loop turned so that its seam lies inside, and where it lies."""
    if len(samples) > 2 * heard:
        return np.concatenate([samples[-heard:], samples[:heard]]), heard
    half = len(samples) // 2
    return np.concatenate([samples[half:], samples[:half]]), len(samples) - half


def _events(samples: NDArray[np.float32], rate: int, levels: Floats, first: int) -> dict[str, Floats]:
    """Return what happens at each boundary between frames that share no sample."""
    hop = _hop(rate)
    change = levels[HOPS:] - levels[:-HOPS]
    boundaries = first + hop * np.arange(HOPS, HOPS + len(change))
    power = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64).sum(axis=1))])
    reach = round(min(LOUDNESS_S, len(samples) / rate / 6) * rate)
    after = power[np.minimum(boundaries + reach, len(samples))] - power[boundaries]
    before = power[boundaries] - power[np.maximum(boundaries - reach, 0)]
    floor = power[-1] / len(samples) * reach * 10 ** (-RANGE_DB / 10) + 1e-12
    step_db = np.abs(10 * np.log10((after + floor) / (before + floor)))
    step_db[(boundaries < reach) | (boundaries > len(samples) - reach)] = 0.0  # not enough to look at
    bend = np.abs(np.diff(samples, n=2, axis=0, prepend=samples[:1], append=samples[-1:])).max(axis=1)
    around = boundaries[:, None] + np.arange(-hop // 2, hop - hop // 2)
    return {
        "sample_step": bend[np.clip(around, 0, len(bend) - 1)].max(axis=1).astype(np.float64),
        "appearing": np.maximum(change, 0.0).mean(axis=1),
        "vanishing": np.maximum(-change, 0.0).mean(axis=1),
        "loudness_step": step_db,
    }


def _spans(hops: int, at: int, length: int) -> list[slice]:
    """Return the spans of `length` hops that are clear of the seam, overlapping by half."""
    starts = range(0, hops - length + 1, max(1, length // 2))
    clear = max(1, round(NEAR_S / FRAME_S * HOPS))
    return [slice(s, s + length) for s in starts if s >= at + clear or s + length <= at - clear]


def band_levels(samples: NDArray[np.float32], rate: int) -> Floats:
    """Return the level in decibels of each frame in 40 bands, shape (hops, 40); a hop is 8 ms."""
    hop = _hop(rate)
    size = HOPS * hop
    count = max(0, (len(samples) - size) // hop + 1)
    window = np.hanning(size).astype(np.float32)
    edges = np.geomspace(LOW_HZ, rate / 2, BANDS + 1) * size / rate
    starts = np.unique(np.clip(np.round(edges[:-1]).astype(int), 1, size // 2))
    powers = np.empty((count, len(starts)))
    views = np.lib.stride_tricks.sliding_window_view(samples, size, axis=0)[::hop]
    for low in range(0, count, 512):  # in blocks, so that memory does not grow with length
        spectra = np.fft.rfft(views[low : low + 512] * window, axis=-1)
        power = (spectra.real**2 + spectra.imag**2).sum(axis=1)
        powers[low : low + 512] = np.add.reduceat(power[:, : size // 2 + 1], starts, axis=1)
    floor = max(float(powers.max(initial=0.0)) * 10 ** (-RANGE_DB / 10), 1e-12)
    levels: Floats = 10 * np.log10(powers + floor)
    return levels


def _hop(rate: int) -> int:
    return max(8, round(FRAME_S * rate / HOPS))


def onset_strength(levels: Floats) -> Floats:
    """Return how much appears at each hop, averaged over the bands."""
    strength = np.zeros(len(levels))
    strength[HOPS:] = np.maximum(levels[HOPS:] - levels[:-HOPS], 0.0).mean(axis=1)
    return strength


def find_beat(strength: Floats, hop_s: float) -> Beat | None:
    """Return the pulse in `strength`, or None where none is regular enough."""
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
    repeats = raw[low:high] / raw[0] * len(centred) / (len(centred) - lags)
    # Half a beat and two beats repeat as well; the one nearest to 115 beats a minute is the pulse.
    nearness = np.exp(-0.5 * (np.log2(lags * hop_s / (60 / 115)) / 0.9) ** 2)
    best = int(np.argmax(repeats * nearness))
    if repeats[best] < MIN_PULSE:
        return None
    return Beat((low + _summit(repeats, best)) * hop_s, float(repeats[best]))


def _summit(values: Floats, at: int) -> float:
    if not 0 < at < len(values) - 1:
        return float(at)
    before, here, after = values[at - 1 : at + 2]
    bend = before - 2 * here + after
    return at + (0.5 * (before - after) / bend if bend < 0 else 0.0)


def _slips(levels: Floats, hop_s: float, at: int, inside: list[int]) -> tuple[float, Floats]:
    """Return how far the beat is off at the seam, and at the hops `inside` that are clear of it.

    Off by how much? By as much as the onsets of the next four beats would correlate better with those of the last four,
    were they moved by up to half a beat: 0 where the beat goes on, towards 1 where it falls elsewhere.
    """
    strength = onset_strength(levels)
    beat = find_beat(strength[: at - HOPS], hop_s) or find_beat(strength[at:], hop_s)
    if beat is None:
        return 0.0, np.zeros(0)
    reach, most = round(BAR_BEATS * beat.period_s / hop_s), round(0.5 * beat.period_s / hop_s)

    def slip(hop: int) -> float:
        before = strength[hop - reach : hop] - strength[hop - reach : hop].mean()
        after = np.lib.stride_tricks.sliding_window_view(strength[hop - most : hop + reach + most], reach)
        after = after - after.mean(axis=1, keepdims=True)
        sizes = np.linalg.norm(after, axis=1) * np.linalg.norm(before)
        likeness = after @ before / np.maximum(sizes, 1e-9)
        return float(likeness.max() - likeness[most - ON_TIME_HOPS : most + ON_TIME_HOPS + 1].max())

    def fits(hop: int) -> bool:
        return reach <= hop <= len(strength) - reach - most

    clear = [hop for hop in inside if fits(hop) and abs(hop - at) >= reach + most]
    if not fits(at) or len(clear) < 4:
        return 0.0, np.zeros(0)
    return slip(at), np.array([slip(hop) for hop in clear])
