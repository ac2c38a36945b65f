"""Cut a loop out of music that was not made as one.

Where a passage comes back a whole number of beats later, the music can go on from the second time as from the first.
Such places are looked for in the audio. At the best of them the seam is made in several ways - cross-fades of several
lengths, and a codec that decodes the end and the start in one context - and the meter of `seam.py` picks one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from ..protocol import Audio
from .beat import HOPS, Beat, band_levels, find_beat, onset_strength
from .checks import checked, replaced
from .seam import MIN_LOOP_S, measure_seam

__all__ = ["Cut", "cut_loop", "extra_s", "find_cuts", "turned"]


Floats = NDArray[np.float64]
Samples = NDArray[np.float32]
Wrap = Callable[[int, int], Samples]
"""(first frame, frames) -> samples of that part, decoded with its end and start as neighbours."""

LEEWAY = 0.06
"""Share by which a loop may be longer or shorter than requested, so that it holds whole beats."""
MOST_LEEWAY_S = 3.0
FADES_S = (0.03, 0.25, 0.8)
CONTEXT_S = 0.6
"""How much of a passage is compared on either side."""
CUTS = 3
APART_S = 0.15
"""Two cuts that differ by less are the same."""
ALIGN_S = 0.012
USUAL = 0.95
TURNS = (0.25, 0.5, 0.75)
OFF_BEAT_COST = 2.0
"""In dB of mean difference: what a length half a beat off costs."""


@dataclass(frozen=True)
class Cut:
    """Where a loop begins, how long it is (in frames), and how unlike what follows its end is to its start, in dB."""

    start: int
    length: int
    unlikeness_db: float


def extra_s(duration_s: float) -> float:
    """Return how much longer than a loop the music must be that it is cut from."""
    return min(LEEWAY * duration_s, MOST_LEEWAY_S) + FADES_S[-1] + 2 * CONTEXT_S


def cut_loop(
    audio: Audio, duration_s: float, *, exact: bool = False, wrap: Wrap | None = None, grid: int = 1
) -> Audio:
    """Return a loop of about `duration_s` (exactly, with `exact`) cut out of longer `audio`.

    `wrap` is one more way to make the seam, for starts and lengths that are multiples of `grid` frames. The
    provenance names the way that was chosen, where the loop was cut and the figures of the seam. Audio that is too
    short to be cut keeps its length, and is cross-faded as far as there is something to fade. Raises AudioError.
    """
    samples, rate = checked(audio).samples, audio.sample_rate
    if not (math.isfinite(duration_s) and duration_s > 0):
        raise AudioError(f"cannot cut a loop of {duration_s} s; the duration must be a positive number")
    cuts = find_cuts(audio, duration_s, exact=exact, grid=grid)
    made: list[tuple[tuple[float, float], str, Cut, Samples]] = []
    for cut in cuts:
        near = cut if exact else _aligned(samples, cut, round(ALIGN_S * rate))
        for fade_s in FADES_S:
            loop = _crossfaded(samples, near, round(fade_s * rate))
            made.append((_figures(loop, rate), f"cross-fade of {fade_s:g} s", near, loop))
        if wrap is not None:
            loop = wrap(cut.start, cut.length)
            made.append((_figures(loop, rate), "wrapped codec context", cut, loop))
    figures, way, cut, loop = min(made, key=lambda one: one[0])
    origin = {
        "way": way,
        "start_s": round(cut.start / rate, 4),
        "unlikeness_db": round(cut.unlikeness_db, 2),
        "unusual": figures[0],
    }
    return replaced(Audio(loop, rate, {**audio.provenance, "loop": origin}), loop)


def turned(loop: Audio, beat_s: float) -> Audio:
    """Return a loop without a seam, begun some whole beats later where its start stands out as a seam would.

    A thunderclap on the first beat is no fault, but whoever fades or cuts there hears it, and no meter can tell it from
    a fault. Most loops come back as they are.
    """
    if _figures(loop.samples, loop.sample_rate)[0] <= USUAL:
        return loop
    beats = round(loop.duration_s / beat_s)
    starts = [round(round(part * beats) * beat_s * loop.sample_rate) for part in TURNS]
    rolled = [np.roll(loop.samples, -start, axis=0) for start in starts]
    return replaced(loop, min([loop.samples, *rolled], key=lambda one: _figures(one, loop.sample_rate)))


def _figures(loop: Samples, rate: int) -> tuple[float, float]:
    seam = measure_seam(Audio(loop, rate))
    return (seam.unusual, seam.worst) if seam else (0.0, 0.0)


# Where to cut


def find_cuts(audio: Audio, duration_s: float, *, exact: bool = False, grid: int = 1) -> list[Cut]:
    """Return the best places to cut, the best first; at least one."""
    samples, rate = audio.samples, audio.sample_rate
    wanted = min(round(duration_s * rate), len(samples))
    wanted = max(grid, wanted // grid * grid)
    lead = round(FADES_S[-1] * rate)
    spare = len(samples) - wanted
    last_resort = Cut(max(0, spare) // grid * grid, wanted, 0.0)
    if spare < lead // 4 or duration_s < MIN_LOOP_S:
        return [last_resort]
    levels = band_levels(samples, rate)
    hop = len(samples) / max(len(levels) + HOPS - 1, 1)
    beat = find_beat(onset_strength(levels), hop / rate)
    leeway = 0 if exact else round(min(LEEWAY * duration_s, MOST_LEEWAY_S) * rate / hop)
    middle, reach = round(wanted / hop), round(CONTEXT_S * rate / hop)
    cuts: list[Cut] = []
    # A lag is a length in hops. For each, the best start is where the passage around it and the one a lag later are
    # most alike.
    for lag in range(max(1, middle - leeway), min(middle + leeway + 1, len(levels) - 2)):
        unlike = np.abs(levels[lag:] - levels[:-lag]).mean(axis=1)
        smooth = _running_mean(unlike, reach) + OFF_BEAT_COST * _off_beat(lag * hop / rate, beat)
        # The fade-in needs samples before the start; after the end nothing is needed.
        first = math.ceil(min(lead, spare) / hop)
        last = min(len(smooth), int((len(samples) - lag * hop) / hop) + 1)
        if last > first:
            at = first + int(np.argmin(smooth[first:last]))
            cuts.append(_on_grid(round(at * hop), round(lag * hop), float(smooth[at]), grid, len(samples)))
    if not cuts:
        return [last_resort]
    if exact:
        cuts = [
            Cut(cut.start if cut.start + wanted <= len(samples) else 0, wanted, cut.unlikeness_db)
            for cut in cuts
        ]
    return _apart(sorted(cuts, key=lambda cut: cut.unlikeness_db), round(APART_S * rate))


def _off_beat(length_s: float, beat: Beat | None) -> float:
    """Return how far a length is from whole beats: 0 on the beat, 1 half a beat off, times how regular the beat is."""
    if beat is None:
        return 0.0
    beats = length_s / beat.period_s
    return abs(beats - round(beats)) * 2 * beat.strength


def _running_mean(values: Floats, reach: int) -> Floats:
    """Return the mean of up to `reach` values on either side of each."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    low, high = np.maximum(at - reach, 0), np.minimum(at + reach + 1, len(values))
    return np.asarray((sums[high] - sums[low]) / (high - low))


def _on_grid(start: int, length: int, unlikeness_db: float, grid: int, frames: int) -> Cut:
    """Return the cut whose start and length are the nearest multiples of `grid` that fit into `frames`."""
    length = max(grid, round(length / grid) * grid)
    start = min(round(start / grid) * grid, (frames - length) // grid * grid)
    if start < 0:
        return Cut(0, frames // grid * grid, unlikeness_db)
    return Cut(start, length, unlikeness_db)


def _apart(cuts: list[Cut], least: int) -> list[Cut]:
    """Return the first few cuts that differ by more than `least` frames in start or length."""
    chosen: list[Cut] = []
    for cut in cuts:
        if all(abs(cut.start - one.start) > least or abs(cut.length - one.length) > least for one in chosen):
            chosen.append(cut)
        if len(chosen) == CUTS:
            break
    return chosen


# How to join


def _aligned(samples: Samples, cut: Cut, most: int) -> Cut:
    """Return the cut with its length moved by up to `most` frames to where the two waves agree best."""
    mono = samples.mean(axis=1)
    reach = 4 * most
    low, high = cut.start - reach, cut.start + reach
    end_low, end_high = low + cut.length - most, high + cut.length + most
    if low < 0 or end_low < 0 or end_high > len(mono):
        return cut
    here, there = mono[low:high].astype(np.float64), mono[end_low:end_high].astype(np.float64)
    likeness = np.correlate(there, here, mode="valid")
    powers = np.convolve(there**2, np.ones(len(here)), mode="valid")
    best = int(np.argmax(likeness / np.sqrt(powers + 1e-12)))
    length = cut.length + best - most
    return Cut(cut.start, length, cut.unlikeness_db) if cut.start + length <= len(mono) else cut


def _crossfaded(samples: Samples, cut: Cut, fade: int) -> Samples:
    """Return the loop with its end faded into what comes before its start, at equal power for how alike they are."""
    loop: Samples = samples[cut.start : cut.start + cut.length].copy()
    fade = min(fade, cut.start, cut.length // 2)
    if fade < 1:
        return loop
    leaving = loop[-fade:].astype(np.float64)
    coming = samples[cut.start - fade : cut.start].astype(np.float64)
    size = math.sqrt(float((leaving**2).sum()) * float((coming**2).sum()))
    alike = float(np.clip((leaving * coming).sum() / size, 0.0, 1.0)) if size > 0 else 0.0
    turn = 0.5 * np.pi * (np.arange(fade) + 0.5)[:, None] / fade
    down, up = np.cos(turn), np.sin(turn)
    # Amplitudes of like signals add, powers of unlike ones; the root keeps the power level for anything between.
    loop[-fade:] = (leaving * down + coming * up) / np.sqrt(1 + alike * 2 * down * up)
    return loop
