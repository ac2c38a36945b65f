"""Measure how many texts the tracks of `catalog stock` would serve, by labels that the plan does not see.

    python tests/benchmarks/catalog/stock.py [--eval-dir DIR]

A plan is made from half of the labelled English texts of each kind (`music_fit/`). Of the other half it is counted for
how many the judges hold the style of at least one planned track to be passable. Rivals, with as many styles: those
that are most often right by the labels of the first half, the picks for random texts of it, and random styles.
Greedy cover by the labels of the first half shows what is within reach. Minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from music_labels import read_labels

from music_catalog import MusicService
from music_catalog.models import Features
from music_catalog.reuse import certificate, music_certificate
from music_catalog.reuse.terms import checked_terms
from music_catalog.reuse.weighing import serves_by_music
from music_catalog.service.cover import greedy_cover
from music_catalog.service.stock_plan import Music

COUNTS = (4, 8, 16, 32)
SEED = 0
DRAWS = 200
PICKED = 200
"""For how many random texts the style is picked that random picks are drawn from."""
Row = dict[str, Any]


def halves(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Return two halves of the texts of each kind."""
    random = np.random.default_rng(SEED)
    first: list[Row] = []
    second: list[Row] = []
    for kind in sorted({row["kind"] for row in rows}):
        of_kind = [row for row in rows if row["kind"] == kind]
        order = random.permutation(len(of_kind))
        first += [of_kind[number] for number in order[: len(order) // 2]]
        second += [of_kind[number] for number in order[len(order) // 2 :]]
    return first, second


def served(styles: Collection[str], rows: Sequence[Row]) -> float:
    """Return the share of texts for which one of `styles` is at least passable."""
    return float(np.mean([bool({*styles} & {*row["fits"], *row["passable"]}) for row in rows]))


def music_like(style: str, mood: Features) -> Music:
    """Return the music of a track of `style` that was made for a text of that mood."""
    return Music(style, mood.valence, mood.energy, mood.mood_tags)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--eval-dir", type=Path, help="the folder of public data sets; without it authored texts only"
    )
    options = parser.parse_args()
    # The earlier labels know fewer styles.
    rows = [row for row in read_labels(options.eval_dir) if row["lang"] == "en" and not row.get("earlier")]
    first, second = halves(rows)
    with tempfile.TemporaryDirectory() as home, MusicService.open(home) as service:
        names = sorted(service.library.styles)
        plan = service.plan_stock(
            [row["text"] for row in first], COUNTS[-1], sample=len(first), role="background_bed"
        )
        random = np.random.default_rng(SEED)
        drawn = random.choice(len(first), min(PICKED, len(first)), replace=False)
        requests = [service.explain(first[number]["text"], log=False).request for number in drawn]
        styles, encoder, folder = service.library.styles, service.encoder.identity, service.store.home
    terms = checked_terms(
        certificate.standing(folder, encoder),
        "auto",
        None,
        None,
        music=music_certificate.standing(folder, encoder),
    )
    picks = [request.style for request in requests]
    sure = [
        name in (*first[number]["fits"], *first[number]["passable"])
        for number, request in zip(drawn, requests, strict=True)
        for name in names
        if serves_by_music(request, music_like(name, request.features), terms, styles)
    ]
    right = np.array([[name in (*row["fits"], *row["passable"]) for row in first] for name in names])
    popular = [names[number] for number in np.argsort(-right.sum(axis=1), kind="stable")]
    within_reach = [names[pick.candidate] for pick in greedy_cover(right, names, COUNTS[-1])]

    def mean_of(pool: Sequence[str], count: int) -> float:
        draws = [random.choice(pool, min(count, len(pool)), replace=False) for _ in range(DRAWS)]
        return float(np.mean([served(styles.tolist(), second) for styles in draws]))

    print(f"planned from {len(first)} texts, counted on {len(second)} others of the same kinds")
    print(
        f"of {len(sure)} pairs of one of {len(drawn)} texts and a style of its mood that the decision reuses,"
    )
    print(f"{np.mean(sure):.1%} are passable by the labels")
    print(f"the plan has {len(plan.tracks)} tracks; {plan.note or 'as many as were asked for'}\n")
    print(
        f"{'tracks':>6} {'in the plan':>12} {'its own claim':>14} {'by labels':>10} {'most often right':>17} "
        f"{'random picks':>13} {'random styles':>14} {'greedy on labels':>17}"
    )
    for count in COUNTS:
        tracks = plan.tracks[:count]
        shares = (
            served({one.style for one in tracks}, second),
            served(popular[:count], second),
            mean_of(picks, count),
            mean_of(names, count),
            served(within_reach[:count], second),
        )
        planned, usual, picked, guessed, reach = (f"{share:.1%}" for share in shares)
        print(
            f"{count:6} {len(tracks):12} {tracks[-1].share:14.1%} {planned:>10} {usual:>17} {picked:>13} "
            f"{guessed:>14} {reach:>17}"
        )


if __name__ == "__main__":
    main()
