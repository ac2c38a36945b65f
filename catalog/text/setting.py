"""Where and when a text takes place: one of the twelve environments and of the six times of day, or none.

Most texts set no scene, and a wrong place is worse than none. So words alone must be dense; with an encoder the text
must also lie near the place, and nearer than to rooms, reports and manuals. A text full of figures and names must meet
higher limits.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ..models import Environment, TimeOfDay
from .lexicon import PLACES, TIMES, UNSPACED_PLACES, UNSPACED_TIMES

__all__ = ["PlaceReading", "TimeReading", "environment", "time_of_day"]


class _Limits(NamedTuple):
    """What a place must reach. The score is the cosine plus 0.2 x the evidence of words.

    The fields with "over" limit the lead over the nearest prototype of texts that take place nowhere.
    """

    score: float
    score_over: float
    cosine: float
    cosine_over: float
    words_only: float


# Chosen on half of the LIGHT rooms and on encyclopaedic passages (docs/FEATURES.md).
OF_A_SCENE = _Limits(score=0.4, score_over=0.1, cosine=0.2, cosine_over=-0.1, words_only=1.0)
OF_A_REPORT = _Limits(score=0.4, score_over=0.15, cosine=0.3, cosine_over=0.0, words_only=1.4)
FACTUAL = 0.05
"""Share of figures and names among the words above which a text counts as a report: its places are mentioned only."""
LEAST_EVIDENCE = 0.5

Vectors = Mapping[str, NDArray[np.float32]]


class PlaceReading(NamedTuple):
    """The environment where a text takes place, or None, and how clear that is."""

    environment: Environment | None
    lead: float
    """By how much the likeliest place passes its limits; below 0 none is read."""


class TimeReading(NamedTuple):
    """The time of day that a text names, or None, and how clear that is."""

    time_of_day: TimeOfDay | None
    lead: float
    """Weight of its words, at most 1, less that of the second time's words."""


def environment(
    plain: str, document: NDArray[np.float32] | None = None, prototypes: Vectors | None = None
) -> PlaceReading:
    """Return the environment where `plain`, a text without markup, takes place.

    `document` is the unit vector of the text, shape (dimension,), and `prototypes` come from `prototypes.vectors`.
    """
    words = _words(plain)
    evidence = {
        place: _evidence(words, plain, PLACES[place], UNSPACED_PLACES.get(place, "")) for place in PLACES
    }
    density = min(1.0, (60 / max(len(words), 1)) ** 0.5)
    limits = OF_A_REPORT if _factual(plain) > FACTUAL else OF_A_SCENE
    if document is None or prototypes is None:
        best = max(evidence, key=lambda place: evidence[place])
        lead = evidence[best] * density - limits.words_only
        return PlaceReading(cast(Environment, best) if lead >= 0 else None, lead)
    cosine = {place: float((prototypes[f"place:{place}"] @ document).max()) for place in PLACES}
    scores = {place: cosine[place] + 0.2 * min(evidence[place], 3.0) * density for place in PLACES}
    best = max(scores, key=lambda place: scores[place])
    elsewhere = float((prototypes["place:none"] @ document).max())
    lead = min(
        scores[best] - max(limits.score, elsewhere + limits.score_over),
        cosine[best] - max(limits.cosine, elsewhere + limits.cosine_over),
        evidence[best] * density - LEAST_EVIDENCE,
    )
    return PlaceReading(cast(Environment, best) if lead >= 0 else None, lead)


def time_of_day(plain: str, *, staged: bool) -> TimeReading:
    """Return the time of day that `plain` names. `staged`: the text is known to take place somewhere."""
    words = _words(plain)
    evidence = {time: _evidence(words, plain, TIMES[time], UNSPACED_TIMES.get(time, "")) for time in TIMES}
    first, second = sorted(evidence, key=lambda time: -evidence[time])[:2]
    density = min(1.0, ((120 if staged else 40) / max(len(words), 1)) ** 0.5)
    clear = evidence[first] * density >= 0.8 and evidence[first] > 1.3 * evidence[second]
    lead = min(1.0, evidence[first] * density) - min(1.0, evidence[second] * density)
    return TimeReading(cast(TimeOfDay, first) if clear else None, lead)


def _factual(plain: str) -> float:
    """Return the share of words that are figures, or names: a capital inside a sentence."""
    figures = names = words = 0
    before = "."
    for token in re.findall(r"\w+(?:['’]\w+)*|[.!?…:\"“«]", plain):
        if token[0].isalnum():
            words += 1
            figures += token[0].isdigit()
            names += token[0].isupper() and before[0].isalnum() and token.split("'")[0] != "I"
        before = token
    return (figures + names) / max(words, 1)


def _words(plain: str) -> list[str]:
    return re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", plain.lower())


def _evidence(words: list[str], plain: str, cues: Mapping[float, str], unspaced: str) -> float:
    """Return the summed weight of the cues in the text; each of up to two repetitions of a cue adds half its weight."""
    counts = Counter(words)
    total = 0.0
    for weight, listed in cues.items():
        for cue in listed.split():
            if counts[cue]:
                total += weight * (1 + 0.5 * min(2, counts[cue] - 1))
    if not plain.isascii():
        total += sum(1.0 for cue in unspaced.split() if cue in plain)
    return total
