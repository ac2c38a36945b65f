"""How far a reading may be trusted, 0 to 1, as measured on labelled rows; docs/FEATURES.md holds the tables.

The slopes were fitted to rows that the tables leave out: training rows of EmoBank (read by heads that were fitted to
other folds) and of GoEmotions, and half of the LIGHT rooms with encyclopaedic passages.
"""

from __future__ import annotations

import math
from typing import Literal

from .setting import PlaceReading, TimeReading

__all__ = ["Reader", "of_environment", "of_side", "of_tags", "of_time_of_day"]


Reader = Literal["heads", "prototypes", "text"]
"""Who reads what the mood words leave open; "text" is without an encoder, by words alone."""

_SIDE = {
    "valence": {"heads": 3.9, "prototypes": 4.2, "text": 4.3},
    "energy": {"heads": 2.5, "prototypes": 1.7, "text": 2.2},
}
_TAGS = {"heads": (-2.15, 1.5, 4.2), "prototypes": (-0.4, 1.8, 0.0), "text": (-0.1, 1.3, 0.0)}
_PLACE = {True: ((0.25, 1.5), (1.6, -3.7)), False: ((-0.3, 1.0), (-0.7, -3.8))}


def of_side(name: Literal["valence", "energy"], value: float, usual: float, reader: Reader) -> float:
    """Return the chance that the text lies on the side of the `usual` value where it was read; 0.5 at that value."""
    return _logistic(_SIDE[name][reader] * abs(value - usual))


def of_tags(named: float, chance: float, reader: Reader) -> float:
    """Return the chance that the first mood is of the right kind: one of Ekman's six emotions, or neutral.

    `named` is the share of the mood that words decide, 0 where they do not name the first tag; `chance` is that of the
    heads for this kind (`Heads.chance`).
    """
    offset, by_words, by_heads = _TAGS[reader]
    return _logistic(offset + by_words * named + by_heads * chance)


def of_environment(place: PlaceReading, *, encoded: bool) -> float:
    """Return the chance that the environment, or its absence, is right. `encoded`: an encoder was used."""
    present, absent = _PLACE[encoded]
    offset, slope = present if place.environment else absent
    return _logistic(offset + slope * place.lead)


def of_time_of_day(time: TimeReading) -> float:
    """Return a value that grows with the words for the time of day, or with their absence; not a measured chance."""
    return 0.5 + 0.5 * (time.lead if time.time_of_day else 1 - min(1.0, time.lead))


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))
