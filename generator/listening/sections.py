"""The sections of a piece: where it changes, and which of its parts sound alike.

Foote (2000), "Automatic audio segmentation using a measure of audio novelty", ICME: a checkerboard runs along the
diagonal of the matrix of likenesses; where what comes before and what comes after are each alike and unlike one
another, it has a peak.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..audio import constant_q, onsets
from ..audio.measured_signal import SIGNAL_RATE
from ..audio.spectrum import spectra

__all__ = ["Section", "find_sections"]

Array = NDArray[np.float32]
Weights = NDArray[np.float64]

BLOCK = 10_240
"""Samples whose spectra and tones are averaged, 0.46 s: five hops of the chroma, ten of the spectrum."""
SIZE, HOP = 2048, 1024
RANGE_DB = 50.0
"""Levels further than this under the loudest are cut off."""
ALIKE_DB = 6.0
"""A mean difference of the mel levels at which two blocks are alike by a factor of 1/e."""
TONES = 0.5
"""What tones count beside timbre."""
REACH_S = 8.0
"""How far the checkerboard looks before and after."""
LEAST_NOVELTY = 0.18
"""The least height of a peak: the likeness within what comes before and after, less the likeness between them."""
LEAST_S = 5.0
"""The shortest section."""
MOST = 16
"""Sections of a piece; the strongest changes count."""
SAME = 0.5
"""Sections whose means are alike by this have the same letter."""


@dataclass(frozen=True)
class Section:
    """A part of a piece. Parts that sound alike have the same label: A, B, A."""

    start_s: float
    end_s: float
    label: str


def find_sections(signal: Array) -> tuple[Section, ...]:
    """Return the sections of a mono signal at `SIGNAL_RATE`, from its start to its end; at least one, labelled A."""
    end_s = len(signal) / SIGNAL_RATE
    levels, tones = _features(signal)
    step_s = BLOCK / SIGNAL_RATE
    edges = [0, *_changes(levels, tones, step_s), len(levels)]
    labels = _labels(levels, tones, edges)
    # A change back to the same sound is no new section.
    kept = [at for at in range(len(labels)) if at == 0 or labels[at] != labels[at - 1]]
    starts = [edges[at] * step_s for at in kept]
    names = {label: chr(ord("A") + place) for place, label in enumerate(dict.fromkeys(labels))}
    return tuple(
        Section(round(start, 2), round(stop, 2), names[labels[at]])
        for start, stop, at in zip(starts, [*starts[1:], end_s], kept, strict=True)
    )


def _features(signal: Array) -> tuple[Array, Array]:
    """Return the mel levels in dB, shape (blocks, bands), and the tones, unit vectors of shape (blocks, 12)."""
    window, mel = np.hanning(SIZE).astype(np.float32), onsets.mel_filters().T
    power = np.concatenate([(part.real**2 + part.imag**2) @ mel for part in spectra(signal, window, HOP)])
    power, chroma = (
        _blocks(power, BLOCK // HOP),
        _blocks(constant_q.cens_chroma(signal), BLOCK // constant_q.HOP),
    )
    power, chroma = power[: len(chroma)], chroma[: len(power)]
    level = 10.0 * np.log10(np.maximum(power, max(float(power.max()), 1e-9) * 10.0 ** (-RANGE_DB / 10.0)))
    length = np.linalg.norm(chroma, axis=1, keepdims=True)
    return level.astype(np.float32), (chroma / np.maximum(length, 1e-9)).astype(np.float32)


def _blocks(frames: Array, size: int) -> Array:
    whole = max(1, len(frames) // size)
    return np.stack([part.mean(axis=0) for part in np.array_split(frames[: whole * size], whole)])


def _likeness(levels: Array, tones: Array) -> Array:
    """Return how alike blocks are, 1 for the same, shape (blocks, blocks)."""
    apart = np.abs(levels[:, None, :] - levels[None, :, :]).mean(axis=2) / ALIKE_DB
    return np.asarray(np.exp(-apart - TONES * (1.0 - tones @ tones.T)), np.float32)


def _changes(levels: Array, tones: Array, step_s: float) -> list[int]:
    """Return the blocks at which a section begins, in order, without the first."""
    reach, least = round(REACH_S / step_s), round(LEAST_S / step_s)
    novelty = np.zeros(len(levels))
    inner = range(least, len(levels) - least + 1)
    for at in inner:
        before, after = np.arange(max(0, at - reach), at), np.arange(at, min(len(levels), at + reach))
        weights = [np.exp(-0.5 * (2.0 * (part - at + 0.5) / reach) ** 2) for part in (before, after)]
        alike = _likeness(levels[before[0] : after[-1] + 1], tones[before[0] : after[-1] + 1])
        novelty[at] = _checkerboard(alike, *weights)
    peaks = [
        at
        for at in inner
        if novelty[at] >= LEAST_NOVELTY and novelty[at] == novelty[max(0, at - least) : at + least + 1].max()
    ]
    strongest = sorted(peaks, key=lambda at: -novelty[at])[: MOST - 1]
    return sorted(strongest)


def _checkerboard(alike: Array, before: Weights, after: Weights) -> float:
    """Return how much more alike the blocks before are, and those after, than the ones are to the others."""
    cut = len(before)
    before, after = before / before.sum(), after / after.sum()
    within = 0.5 * (before @ alike[:cut, :cut] @ before + after @ alike[cut:, cut:] @ after)
    return float(within - before @ alike[:cut, cut:] @ after)


def _labels(levels: Array, tones: Array, edges: list[int]) -> list[int]:
    """Return for each section the number of the first one that it sounds like."""
    spans = [slice(start, stop) for start, stop in itertools.pairwise(edges)]
    means = np.stack([levels[span].mean(axis=0) for span in spans])
    keys = np.stack([tones[span].mean(axis=0) for span in spans])
    keys /= np.maximum(np.linalg.norm(keys, axis=1, keepdims=True), 1e-9)
    alike = _likeness(means, keys)
    labels: list[int] = []
    for at in range(len(spans)):
        earlier = [(float(alike[at, other]), other) for other in range(at) if labels[other] == other]
        best, other = max(earlier, default=(0.0, 0))
        labels.append(other if best >= SAME else at)
    return labels
