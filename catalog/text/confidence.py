"""How far a reading may be trusted, 0 to 1, as measured on labelled rows; docs/FEATURES.md holds the tables.

The slopes below were fitted to rows that the benchmark's tables do not count: training rows of EmoBank (read by heads
fitted to other folds) and GoEmotions, and half of the LIGHT rooms with encyclopaedic passages.
"""

from __future__ import annotations

import math
from typing import Literal

from .setting import Staged, Told

__all__ = ["Reader", "of_environment", "of_side", "of_tags", "of_time_of_day"]


Reader = Literal["heads", "prototypes", "text"]
"""Who reads what mood words leave open; "text" has no encoder and knows the words only."""

_SIDE = {
    "valence": {"heads": 3.9, "prototypes": 4.2, "text": 4.3},
    "energy": {"heads": 2.5, "prototypes": 1.7, "text": 2.2},
}
_TAGS = {"heads": (-2.15, 1.5, 4.2), "prototypes": (-0.4, 1.8, 0.0), "text": (-0.1, 1.3, 0.0)}
_STAGED = {True: ((0.25, 1.5), (1.6, -3.7)), False: ((-0.3, 1.0), (-0.7, -3.8))}


def of_side(name: Literal["valence", "energy"], value: float, usual: float, reader: Reader) -> float:
    """Return the chance that the text lies on the same side of the `usual` value as the reading: 0.5 at that value."""
    return _logistic(_SIDE[name][reader] * abs(value - usual))


def of_tags(named: float, chance: float, reader: Reader) -> float:
    """Return the chance that the first mood is of the right kind: one of Ekman's six emotions, or neutral.

    `named` is the share of the mood that words decide, 0 where they do not name the first tag; `chance` is the heads'
    own for that kind (`Heads.chance`).
    """
    offset, by_words, by_heads = _TAGS[reader]
    return _logistic(offset + by_words * named + by_heads * chance)


def of_environment(found: Staged, *, encoded: bool) -> float:
    """Return the chance that the environment, or that there is none, is right."""
    said, none = _STAGED[encoded]
    offset, slope = said if found.environment else none
    return _logistic(offset + slope * found.lead)


def of_time_of_day(found: Told) -> float:
    """Return a value that grows with the words for the time of day, or with their absence; no measured chance."""
    return 0.5 + 0.5 * (found.lead if found.time_of_day else 1 - min(1.0, found.lead))


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))
