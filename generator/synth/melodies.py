"""Melody lines: a motif, its repetition, its answer and its variation over given chords."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .harmony import Chord, nearest_pitch

__all__ = ["melody_line"]


RANGE = 10
"""Semitones the line may leave its centre by."""

CELLS: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((8,), (12, 4), (8, 8), (4, 12), (16,)),
    ((4, 4), (8, 4, 4), (6, 2, 8), (4, 4, 8), (4, 8, 4)),
    ((2, 2, 4), (4, 2, 2), (3, 3, 2), (4, 4), (6, 2), (2, 4, 2)),
    ((2, 2, 2, 2), (3, 3, 2), (2, 1, 1, 4), (1, 1, 2, 4), (2, 2, 4)),
)
"""Rhythm cells in sixteenths, from sparse to busy."""


def melody_line(
    chords: Sequence[Chord],
    *,
    bar_steps: int,
    bars: int,
    centre: float,
    density: float,
    seed: int,
    variation: int,
) -> list[tuple[int, float, int, float]]:
    """Return (step, steps, MIDI pitch, velocity) of one phrase.

    `chords` has one entry per step. The first bar states a motif; later bars repeat it, move it with the
    harmony or answer it, and the last one comes to rest on a chord note. The same `seed` gives the same
    phrase; `variation` changes only its answers, so that a section comes back recognisably.
    """
    motif_rng, answer_rng = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2, variation])
    motif = _motif(bar_steps, density, motif_rng)
    other = _motif(bar_steps, density, motif_rng)
    line: list[tuple[int, float, int, float]] = []
    pitch = centre + float(motif_rng.integers(-3, 4))
    for bar in range(bars):
        resting = bar % 4 == 3 or bar == bars - 1
        figure = other if bar % 4 == 2 else motif
        if bar % 2 and answer_rng.random() < 0.4:
            figure = _ornamented(figure, answer_rng)
        if resting:
            figure = _closing(figure, bar_steps)
        pitch = _place(figure, chords, bar * bar_steps, pitch, centre, line)
    return line


Figure = list[tuple[int, int, int]]
"""(step, steps, move in scale steps) within a bar."""


def _motif(bar_steps: int, density: float, rng: np.random.Generator) -> Figure:
    """Make a bar of rhythm and contour; long notes leap more, short ones step."""
    cells = CELLS[int(np.clip(density * 4, 0, 3))]
    figure: Figure = []
    step = int(rng.choice((0, 0, 0, 2))) if density < 0.8 else 0
    direction = int(rng.choice((-1, 1)))
    while step < bar_steps:
        for length in cells[int(rng.integers(len(cells)))]:
            if step >= bar_steps:
                break
            fitted = min(length, bar_steps - step)
            move = (
                direction * int(rng.choice((0, 1, 1, 2)))
                if fitted < 8
                else direction * int(rng.choice((1, 2, 3)))
            )
            figure.append((step, fitted, move))
            step += fitted
            if rng.random() < 0.35:
                direction = -direction
    return figure


def _ornamented(figure: Figure, rng: np.random.Generator) -> Figure:
    """Vary a figure: split one longer note into two neighbours."""
    longest = max(range(len(figure)), key=lambda i: figure[i][1])
    step, steps, move = figure[longest]
    if steps < 4:
        return figure
    turn = int(rng.choice((-1, 1)))
    halves = [(step, steps // 2, move), (step + steps // 2, steps - steps // 2, turn)]
    return figure[:longest] + halves + figure[longest + 1 :]


def _closing(figure: Figure, bar_steps: int) -> Figure:
    """End a phrase: keep the first half, hold its last note, then breathe."""
    kept = [entry for entry in figure if entry[0] < bar_steps // 2] or figure[:1]
    step, _, move = kept[-1]
    return [*kept[:-1], (step, max(1, bar_steps - 2 - step), move)]


def _place(
    figure: Figure,
    chords: Sequence[Chord],
    start: int,
    pitch: float,
    centre: float,
    line: list[tuple[int, float, int, float]],
) -> float:
    """Put a figure over the chords: chord notes where weight falls, scale notes between; return the last pitch."""
    for step, steps, move in figure:
        chord = chords[min(start + step, len(chords) - 1)]
        if abs(pitch - centre) > RANGE - 3:
            move = -abs(move) if pitch > centre else abs(move)
        goal = float(np.clip(pitch + 1.75 * move, centre - RANGE, centre + RANGE))
        weighty = step % 8 == 0 or steps >= 4
        chosen = nearest_pitch(goal, chord.tones if weighty else chord.scale)
        line.append((start + step, steps, chosen, 0.85 if step % 8 == 0 else 0.7))
        pitch = chosen
    return pitch
