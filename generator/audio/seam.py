"""The seam of a loop: how much the place stands out where its end meets its start, against the rest of the loop.

Four things are measured in short spans of equal length, the one around the seam and those inside: the largest jump
between samples, energy that appears, energy that vanishes, and a step in loudness. Where there is a pulse, a fifth is
how far the beat slips. docs/SCENES.md has the measurements behind the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..protocol import Audio
from .beat import FRAME_S, HOPS, RANGE_DB, band_levels, find_beat, hop_frames, onset_strength
from .checks import checked

__all__ = ["MIN_LOOP_S", "Seam", "measure_seam"]


Floats = NDArray[np.float64]

MIN_LOOP_S = 1.5
"""A shorter loop has no inside to compare the seam with."""
SIDE_S = 45.0
"""Of a long loop this much is measured on each side of the seam."""
SPAN_S = 3.0
"""Length of the spans inside whose largest values are compared with: a bar or two, so that each has its accent."""
NEAR_S = 0.1
"""The largest value within this distance from the seam is the seam's own."""
LOUDNESS_S = 3.0
"""What EBU Tech 3341 calls short-term: a note that begins does not count as a step, another level does."""
LIKE = 1.12
"""A span inside counts as less conspicuous only where it is so by an eighth, about a decibel."""
ONE_IN_TWENTY = 0.95
FLOORS: Mapping[str, float] = {
    "sample_step": 1e-3,
    "appearing": 1.0,
    "vanishing": 1.0,
    "loudness_step": 5.0,
    "beat_slip": 0.15,
}
"""Least 95th percentile that a value at the seam is divided by: below it nothing can be heard."""
BAR_BEATS = 4
ON_TIME_HOPS = 2
"""A beat within 16 ms of where it should be is on time."""
LEAST_PLACES = 4


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


def measure_seam(loop: Audio) -> Seam | None:
    """Return how unusual the seam of `loop` is; None for less than 1.5 s.

    A loop that was rendered round a circle has no seam: its end and start are like any other place in it. So `unusual`
    up to 0.95 means that one span in twenty inside is as conspicuous. Raises AudioError for samples not finite.
    """
    samples, rate = checked(loop).samples, loop.sample_rate
    if loop.duration_s < MIN_LOOP_S:
        return None
    around, seam = _around(samples, round(SIDE_S * rate))
    hop = hop_frames(rate)
    first = seam % hop  # so that one of the hops is exactly the seam
    levels = band_levels(around[first:], rate)
    values, at = _events(around, rate, levels, first), (seam - first) // hop - HOPS
    inside = _spans(len(levels) - HOPS, at, round(min(SPAN_S, loop.duration_s / 10) * rate / hop))
    near = slice(max(0, at - round(NEAR_S * rate / hop)), at + round(NEAR_S * rate / hop) + 1)
    # One row for each kind of event: the multiples of the spans inside, and last that of the seam.
    ratios = {}
    for name, value in values.items():
        highest = np.array([value[span].max() for span in inside])
        ratios[name] = np.append(highest, value[near].max()) / _usual(highest, name)
    here, elsewhere = _slips(levels, hop / rate, at + HOPS, [(s.start + s.stop) // 2 + HOPS for s in inside])
    slip = here / _usual(elsewhere, "beat_slip")
    worst = np.max(list(ratios.values()), axis=0)
    at_seam = max(float(worst[-1]), slip)
    unusual = float(np.mean(worst[:-1] * LIKE < at_seam))
    if at_seam <= 1.0:  # no value passes what one place in twenty inside passes
        unusual = min(unusual, ONE_IN_TWENTY)
    rounded = {name: round(float(ratio[-1]), 3) for name, ratio in ratios.items()}
    return Seam(unusual=round(unusual, 4), beat_slip=round(slip, 3), **rounded)


def _usual(values: Floats, name: str) -> float:
    """Return the 95th percentile, or the floor of this kind of event where that is more."""
    return max(float(np.quantile(values, ONE_IN_TWENTY)) if values.size else 0.0, FLOORS[name])


def _around(samples: NDArray[np.float32], side: int) -> tuple[NDArray[np.float32], int]:
    """Return the loop turned so that its seam lies inside, `side` frames at most on either side, and where."""
    if len(samples) > 2 * side:
        return np.concatenate([samples[-side:], samples[:side]]), side
    half = len(samples) // 2
    return np.concatenate([samples[half:], samples[:half]]), len(samples) - half


def _events(samples: NDArray[np.float32], rate: int, levels: Floats, first: int) -> dict[str, Floats]:
    """Return what happens at each boundary between two frames that share no sample, by the names of `FLOORS`."""
    hop = hop_frames(rate)
    change = levels[HOPS:] - levels[:-HOPS]
    boundaries = first + hop * np.arange(HOPS, HOPS + len(change))
    # A second difference: a steady slope is no click, a corner in the wave is.
    bend = np.abs(np.diff(samples, n=2, axis=0, prepend=samples[:1], append=samples[-1:])).max(axis=1)
    around = boundaries[:, None] + np.arange(-hop // 2, hop - hop // 2)
    return {
        "sample_step": bend[np.clip(around, 0, len(bend) - 1)].max(axis=1).astype(np.float64),
        "appearing": np.maximum(change, 0.0).mean(axis=1),
        "vanishing": np.maximum(-change, 0.0).mean(axis=1),
        "loudness_step": _loudness_steps(samples, rate, boundaries),
    }


def _loudness_steps(samples: NDArray[np.float32], rate: int, boundaries: NDArray[np.int64]) -> Floats:
    """Return the difference in dB between what follows each boundary and what comes before it; 0 near the ends."""
    # The energy of any stretch is the difference of two running sums.
    power = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64).sum(axis=1))])
    reach = round(min(LOUDNESS_S, len(samples) / rate / 6) * rate)
    after = power[np.minimum(boundaries + reach, len(samples))] - power[boundaries]
    before = power[boundaries] - power[np.maximum(boundaries - reach, 0)]
    floor = power[-1] / len(samples) * reach * 10 ** (-RANGE_DB / 10) + 1e-12
    step_db: Floats = np.abs(10 * np.log10((after + floor) / (before + floor)))
    step_db[(boundaries < reach) | (boundaries > len(samples) - reach)] = 0.0  # too few samples on one side
    return step_db


def _spans(hops: int, at: int, length: int) -> list[slice]:
    """Return the spans of `length` hops that are clear of the seam, overlapping by half."""
    starts = range(0, hops - length + 1, max(1, length // 2))
    clear = max(1, round(NEAR_S / FRAME_S * HOPS))
    return [slice(s, s + length) for s in starts if s >= at + clear or s + length <= at - clear]


def _slips(levels: Floats, hop_s: float, at: int, inside: list[int]) -> tuple[float, Floats]:
    """Return how far the beat is off at the seam, and at the hops `inside` that are clear of it.

    The measure: by how much the onsets of the next four beats would correlate better with those of the last four, if
    they were moved by up to half a beat. It is 0 where the beat goes on, and nears 1 where it falls elsewhere.
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
    if not fits(at) or len(clear) < LEAST_PLACES:
        return 0.0, np.zeros(0)
    return slip(at), np.array([slip(hop) for hop in clear])
