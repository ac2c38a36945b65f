"""Melodies: lines written over chords from a motif, and the tune of a recording, to be followed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import GeneratorError
from ..protocol import Audio
from .harmony import SCALES, Chord, nearest_pitch
from .parameters import Synthesis, Tonic, names_of
from .tones import Floats

__all__ = ["follow_tune", "melody_line"]


RANGE = 10
"""Semitones by which the line may leave its centre."""

CELLS: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((8,), (12, 4), (8, 8), (4, 12), (16,)),
    ((4, 4), (8, 4, 4), (6, 2, 8), (4, 4, 8), (4, 8, 4)),
    ((2, 2, 4), (4, 2, 2), (3, 3, 2), (4, 4), (6, 2), (2, 4, 2)),
    ((2, 2, 2, 2), (3, 3, 2), (2, 1, 1, 4), (1, 1, 2, 4), (2, 2, 4)),
)
"""Rhythm cells in sixteenths, from sparse to busy."""

LOW_HZ, HIGH_HZ = 110.0, 2000.0
SILENT_DB = -40.0
"""Half beats of a tune this far below its loudest one are pauses."""


# Lines over chords


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
    """Return a bar of rhythm and contour; long notes leap, short ones step."""
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
    """Return the figure with its longest note split into two neighbours."""
    longest = max(range(len(figure)), key=lambda i: figure[i][1])
    step, steps, move = figure[longest]
    if steps < 4:
        return figure
    turn = int(rng.choice((-1, 1)))
    halves = [(step, steps // 2, move), (step + steps // 2, steps - steps // 2, turn)]
    return figure[:longest] + halves + figure[longest + 1 :]


def _closing(figure: Figure, bar_steps: int) -> Figure:
    """Return the end of a phrase: the first half of the figure, its last note held, then a rest."""
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
    """Add a figure to the line, chord notes on strong steps and scale notes between; return the last pitch."""
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


# The tune of a recording


def follow_tune(melody: Audio, synthesis: Synthesis) -> tuple[Synthesis, tuple[int, ...]]:
    """Return the synthesis moved to the melody's key, and a pitch class per half beat (-1 where silent).

    A synthesis without a lead gets a flute. Raises GeneratorError for a melody without a pitch.
    """
    slot_s = 30.0 / synthesis.tempo_bpm
    chroma = _chroma(melody, slot_s)
    energy = chroma.sum(axis=1)
    if energy.size == 0 or energy.max() <= 0:
        raise GeneratorError(
            "the melody is silent or has no pitch between 110 and 2,000 Hz; pass a sung or played tune"
        )
    loud = energy > energy.max() * 10 ** (SILENT_DB / 10)
    tune = tuple(int(c) if sounds else -1 for c, sounds in zip(chroma.argmax(axis=1), loud, strict=True))
    tonic = _best_tonic(chroma.sum(axis=0), synthesis.mode)
    lead = "flute" if synthesis.lead == "none" else synthesis.lead
    return synthesis.model_copy(update={"tonic": names_of(Tonic)[tonic], "lead": lead}), tune


def _chroma(melody: Audio, slot_s: float) -> Floats:
    """Return power per half beat and pitch class, C first, shape (slots, 12).

    `generator.musicgen.chroma` has the chroma of MusicGen's reference, in frames of its own, to which its weights are
    bound. Here a window is one half beat, and each bin counts for the nearest pitch class alone.
    """
    mono = melody.samples.mean(axis=1).astype(np.float64)
    slot = max(1, int(slot_s * melody.sample_rate))
    count = mono.shape[0] // slot
    size = max(8192, 1 << int(np.ceil(np.log2(slot))))
    freqs = np.fft.rfftfreq(size, 1 / melody.sample_rate)
    pitched = (freqs > LOW_HZ) & (freqs < HIGH_HZ)
    classes = np.round(69 + 12 * np.log2(freqs[pitched] / 440.0)).astype(int) % 12
    chroma = np.zeros((count, 12))
    window = np.hanning(slot)
    for index in range(count):
        power = np.abs(np.fft.rfft(mono[index * slot : (index + 1) * slot] * window, size)[pitched]) ** 2
        # The weak bins are overtones and noise, which would vote for other pitches.
        power[power < 0.1 * power.max(initial=0.0)] = 0.0
        np.add.at(chroma[index], classes, power)
    return chroma


def _best_tonic(weights: Floats, mode: str) -> int:
    """Return the tonic whose scale in `mode` holds most of the energy, with weight on tonic and fifth."""
    scale = SCALES[mode]
    fits = [
        sum(weights[(tonic + step) % 12] for step in scale)
        + 0.5 * weights[tonic]
        + 0.3 * weights[(tonic + 7) % 12]
        for tonic in range(12)
    ]
    return int(np.argmax(fits))
