"""How well music made for one text fits another: five numbers, and a probability from them.

A track fits when its text has the same scene and the same mood, so the probability is a product of two. Each number
may only raise it or only lower it. The weights are fitted under that constraint (`calibration`), so that nearer texts
or nearer moods never make a reuse less likely.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from ..models import Context, Features, Track
from ..text.lexicon import NEGATORS
from ..text.mood import OPPOSITE_WAY, mood_distance, read_mood

__all__ = ["HURTS", "MOOD", "TOPIC", "VERSION", "Card", "evidence", "probability"]


VERSION = "evidence-1"
"""Raise it when a number is computed in another way: certificates made before then expire."""

TOPIC = ("similarity", "other_environment", "other_time")
MOOD = ("mood_distance", "exchanged")
"""The numbers of the two questions that must both be answered yes: is it the same scene, and is it the same mood?"""
HURTS = frozenset({"other_environment", "other_time", *MOOD})
"""A larger one of these never raises the probability; a larger one of the others never lowers it."""

READ_CHARACTERS = 4_000
"""Only the first characters of a text are compared word by word."""
ALIGNED_WORDS = 400
COPIED = 0.5
"""Share of common words from which two texts count as copies of one another with something exchanged."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


@dataclass(frozen=True)
class Card:
    """The parts of a text that are compared: its mood, place and time, and its words."""

    text: str
    valence: float
    energy: float
    mood_tags: tuple[str, ...]
    environment: str | None
    time_of_day: str | None

    @classmethod
    def of(cls, context: Context, features: Features) -> Card:
        """Return the card of a context that was understood as `features`."""
        return cls._of(context.text, features)

    @classmethod
    def of_track(cls, track: Track) -> Card:
        """Return the card of the context that `track` was made for."""
        return cls._of(track.context, track)

    @classmethod
    def _of(cls, text: str, felt: Features | Track) -> Card:
        return cls(text, felt.valence, felt.energy, felt.mood_tags, felt.environment, felt.time_of_day)

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """Every word of the part that is read, lower-cased."""
        return tuple(_WORD.findall(self.text[:READ_CHARACTERS].lower().replace("’", "'")))

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each word is among the first `ALIGNED_WORDS`."""
        return Counter(self.tokens[:ALIGNED_WORDS])


def evidence(wanted: Card, known: Card, similarity: float) -> dict[str, float]:
    """Return the numbers that show whether music made for `known` fits `wanted`.

    `similarity` is the cosine of the two contexts, -1 to 1, and part of the result. other_environment and other_time
    are 1 where both texts name one and they differ; mood_distance is 0 to 1; exchanged, 0 to 1, is how far apart in
    mood the words lie that two near copies do not share.
    """
    return {
        "similarity": similarity,
        "other_environment": _differ(wanted.environment, known.environment),
        "other_time": _differ(wanted.time_of_day, known.time_of_day),
        "mood_distance": mood_distance(wanted, known),
        "exchanged": _exchanged(wanted, known),
    }


def probability(weights: Mapping[str, float], numbers: Mapping[str, float]) -> float:
    """Return the probability that the music fits: that the scene is the same times that the mood is.

    Each is a logistic of a weighted sum. `weights` maps the names in `TOPIC` and `MOOD`, and "topic" and "mood" for
    the two intercepts.
    """
    return math.prod(
        _logistic(weights[question] + sum(weights[name] * numbers[name] for name in names))
        for question, names in (("topic", TOPIC), ("mood", MOOD))
    )


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-500.0, min(500.0, x))))


def _exchanged(a: Card, b: Card) -> float:
    """Return how far apart in mood the words lie that two near copies exchange; 0 for texts that are no near copies.

    Compared are the words that only one of them has, and single words that replace each other in the same place.
    """
    mine, theirs = a.counts, b.counts
    # Most texts are no copies, and building the common words of both takes longer than counting them.
    common = sum(min(count, theirs.get(word, 0)) for word, count in mine.items())
    if common < COPIED * (mine.total() + theirs.total() - common):
        return 0.0
    gone, new = list((mine - theirs).elements()), list((theirs - mine).elements())
    if any(_denies(word) for word in (*gone, *new)):
        return 1.0
    widest = _apart(gone, new)
    for kind, i, j, k, n in SequenceMatcher(
        None, a.tokens[:ALIGNED_WORDS], b.tokens[:ALIGNED_WORDS], False
    ).get_opcodes():
        if kind == "replace" and j - i == n - k == 1:
            widest = max(widest, _apart(a.tokens[i:j], b.tokens[k:n]))
    return widest


def _apart(mine: Sequence[str], theirs: Sequence[str]) -> float:
    """Return how far two sets of words lie apart in mood, 0 where one of them has none."""
    one, other = read_mood(" ".join(mine)), read_mood(" ".join(theirs))
    if not (one.weight and other.weight):
        return 0.0
    return min(1.0, math.dist((one.valence, one.energy), (other.valence, other.energy)) / OPPOSITE_WAY)


def _denies(word: str) -> bool:
    return word.replace("'", "") in NEGATORS or word.endswith("n't")


def _differ(mine: str | None, theirs: str | None) -> float:
    return float(bool(mine and theirs and mine != theirs))
