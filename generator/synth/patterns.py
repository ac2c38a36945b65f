"""Patterns on a grid of sixteenths: bass lines, and comping, which is how chords are played."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .harmony import Chord

__all__ = ["BASS_LINES", "COMPING", "BassNote", "BassSpan", "ChordSpan", "Stroke"]


@dataclass(frozen=True)
class BassNote:
    """A bass note: step, length in steps, semitones above the root, velocity."""

    step: int
    steps: float
    offset: int
    velocity: float


@dataclass(frozen=True)
class Stroke:
    """A stroke on a chord: step, length in steps, which voices, velocity, seconds between voices."""

    step: int
    steps: float
    voices: tuple[int, ...]
    velocity: float
    spread_s: float = 0.0


# Bass


@dataclass(frozen=True)
class BassSpan:
    """What a bass line plays: a chord of `steps` in bars of `bar` steps, its root and the next (`target`) as MIDI."""

    chord: Chord
    root: int
    target: int
    steps: int
    bar: int
    rng: np.random.Generator


def _sustained(span: BassSpan) -> list[BassNote]:
    return [
        BassNote(start, min(span.bar * 2, span.steps - start), 0, 0.8)
        for start in range(0, span.steps, span.bar * 2)
    ]


def _fifth(chord: Chord) -> int:
    """Return semitones from the root to a fifth in the chord, or the octave where it has none."""
    return 7 if (chord.root + 7) % 12 in chord.tones else 12


def _roots(span: BassSpan) -> list[BassNote]:
    half = span.bar // 2
    notes = []
    for index, start in enumerate(range(0, span.steps, half)):
        offset = _fifth(span.chord) if index % 2 and span.rng.random() < 0.6 else 0
        notes.append(BassNote(start, min(half, span.steps - start), offset, 0.85 if index % 2 == 0 else 0.65))
    return notes


def _walking(span: BassSpan) -> list[BassNote]:
    """Walk in quarters through chord and scale towards a semitone before the next root."""
    count = max(1, span.steps // 4)
    line = [0]
    for index in range(1, count):
        left = count - index
        goal = span.target - span.root
        if left == 1:
            line.append(goal + (1 if line[-1] > goal else -1))
            continue
        options = [o for o in range(line[-1] - 5, line[-1] + 6) if o != line[-1] and -3 <= o <= 14]
        classes = span.chord.tones if index % 2 == 0 else span.chord.scale
        fitting = [o for o in options if (span.root + o) % 12 in classes] or [0]
        line.append(int(span.rng.choice(fitting)))
    return [BassNote(4 * i, 4, o, 0.85 if i % 2 == 0 else 0.75) for i, o in enumerate(line)]


def _octaves(span: BassSpan) -> list[BassNote]:
    return [BassNote(s, 2, 12 * (s // 2 % 2), 0.9 if s % 4 == 0 else 0.7) for s in range(0, span.steps, 2)]


def _pulse(span: BassSpan) -> list[BassNote]:
    return [BassNote(s, 2, 0, 0.9 if s % 4 == 0 else 0.68) for s in range(0, span.steps, 2)]


def _offbeat(span: BassSpan) -> list[BassNote]:
    return [BassNote(s, 2, 0, 0.85) for s in range(2, span.steps, 4)]


def _syncopated(span: BassSpan) -> list[BassNote]:
    figure = (
        (0, 3, 0, 0.95),
        (3, 3, 0, 0.6),
        (7, 1, 12, 0.5),
        (8, 2, 0, 0.8),
        (10, 4, 7, 0.75),
        (14, 2, 0, 0.5),
    )
    notes = []
    for start in range(0, span.steps, 16):
        for step, length, offset, velocity in figure:
            at = start + step
            if at < span.steps and (velocity > 0.7 or span.rng.random() < 0.6):
                notes.append(
                    BassNote(
                        at,
                        min(length, span.steps - at),
                        min(offset, 12) and (12 if offset == 12 else _fifth(span.chord)),
                        velocity,
                    )
                )
    return notes


def _bossa(span: BassSpan) -> list[BassNote]:
    figure = ((0, 3, 0, 0.85), (3, 1, 0, 0.5), (4, 4, 1, 0.75))
    return [
        BassNote(start + step, length, _fifth(span.chord) if up else 0, velocity)
        for start in range(0, span.steps, 8)
        for step, length, up, velocity in figure
        if start + step < span.steps
    ]


BassLine = Callable[[BassSpan], list[BassNote]]
BASS_LINES: Mapping[str, BassLine] = {
    "sustained": _sustained,
    "roots": _roots,
    "walking": _walking,
    "octaves": _octaves,
    "pulse": _pulse,
    "offbeat": _offbeat,
    "syncopated": _syncopated,
    "bossa": _bossa,
}
"""Name of a line -> its notes for one chord."""


# Chords


@dataclass(frozen=True)
class ChordSpan:
    """What a comping pattern plays: a chord of `steps` in bars of `bar` steps, and the density of its notes."""

    steps: int
    bar: int
    density: float
    rng: np.random.Generator


ALL = (0, 1, 2, 3)


def _comp_sustained(span: ChordSpan) -> list[Stroke]:
    return [Stroke(0, span.steps, ALL, 0.75)]


def _comp_block(span: ChordSpan) -> list[Stroke]:
    every = (
        span.bar
        if span.density < 0.3
        else span.bar // 2
        if span.density < 0.65
        else span.bar // 4
        if span.bar % 4 == 0
        else span.bar // 3
    )
    strokes = []
    for index, start in enumerate(range(0, span.steps, every)):
        late = 2 if index % 2 and span.density > 0.35 and span.rng.random() < 0.5 else 0
        voices = ALL if index % 2 == 0 else ALL[1:]
        strokes.append(Stroke(start + late, every - late, voices, 0.8 if index % 2 == 0 else 0.62, 0.006))
    return [s for s in strokes if s.step < span.steps]


def _comp_arpeggio(span: ChordSpan) -> list[Stroke]:
    every = 4 if span.density < 0.3 else 2 if span.density < 0.75 else 1
    shapes = ((0, 1, 2, 3, 4, 3, 2, 1), (0, 2, 1, 3, 2, 4, 3, 1), (0, 1, 2, 4, 3, 2, 1, 2))
    shape = shapes[int(span.rng.integers(len(shapes)))]
    return [
        Stroke(s, every * 2.0, (shape[i % 8],), 0.8 if s % 8 == 0 else 0.6)
        for i, s in enumerate(range(0, span.steps, every))
    ]


def _comp_strum(span: ChordSpan) -> list[Stroke]:
    down, up = ALL, (3, 2, 1)
    figure = [(0, down, 0.85), (6, up, 0.5), (8, down, 0.7), (14, up, 0.5)]
    if span.density > 0.35:
        figure += [(4, down, 0.65), (10, up, 0.5)]
    if span.density > 0.7:
        figure += [(2, up, 0.4), (12, down, 0.6)]
    inside = sorted(f for f in figure if f[0] < span.bar)
    return [
        Stroke(start + step, 4, voices, velocity, 0.014)
        for start in range(0, span.steps, span.bar)
        for step, voices, velocity in inside
        if start + step < span.steps
    ]


def _comp_stabs(span: ChordSpan) -> list[Stroke]:
    figure = (3, 6, 11, 14) if span.density > 0.5 else (2, 6, 10, 14) if span.density > 0.3 else (2, 10)
    return [
        Stroke(start + step, 1.5, ALL, 0.75 if i % 2 == 0 else 0.65)
        for start in range(0, span.steps, 16)
        for i, step in enumerate(figure)
        if start + step < span.steps
    ]


def _comp_ostinato(span: ChordSpan) -> list[Stroke]:
    every = 2 if span.density < 0.6 else 1
    shape = (0, 2, 3, 2, 0, 2, 3, 1)
    return [
        Stroke(s, every, (shape[i % 8],), 0.9 if s % 8 == 0 else 0.72 if s % 4 == 0 else 0.55)
        for i, s in enumerate(range(0, span.steps, every))
    ]


def _comp_alberti(span: ChordSpan) -> list[Stroke]:
    every = 2 if span.density > 0.25 else 4
    return [
        Stroke(s, every * 1.5, ((0, 2, 1, 2)[i % 4],), 0.75 if i % 4 == 0 else 0.55)
        for i, s in enumerate(range(0, span.steps, every))
    ]


def _comp_waltz(span: ChordSpan) -> list[Stroke]:
    strokes = []
    for start in range(0, span.steps, 4):
        first = start % span.bar == 0
        strokes.append(
            Stroke(start, 4 if first else 2.5, (0,) if first else (1, 2, 3), 0.8 if first else 0.5, 0.004)
        )
    return strokes


def _comp_rolled(span: ChordSpan) -> list[Stroke]:
    strokes = [Stroke(0, span.steps, ALL, 0.72, 0.07)]
    for start in range(0, span.steps, 4):
        if start and span.rng.random() < span.density * 0.9:
            late = int(span.rng.choice((0, 2)))
            strokes.append(
                Stroke(min(start + late, span.steps - 1), 6, (int(span.rng.integers(3, 7)),), 0.45)
            )
    return strokes


def _comp_pulse(span: ChordSpan) -> list[Stroke]:
    every = 4 if span.density < 0.35 else 2
    return [Stroke(s, every * 0.9, ALL, 0.75 if s % 8 == 0 else 0.55) for s in range(0, span.steps, every)]


CompingPattern = Callable[[ChordSpan], list[Stroke]]
COMPING: Mapping[str, CompingPattern] = {
    "sustained": _comp_sustained,
    "block": _comp_block,
    "arpeggio": _comp_arpeggio,
    "strum": _comp_strum,
    "stabs": _comp_stabs,
    "ostinato": _comp_ostinato,
    "alberti": _comp_alberti,
    "waltz": _comp_waltz,
    "rolled": _comp_rolled,
    "pulse": _comp_pulse,
}
"""Name of a pattern -> its strokes on one chord."""
