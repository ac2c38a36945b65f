"""Choose few of many candidates so that together they cover most: greedy cover."""

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
    covered: int
    """How many are covered once it is chosen, those that were covered at the beginning included."""


def greedy_cover(
    covers: NDArray[np.bool_],
    names: Sequence[str],
    count: int,
    *,
    covered: NDArray[np.bool_] | None = None,
    first: Sequence[int] = (),
) -> list[Pick]:
    """Choose up to `count` rows of `covers`, shape (candidates, things), each the one that covers most of the rest.

    Of rows that cover equally many more, the one whose name is first in the alphabet is chosen. No row is chosen that
    covers nothing more. `covered`, shape (things,), marks what needs no cover. The rows in `first` are chosen before
    all others, in their order and whatever they cover. No choice of as many rows covers more than 1 / (1 - 1/e), about
    1.6, times as much (Nemhauser, Wolsey and Fisher 1978), `first` aside.
    """
    order = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)
    ranked = covers[order]
    left = np.ones(covers.shape[1], dtype=bool) if covered is None else ~covered
    picks: list[Pick] = []

    def choose(row: int, gain: int) -> None:
        left[covers[row]] = False
        picks.append(Pick(row, gain, int(left.size - left.sum())))

    for row in first[:count]:
        choose(row, int((covers[row] & left).sum()))
    while len(picks) < count and len(order):
        gains = ranked[:, left].sum(axis=1)
        best = int(gains.argmax())
        if gains[best] == 0:
            break
        choose(int(order[best]), int(gains[best]))
    return picks
