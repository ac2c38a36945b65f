"""Where and when a text takes place: one of the twelve environments and six times of day, or none.

Most texts stage no place, and a wrong one is worse than none, so words alone must be dense, and with an encoder the
text must also lie nearer to the place than to rooms, reports and manuals.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from catalog.lexicon import PLACES, TIMES, UNSPACED_PLACES, UNSPACED_TIMES
from catalog.models import Environment, TimeOfDay

__all__ = ["Staged", "Told", "environment", "time_of_day"]

THRESHOLD = 0.4
"""On cosine plus 0.2 x word evidence; these were chosen on half of the LIGHT rooms (docs/FEATURES.md)."""
MARGIN = 0.15
LEAST_EVIDENCE = 0.5
LEAST_COSINE = 0.3
"""Of the place itself: a word for it in a report does not make a scene."""
WORDS_ONLY_THRESHOLD = 1.4

Vectors = Mapping[str, NDArray[np.float32]]


class Staged(NamedTuple):
    """The environment a text stages, or None, and how clear that is."""

    environment: Environment | None
    lead: float
    """By how much the likeliest place passes what is asked of it; below 0 none is staged."""


def environment(
    plain: str, document: NDArray[np.float32] | None = None, prototypes: Vectors | None = None
) -> Staged:
    """Return the environment `plain` stages, if it does.

    `document` is the unit vector of the text, shape (dimension,), and `prototypes` those of `prototypes.vectors`.
    """
    words = _words(plain)
    evidence = {
        place: _evidence(words, plain, PLACES[place], UNSPACED_PLACES.get(place, "")) for place in PLACES
    }
    density = min(1.0, (60 / max(len(words), 1)) ** 0.5)
    if document is None or prototypes is None:
        best = max(evidence, key=lambda place: evidence[place])
        lead = evidence[best] * density - WORDS_ONLY_THRESHOLD
        return Staged(cast(Environment, best) if lead >= 0 else None, lead)
    cosine = {place: float((prototypes[f"place:{place}"] @ document).max()) for place in PLACES}
    scores = {place: cosine[place] + 0.2 * min(evidence[place], 3.0) * density for place in PLACES}
    best = max(scores, key=lambda place: scores[place])
    elsewhere = float((prototypes["place:none"] @ document).max())
    lead = min(
        scores[best] - max(THRESHOLD, elsewhere + MARGIN),
        cosine[best] - max(LEAST_COSINE, elsewhere),
        evidence[best] * density - LEAST_EVIDENCE,
    )
    return Staged(cast(Environment, best) if lead >= 0 else None, lead)


class Told(NamedTuple):
    """The time of day a text names, or None, and the weight of its words, at most 1, less that of the next time's."""

    time_of_day: TimeOfDay | None
    lead: float


def time_of_day(plain: str, *, staged: bool) -> Told:
    """Return the time of day `plain` names, if it does. `staged`: the text is known to take place somewhere."""
    words = _words(plain)
    evidence = {time: _evidence(words, plain, TIMES[time], UNSPACED_TIMES.get(time, "")) for time in TIMES}
    first, second = sorted(evidence, key=lambda time: -evidence[time])[:2]
    density = min(1.0, ((120 if staged else 40) / max(len(words), 1)) ** 0.5)
    clear = evidence[first] * density >= 0.8 and evidence[first] > 1.3 * evidence[second]
    lead = min(1.0, evidence[first] * density) - min(1.0, evidence[second] * density)
    return Told(cast(TimeOfDay, first) if clear else None, lead)


def _words(plain: str) -> list[str]:
    return re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", plain.lower())


def _evidence(words: list[str], plain: str, cues: Mapping[float, str], unspaced: str) -> float:
    """Return the summed weight of the cues present; a repeated one counts half again, twice at most."""
    counts = Counter(words)
    total = 0.0
    for weight, listed in cues.items():
        for cue in listed.split():
            if counts[cue]:
                total += weight * (1 + 0.5 * min(2, counts[cue] - 1))
    if not plain.isascii():
        total += sum(1.0 for cue in unspaced.split() if cue in plain)
    return total
