"""How a text feels: its valence, energy and mood tags.

The mood words decide a share of the reading. The heads, or else prototypes and VADER, read the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..models import Context
from ..presets.vocabulary import MOODS
from . import confidence
from .mood import read_mood
from .parsed import ParsedText, exclamations, vader

__all__ = [
    "ENERGY_REST",
    "clean_tags",
    "confidence_of_tags",
    "mood_tags",
    "stated_mood",
    "valence_and_energy",
]


MAX_TAGS = 3
NAMED_ENOUGH = 0.9
"""Weight of mood words (one that names a mood, or three that suggest one) from which the tags come from them alone."""

# Chosen on training rows of EmoBank and GoEmotions and on half of a hand-written set of scenes.
VALENCE_AXIS, VALENCE_VADER = 2.2, 0.35
ENERGY_AXIS, ENERGY_MARKS, ENERGY_FEELING = 2.5, 0.5, 0.3
ENERGY_REST = -0.2
"""The usual energy of a text without any sign of it."""

Point = tuple[float, float]
"""Valence and energy."""


class _Weights(NamedTuple):
    """How the mood tags are weighed where words do not settle them."""

    words: float
    cosine: float
    heads: float
    margin: float
    """Tags this close to the strongest are named too."""
    neutral: float
    """Added to "neutral" within `radius` of valence 0 and the energy `rest`."""
    radius: float
    rest: float


FITTED = _Weights(words=2.0, cosine=4.0, heads=0.6, margin=0.4, neutral=0.6, radius=0.4, rest=ENERGY_REST)
ZERO_SHOT = _Weights(words=2.0, cosine=6.0, heads=0.0, margin=0.7, neutral=0.4, radius=0.3, rest=0.0)


def stated_mood(context: Context) -> Point | None:
    """Return the point that the caller's own tags stand for, or else its description; None without either."""
    points = [MOODS[tag] for tag in clean_tags(context.mood_tags) if tag in MOODS]
    if points:
        valences, energies = zip(*points, strict=True)
        return sum(valences) / len(points), sum(energies) / len(points)
    if context.emotional_tone_description:
        words = read_mood(context.emotional_tone_description)
        return (words.valence, words.energy) if words.weight else None
    return None


def clean_tags(tags: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the caller's tags lower-cased, without blanks and repeats; words outside the vocabulary stay."""
    return tuple(dict.fromkeys(tag.strip().lower() for tag in tags or () if tag.strip()))


def valence_and_energy(text: ParsedText) -> Point:
    """Return valence and energy: the mood words and the other readers averaged, by the share of the words."""
    valence_share = _share_of_words(text, text.words.valence_force)
    energy_share = _share_of_words(text, text.words.energy_force)
    valence, energy, loudness = _read_rest(text)
    return (
        _clip(valence_share * text.words.valence + (1 - valence_share) * valence),
        _clip(energy_share * text.words.energy + (1 - energy_share) * energy + loudness),
    )


def _share_of_words(text: ParsedText, force: float) -> float:
    """Return the share that mood words of that force decide: large in a short text, small where they are thin."""
    return force / (force + 0.5 + len(text.plain.split()) / 100) if force else 0.0


def _read_rest(text: ParsedText) -> tuple[float, float, float]:
    """Return the valence and energy of what the mood words leave open, and what loudness adds to the energy."""
    marks = ENERGY_MARKS * exclamations(text.plain)
    if text.heads is not None:
        valence, energy = text.heads.feeling(text.inputs)
        # The heads read the marks as well, so marks are added for the share of the words only.
        loudness = _share_of_words(text, text.words.energy_force) * marks
        return text.trust * valence, text.trust * energy, loudness
    valence, energy = VALENCE_VADER * vader(text.plain, text.spoken), ENERGY_REST
    if text.whole is not None:
        valence += VALENCE_AXIS * _axis(text, text.whole, "valence")
        energy += ENERGY_AXIS * _axis(text, text.whole, "energy")
    return valence, energy, marks + ENERGY_FEELING * min(1.0, abs(valence))


def _axis(text: ParsedText, vector: NDArray[np.float32], name: str) -> float:
    """Return how far the text lies from one pole towards the other (about -0.2 to 0.2)."""
    high, low = (text.prototypes[f"{name}{sign}"].mean(axis=0) for sign in "+-")
    return float(vector @ (high - low))


def mood_tags(text: ParsedText, valence: float, energy: float, stated: Point | None) -> tuple[str, ...]:
    """Return one to three moods, the strongest first; "neutral" only ever alone.

    `stated` is the mood that the caller states: then neither the words nor the encoder count.
    """
    named = text.words.tags if stated is None else {}
    thickness = min(1.0, 60 / max(1, len(text.plain.split())))
    if named and text.words.weight * thickness >= NAMED_ENOUGH:
        return _strongest(named, max(named.values()) / 3)
    by = ZERO_SHOT if text.heads is None else FITTED
    scores = {
        tag: by.words * thickness * min(named.get(tag, 0.0), 2.0) - abs(x - valence) - abs(y - energy) / 2
        for tag, (x, y) in MOODS.items()
    }
    scores["neutral"] += by.neutral if valence**2 + (energy - by.rest) ** 2 < by.radius**2 else -9.0
    scores["neutral"] -= by.words * thickness * min(1.0, sum(named.values()))
    if stated is None and text.whole is not None:
        for tag in scores:
            scores[tag] += by.cosine * float((text.prototypes[f"mood:{tag}"] @ text.whole).max())
    if stated is None and text.heads is not None:
        for tag, log_ratio in text.heads.moods(text.inputs).items():
            scores[tag] += by.heads * text.trust * log_ratio
    tags = _strongest(scores, max(scores.values()) - by.margin)
    return ("neutral",) if tags[0] == "neutral" else tuple(tag for tag in tags if tag != "neutral")


def _strongest(weights: Mapping[str, float], least: float) -> tuple[str, ...]:
    ranked = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    return tuple(tag for tag, weight in ranked[:MAX_TAGS] if weight >= least)


def confidence_of_tags(text: ParsedText, first: str) -> float:
    """Return the chance that the first tag is of the right kind."""
    named = _share_of_words(text, text.words.valence_force) if first in text.words.tags else 0.0
    chance = text.heads.chance(first, text.inputs) if text.heads is not None else 0.0
    return confidence.of_tags(named, chance, text.reader)


def _clip(value: float) -> float:
    return max(-1.0, min(1.0, value))
