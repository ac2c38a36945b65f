"""How near the beats are to the synthesizer's own grid, and the sections to known joins of two pieces.

Renders every shipped style and place with two seeds that nothing was tuned on. Beats: F-measure at 70 ms, with the
measured tempo, beside a plain grid of that tempo that begins at 0; once as the piece was made, where the true grid
begins at 0 too, and once cut at a random place, as music from elsewhere begins. Sections: a part of one piece, a part
of another, another part of the first; within 0.5 and 3 s, beside three equal parts. About two minutes of processor
time. Run from the repository root: python -m tests.benchmarks.generator.structure
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml

from music_catalog import presets
from music_catalog.generator.audio import analysis, resample, to_mono
from music_catalog.generator.listening.beats import beat_times
from music_catalog.generator.listening.sections import find_sections
from music_catalog.generator.protocol import Audio
from music_catalog.generator.synth.generator import ProceduralGenerator

RATE = 22_050
DURATION_S, TAIL_S = 24.0, 1.5
"""Of a piece, and of its last chord, where the grid has ended."""
SEEDS = (3, 4)
WITHIN_S = 0.07
JOINS, JOIN_WITHIN_S = 40, (0.5, 3.0)


def renders() -> Iterator[tuple[str, np.ndarray, float]]:
    """Yield the style, the signal and the true tempo of each piece."""
    for file in ("styles.yaml", "environments.yaml"):
        document = yaml.safe_load((Path(presets.__file__).parent / file).read_text("utf-8"))
        for name, preset in document["musicgen"]["presets"].items():
            for seed in SEEDS:
                config = {"duration_s": DURATION_S, "seed": seed, "synthesis": preset["synthesis"]}
                audio = ProceduralGenerator().generate_music("a prompt", config)
                signal = resample(to_mono(audio), RATE).samples[:, 0]
                yield name, signal, audio.provenance["tempo_bpm"]


def f_measure(found: np.ndarray, true: np.ndarray) -> float:
    """Return the F-measure of beats within 70 ms, each used once (Davies, Degara and Plumbley 2009)."""
    hits, at = 0, 0
    for beat in found:
        while at < len(true) and true[at] < beat - WITHIN_S:
            at += 1
        if at < len(true) and abs(true[at] - beat) <= WITHIN_S:
            hits, at = hits + 1, at + 1
    return 2 * hits / max(1, len(found) + len(true))


def beats_of(pieces: list[tuple[str, np.ndarray, float]]) -> None:
    """Print a row for each style, and the means over the pieces in which a tempo is measured."""
    random = np.random.default_rng(0)
    rows: dict[str, list[list[float]]] = {}
    without, spent_s = 0, 0.0
    for name, signal, tempo in pieces:
        measured = analysis.tempo_bpm(Audio(signal[:, None], RATE))
        if measured is None:
            without += 1
            rows.setdefault(name, [])
            continue
        cut_s = float(random.uniform(0.2, 1.5))
        row = []
        for start_s in (0.0, cut_s):
            part = signal[round(start_s * RATE) :]
            end_s = DURATION_S - TAIL_S - start_s
            true = np.arange(0, DURATION_S - TAIL_S, 60 / tempo) - start_s
            began = time.process_time()
            found = beat_times(part, measured)
            spent_s += time.process_time() - began
            grid = np.arange(0, end_s, 60 / measured)
            row += [f_measure(found[found < end_s], true[true >= 0]), f_measure(grid, true[true >= 0])]
        rows.setdefault(name, []).append(row)
    print(f"beats, F-measure at 70 ms{'':15}as made{'':10}cut at random\n{'':36}beats   grid    beats   grid")
    for name, measures in rows.items():
        means = np.mean(measures, axis=0) if measures else None
        print(f"{name:34}" + ("  no pulse" if means is None else "".join(f"{one:7.2f}" for one in means)))
    every = np.array([row for measures in rows.values() for row in measures])
    print(
        f"{f'mean of {len(every)}, {without} without a pulse':34}"
        + "".join(f"{one:7.3f}" for one in every.mean(axis=0))
    )
    right = (every[:, [2, 3]] > 0.9).sum(axis=0)
    print(f"above 0.9, cut at random: {right[0]} by beats, {right[1]} by the grid, of {len(every)}")
    print(f"{1000 * spent_s / len(every) / 2 * 30 / DURATION_S:.0f} ms of processor time for 30 s\n")


def sections_of(pieces: list[tuple[str, np.ndarray, float]]) -> None:
    """Print how many joins are found, how many changes are joins, and how often the labels are A, B, A."""
    random = np.random.default_rng(0)
    hits = {way: dict.fromkeys(JOIN_WITHIN_S, 0) for way in ("sections", "thirds")}
    found, there_and_back, spent_s, length_s = 0, 0, 0.0, 0.0
    for _ in range(JOINS):
        one, other = (pieces[at][1] for at in random.choice(len(pieces), 2, replace=False))
        ends = [*random.uniform(12, 22, 2)]
        last_s = float(random.uniform(12, 22))
        first = round(random.uniform(0, DURATION_S - last_s) * RATE)
        parts = (
            one[: round(ends[0] * RATE)],
            other[: round(ends[1] * RATE)],
            one[first : first + round(last_s * RATE)],
        )
        true, whole_s = np.cumsum(ends), sum(map(len, parts)) / RATE
        began = time.process_time()
        sections = find_sections(np.concatenate(parts))
        spent_s, length_s = spent_s + time.process_time() - began, length_s + whole_s
        changes = {
            "sections": [section.start_s for section in sections[1:]],
            "thirds": [whole_s / 3, 2 * whole_s / 3],
        }
        found += len(changes["sections"])
        for way, times in changes.items():
            for within_s in JOIN_WITHIN_S:
                hits[way][within_s] += sum(any(abs(at - join) <= within_s for at in times) for join in true)
        there_and_back += [section.label for section in sections] == ["A", "B", "A"]
    print(f"{2 * JOINS} joins in {JOINS} recordings A B A; {found} changes found")
    print(f"{'':12}{'found':>8}{'right':>8}{'F':>7}")
    for way, count in (("sections", found), ("thirds", 2 * JOINS)):
        for within_s in JOIN_WITHIN_S:
            hit = hits[way][within_s]
            print(
                f"{way:9}{within_s:3.1f} s{hit / JOINS / 2:8.2f}{hit / count:8.2f}{2 * hit / (2 * JOINS + count):7.2f}"
            )
    singles = [len(find_sections(signal)) for _, signal, _ in pieces[::2]]
    print(f"labelled A B A: {there_and_back} of {JOINS}; one piece alone has {np.mean(singles):.2f} sections")
    print(f"{1000 * spent_s / length_s * 30:.0f} ms of processor time for 30 s")


def main() -> None:
    """Print both tables."""
    pieces = list(renders())
    beats_of(pieces)
    sections_of(pieces)


if __name__ == "__main__":
    main()
