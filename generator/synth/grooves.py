"""Drum grooves on a grid of sixteenths, and the fill that leads from one section to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["DRUMS", "FILL", "Drums", "Fill"]


@dataclass(frozen=True)
class Drums:
    """A groove. Each drum has one digit per sixteenth: 0 or '.' silent, 9 loudest; 12 steps for threes.

    `quiet` names the drums that stay in thin sections; `ornaments` are added as density rises.
    """

    four: Mapping[str, str]
    three: Mapping[str, str]
    quiet: tuple[str, ...]
    ending: tuple[str, ...] = ("kick", "crash")
    ornaments: tuple[str, ...] = ()
    fill: str = "snare"

    def bar(
        self, steps: int, density: float, intensity: float, rng: np.random.Generator
    ) -> list[tuple[str, int, float]]:
        """Return (drum, step, velocity) for each stroke of one bar."""
        rows = self.three if steps == 12 else self.four
        hits = []
        for drum, row in rows.items():
            if intensity < 0.5 and drum not in self.quiet:
                continue
            if drum in self.ornaments and density < 0.35:
                continue
            for step, digit in enumerate(row):
                if digit in ".0":
                    continue
                velocity = int(digit) / 9
                keep = min(1.0, 0.35 + density + velocity * velocity)  # light strokes go first when sparse
                if velocity > 0.6 or rng.random() < keep:
                    hits.append((drum, step, velocity * (0.6 + 0.4 * intensity)))
        return hits


@dataclass(frozen=True)
class Fill:
    """The last beat before a new section: which drums of the groove it replaces."""

    replaces: tuple[str, ...]

    def strokes(self, drums: Drums, rng: np.random.Generator) -> list[tuple[str, float]]:
        """Return (drum, velocity) of four sixteenths that grow louder, one of the first three left out."""
        names = (drums.fill, drums.fill, "tom" if drums.fill == "snare" else drums.fill, "kick")
        skip = int(rng.integers(0, 3))
        return [(name, 0.4 + 0.13 * i) for i, name in enumerate(names) if i != skip]


FILL = Fill(replaces=("snare", "clap", "hat", "open_hat", "tom"))

DRUMS: Mapping[str, Drums] = {
    "four_on_floor": Drums(
        {"kick": "9...9...9...9...", "clap": "....8.......8...", "hat": "..6...6...6...6.",
         "shaker": "3232323232323232"},
        {"kick": "9...9...9...", "clap": "....7...7...", "hat": "..6...6...6."},
        quiet=("hat", "shaker"), ornaments=("shaker",), fill="clap",
    ),
    "backbeat": Drums(
        {"kick": "9.......8.4.....", "snare": "....8..1....8..2", "hat": "6.4.6.4.6.4.6.4."},
        {"kick": "9.....5.....", "snare": "......8.....", "hat": "6.4.5.4.5.4."},
        quiet=("hat",),
    ),
    "boom_bap": Drums(
        {"kick": "9......5..8.....", "snare": "....8.......8...", "hat": "5.4.5.3.5.4.5.32",
         "rim": ".......2......2."},
        {"kick": "9.....6.....", "snare": "......8.....", "hat": "5.3.4.3.4.3."},
        quiet=("hat",), ornaments=("rim",), ending=("kick", "hat"),
    ),
    "half_time": Drums(
        {"kick": "9.....6.........", "snare": "........9.......", "hat": "5.2.4.2.5.2.4.22"},
        {"kick": "9.....4.....", "snare": "......8.....", "hat": "4...3...3..."},
        quiet=("kick",),
    ),
    "breakbeat": Drums(
        {"kick": "9.9.......98....", "snare": "....8..3.3..8..3", "hat": "6.6.6.6.6.6.6.6.",
         "shaker": ".3.3.3.3.3.3.3.3"},
        {"kick": "9.5...8.5...", "snare": "......8...3.", "hat": "6.5.6.5.6.5."},
        quiet=("hat",), ornaments=("shaker",),
    ),
    "swing": Drums(
        {"ride": "7...6.3.7...6.3.", "hat": "....5.......5...", "kick": "3.......2.......",
         "snare": "......1.......2."},
        {"ride": "7...5...5...", "hat": "....4...4...", "kick": "4..........."},
        quiet=("ride", "hat"), ending=("ride", "kick"),
    ),
    "bossa": Drums(
        {"kick": "7..56..57..56..5", "rim": "6..6..6...6..6..", "shaker": "5343534353435343"},
        {"kick": "7.....5.....", "rim": "....5...5...", "shaker": "5.3.4.3.4.3."},
        quiet=("shaker", "rim"), ending=("rim", "kick"), fill="rim",
    ),
    "waltz": Drums(
        {"kick": "7.......5.......", "hat": "....4...4...4..."},
        {"kick": "7...........", "hat": "....4...4...", "snare": "....2...2..."},
        quiet=("hat",), ending=("kick",),
    ),
    "march": Drums(
        {"kick": "8.......8.......", "snare": "6.4.6.444.4.6.44", "crash": "5..............."},
        {"kick": "8...........", "snare": "6.4.5.4.5.44"},
        quiet=("snare",),
    ),
    "taiko": Drums(
        {"taiko": "9..5..5.9.5.7.5.", "kick": "9.......9.......", "tom": "..4.44..4.4..444",
         "stick": ".3.3.3.3.3.3.3.3"},
        {"taiko": "9..5..7..5..", "kick": "9.....7.....", "tom": ".44.44.44.44"},
        quiet=("taiko",), ornaments=("stick", "tom"), ending=("taiko", "kick"), fill="taiko",
    ),
    "hand": Drums(
        {"low_hand": "8.....5.7.......", "high_hand": "...5..3.....6.3.", "shaker": "4.2.4.2.4.2.4.2."},
        {"low_hand": "8.....6.....", "high_hand": "...4..3..5.3", "shaker": "4.2.3.2.3.2."},
        quiet=("shaker", "low_hand"), ornaments=("shaker",), ending=("low_hand",), fill="high_hand",
    ),
    "pulse": Drums(
        {"kick": "6...5...6...5...", "shaker": "4.3.4.3.4.3.4.3."},
        {"kick": "6.....5.....", "shaker": "4.3.3.3.3.3."},
        quiet=("kick",), ornaments=("shaker",), ending=("kick",), fill="shaker",
    ),
    "shuffle": Drums(
        {"kick": "8.....3.8.......", "snare": "....7.......7..2", "ride": "6...5.4.6...5.4."},
        {"kick": "8.....5.....", "snare": "......7.....", "ride": "6.4.5.4.5.4."},
        quiet=("ride",),
    ),
    "gallop": Drums(
        {"kick": "9.779.779.779.77", "snare": "....8.......8...", "open_hat": "6...6...6...6...",
         "taiko": "8.......8......."},
        {"kick": "9.79.79.79.7", "snare": "......8.....", "open_hat": "6..6..6..6.."},
        quiet=("kick",),
    ),
    "sparse": Drums(
        {"kick": "6...............", "rim": "............3...", "shaker": "..2...2...2...2."},
        {"kick": "6...........", "shaker": "....2...2..."},
        quiet=("kick", "shaker"), ending=("kick",), fill="rim",
    ),
}  # fmt: skip
"""Name of a groove -> what each drum plays."""
