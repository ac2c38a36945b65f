"""How a text feels by its own words; and how far two moods lie apart.

Words are looked up in `lexicon`. A denial ("not sad", "without joy") turns a mood into its opposite at half weight, and
the words after "but" weigh more than those before it (both as in VADER, Hutto and Gilbert 2014). Sentence vectors do
not tell a text from the same text with its mood words reversed; the words do.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..presets.vocabulary import MOODS
from .lexicon import (
    CONCESSIONS,
    CONTRASTS,
    FOREIGN_NEGATORS,
    NEGATORS,
    OPPOSITES,
    SOFTENERS,
    STRENGTHENERS,
    Entry,
    english,
    foreign,
    stem,
    unspaced,
)
from .sentences import split_sentences

__all__ = ["Feeling", "MoodReading", "denied_moods", "mood_distance", "read_mood"]


_TOKEN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|[,;:()—–]|\.{3}|…")
OPPOSITE_WAY = 1.4
"""How far apart in the plane a sad and a joyful text lie, about; a longer way is not more opposite."""
TAG_SHARE = 0.15
"""Weight of the tags in the distance of two moods; the points in the plane have the rest."""

_SCOPE = 3
"""How many words a negator reaches forward, within its clause."""


class Feeling(Protocol):
    """Anything with a place in the affect plane and mood tags: features, a track."""

    @property
    def valence(self) -> float: ...
    @property
    def energy(self) -> float: ...
    @property
    def mood_tags(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class MoodReading:
    """What the mood words of a text add up to.

    `valence` and `energy` in [-1, 1] are means weighted by the square of each word's weight, so that a word that names
    a mood counts as much as eight that suggest one. The forces are the sums of those squares; words of pace add nothing
    to the force of valence. `weight` is the sum of all weights, 0 without mood words; `tags` has the sum of each mood.
    """

    valence: float
    energy: float
    weight: float
    tags: Mapping[str, float]
    valence_force: float = 0.0
    energy_force: float = 0.0


def read_mood(text: str, language: str = "und", also: Sequence[Entry] = ()) -> MoodReading:
    """Return what the mood words in `text` add up to; the entries of `also` count as if they stood in it."""
    hits = [*also]
    hits += [hit for sentence in split_sentences(text) for hit in _sentence_hits(sentence, language)]
    hits += (
        [entry for part, entry in unspaced().items() for _ in range(text.count(part))]
        if not text.isascii()
        else []
    )
    tags: dict[str, float] = defaultdict(float)
    total = moving = lifting = moved = lifted = 0.0
    for tag, valence, energy, weight in hits:
        total += weight
        moving += weight**2 if tag or valence else 0.0
        lifting += weight**2
        moved += weight**2 * valence
        lifted += weight**2 * energy
        if tag:
            tags[tag] += weight
    if not total:
        return MoodReading(0.0, 0.0, 0.0, {})
    return MoodReading(
        moved / moving if moving else 0.0, lifted / lifting, total, dict(tags), moving, lifting
    )


def denied_moods(text: str, language: str = "und") -> frozenset[str]:
    """Return the moods that words in `text` name or suggest and that it denies."""
    return frozenset(
        tag
        for sentence in split_sentences(text)
        for tokens in [_tokens(sentence)]
        for index, token in enumerate(tokens)
        for tag, *_ in _entries(token, language)
        if tag and _denied(tokens, index, language)
    )


def _tokens(sentence: str) -> list[str]:
    return [token.lower() for token in _TOKEN.findall(sentence.replace("’", "'"))]


def _sentence_hits(sentence: str, language: str) -> Iterator[Entry]:
    lowered = _tokens(sentence)
    factors = _clause_factors(lowered)
    for index, token in enumerate(lowered):
        for entry in _entries(token, language):
            tag, valence, energy, weight = entry
            weight *= factors[index] * _degree(lowered, index)
            if _denied(lowered, index, language):
                tag, valence, energy, weight = _opposite(tag, valence, energy, weight)
            if weight:
                yield tag, valence, energy, weight


def _entries(token: str, language: str) -> list[Entry]:
    table = english() if language in ("en", "und") else {}
    entry = table.get(f"{token}=") or table.get(stem(token))
    entry = entry or (foreign().get(token) if language != "en" else None)
    if entry is None and "-" in token:
        return [one for part in token.split("-") for one in _entries(part, language)]
    return [entry] if entry else []


def _clause_factors(tokens: Sequence[str]) -> list[float]:
    """Return a weight for each word: words after a contrast ("but") count double those before it."""
    factors = [1.0] * len(tokens)
    turns = [i for i, token in enumerate(tokens) if token in CONTRASTS and i > 0]
    if turns:
        factors = [0.7 if i < turns[-1] else 1.4 for i in range(len(tokens))]
    for i, token in enumerate(tokens):
        if token in CONCESSIONS:
            end = next((j for j in range(i, len(tokens)) if tokens[j] in ",;:"), len(tokens))
            factors[i:end] = [0.5] * (end - i)
    return factors


def _degree(tokens: Sequence[str], index: int) -> float:
    before = tokens[index - 1] if index else ""
    return 1.3 if before in STRENGTHENERS else 0.6 if before in SOFTENERS else 1.0


def _denied(tokens: Sequence[str], index: int, language: str) -> bool:
    negators = NEGATORS if language in ("en", "und") else FOREIGN_NEGATORS
    for back in range(1, _SCOPE + 1):
        position = index - back
        if position < 0 or not tokens[position][0].isalpha():
            return False
        word = tokens[position]
        if word in CONTRASTS:
            return word == "but" and position > 0 and tokens[position - 1] == "anything"
        following = tokens[position + 1]
        if word.replace("'", "") in negators or word.endswith("n't"):
            # "not only sad", "never been so happy", "no doubt": these strengthen, and do not deny.
            return following not in ("only", "just", "doubt", "matter") and not (
                word in ("never", "not")
                and any(t in ("so", "this", "more", "as") for t in tokens[position:index])
            )
        if (
            word in ("than", "of")
            and position
            and tokens[position - 1] in ("rather", "instead", "free", "lack")
        ):
            return True
        if word == "from" and position and tokens[position - 1] == "far":
            return True
    return False


def _opposite(tag: str, valence: float, energy: float, weight: float) -> Entry:
    if not tag:
        return "", -0.5 * valence, -0.5 * energy, weight
    other = OPPOSITES.get(tag, "")
    return (other, *MOODS[other], 0.5 * weight) if other else ("", 0.0, 0.0, 0.0)


def mood_distance(a: Feeling, b: Feeling) -> float:
    """Return how far two moods lie apart: 0 for the same, 1 for opposite ones. Symmetric.

    Mostly the distance of the two points in the plane, a little that of the two sets of tags (from each tag to the
    nearest tag of the other set). A neutral text has no mood to contradict, so it lies half as far from any other. Tags
    outside the vocabulary have no point in the plane and do not count.
    """
    way = min(1.0, math.dist((a.valence, a.energy), (b.valence, b.energy)) / OPPOSITE_WAY)
    mine, theirs = ([MOODS[tag] for tag in felt.mood_tags if tag in MOODS] for felt in (a, b))
    if mine and theirs:
        way = (1 - TAG_SHARE) * way + TAG_SHARE * (_one_way(mine, theirs) + _one_way(theirs, mine)) / 2
    return way / 2 if "neutral" in (*a.mood_tags, *b.mood_tags) else way


Point = tuple[float, float]


def _one_way(points: Sequence[Point], others: Sequence[Point]) -> float:
    ways = [min(math.dist(point, other) for other in others) for point in points]
    return min(1.0, sum(ways) / len(ways) / OPPOSITE_WAY)
