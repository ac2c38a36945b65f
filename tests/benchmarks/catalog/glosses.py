"""Which style is picked for texts in other languages, which the default encoder reads word for word in English.

    python tests/benchmarks/catalog/glosses.py

Texts in ten languages that judges labelled in their own language (see `music_fit/TASK.md`). Nothing is fitted to them,
and the dictionaries were written without them. Beside the pick stands the best constant. Then pairs of such a text and
a track on the shelf that judges graded (see `music_fit/PAIRS.md`): how often a track passes, by the chance that the
brief gives its style.
"""

from __future__ import annotations

import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from fit_music import auc
from music_labels import read_labels, read_pairs, read_tracks

from music_catalog import presets
from music_catalog.brief.supervisor import Supervisor
from music_catalog.glossary.glossary import LANGUAGES
from music_catalog.models import Brief, Context
from music_catalog.text import encoder as encoders
from music_catalog.text.features import features_of
from music_catalog.text.parsed import parse

CONSTANT = "documentary_neutral"
CHANCES = (0.25, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0)


def main() -> None:
    encoder, home = encoders.load(), Path()
    supervisor = Supervisor(presets.load(None).styles, encoder, None, home)

    def read(text: str) -> Brief:
        context = Context(text=text)
        parsed = parse(context, encoder, None)
        brief, _ = supervisor.read(context, parsed, features_of(context, parsed))
        assert brief is not None
        return brief

    rows = [row for row in read_labels(None) if row.get("part") == "languages"]
    briefs = {row["id"]: read(row["text"]) for row in rows}
    print("wrong, fits: the brief; always " + CONSTANT)
    for code in (*LANGUAGES, "all"):
        here = [row for row in rows if code in (row["lang"], "all")]
        picked = _shares([_grade(row, _pick(briefs[row["id"]])) for row in here])
        constant = _shares([_grade(row, CONSTANT) for row in here])
        print(f"{code:4} {len(here):4} texts: {picked}; {constant}")
    wanted = np.array([[row["valence"], row["energy"]] for row in rows])
    found = np.array([[briefs[row["id"]].valence, briefs[row["id"]].energy] for row in rows])
    correlations = [np.corrcoef(wanted[:, axis], found[:, axis])[0, 1] for axis in (0, 1)]
    print("r of valence {:.2f}, of energy {:.2f}".format(*correlations))
    _measure_pairs(briefs)


def _pick(brief: Brief) -> str:
    return max(brief.styles, key=lambda name: brief.styles[name].fits + brief.styles[name].passes)


def _grade(row: dict[str, Any], style: str) -> int:
    """Return 2 where a judge holds that the style fits the text, 1 where it passes, 0 where it is wrong."""
    return 2 if style in row["fits"] else int(style in row["passable"])


def _shares(grades: list[int]) -> str:
    counts = Counter(grades)
    return f"{counts[0] / len(grades):5.1%}, {counts[2] / len(grades):5.1%}"


def _measure_pairs(briefs: dict[str, Brief]) -> None:
    tracks, pairs = read_tracks(), read_pairs("language_pairs")
    chance = np.array([briefs[pair["text"]].styles[tracks[pair["track"]]["style"]].passes for pair in pairs])
    grade = np.array([pair["grade"] for pair in pairs])
    print(
        f"\n{len(pairs)} graded pairs; AUC of the style's chance, wrong against the rest: {auc(chance, grade > 0):.3f}"
    )
    for low, high in pairwise(CHANCES):
        here = grade[(chance >= low) & (chance <= high)]
        if len(here):
            shares = _shares(here.tolist())
            print(
                f"  chance to pass {low:.2f} to {high:.2f}: {len(here):4} pairs, {shares} wrong and fitting"
            )
    first = {(pair["text"], pair["track"]): pair["grade"] for pair in pairs}
    again = read_pairs("second_language_pairs")
    same = [first[pair["text"], pair["track"]] == pair["grade"] for pair in again]
    print(f"two judges, {len(same)} pairs: the same grade {np.mean(same):.0%}")


if __name__ == "__main__":
    main()
