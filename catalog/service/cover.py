"""Choose few of many candidates so that together they cover most, and suit it best: greedy cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pick", "greedy_cover"]


@dataclass(frozen=True)
class Pick:
    """A candidate that was chosen."""

    candidate: int
    """Its row in the matrix."""
    newly_covered: int
    fit_gained: float
    """By how much it suits things better than what was chosen before, summed over the things."""
    covered: int
    """How many are covered once it is chosen, those that were covered at the beginning included."""


def greedy_cover(
    covers: NDArray[np.bool_],
    names: Sequence[str],
    count: int,
    *,
    covered: NDArray[np.bool_] | None = None,
    first: Sequence[int] = (),
    suits: NDArray[np.float32] | None = None,
    least: float = 0.0,
) -> list[Pick]:
    """Choose up to `count` rows of `covers`, shape (candidates, things), each the one that covers most of the rest.

    `suits`, of the same shape, says from 0 to 1 how well a candidate suits each thing that it covers. Of rows that
    cover equally many more, the one is chosen that suits things best, beyond what is chosen before; then the one whose
    name is first in the alphabet. Where nothing more can be covered, rows that suit one thing better by more than
    `least` follow, those that do most in sum first. No other row is chosen that covers nothing more. `covered`, shape
    (things,), marks what needs no cover and can be suited no better. The rows in `first` are chosen before all others,
    in their order and whatever they cover. No choice of as many rows covers more than 1 / (1 - 1/e), about 1.6, times
    as much (Nemhauser, Wolsey and Fisher 1978), `first` aside.
    """
    order = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)
    ranked = covers[order]
    suited = np.zeros(ranked.shape, np.float32) if suits is None else np.where(ranked, suits[order], 0.0)
    left = np.ones(covers.shape[1], dtype=bool) if covered is None else ~covered
    best_so_far = np.where(left, np.float32(0.0), np.float32(1.0))
    picks: list[Pick] = []

    def choose(place: int) -> None:
        gain, better = int((ranked[place] & left).sum()), np.maximum(suited[place] - best_so_far, 0.0).sum()
        left[ranked[place]] = False
        np.maximum(best_so_far, suited[place], out=best_so_far)
        picks.append(Pick(int(order[place]), gain, float(better), int(left.size - left.sum())))

    for row in first[:count]:
        choose(int(np.flatnonzero(order == row)[0]))
    while len(picks) < count and len(order):
        gains, better = ranked[:, left].sum(axis=1), np.maximum(suited - best_so_far, 0.0)
        in_sum = better.sum(axis=1)
        if gains.any():
            # What it suits better never outweighs one more thing that is covered.
            choose(int((gains + in_sum / (covers.shape[1] + 1)).argmax()))
            continue
        clearly = better.max(axis=1, initial=0.0) > least
        if not clearly.any():
            break
        choose(int(np.where(clearly, in_sum, 0.0).argmax()))
    return picks
