"""Context to features: what the text is about, how it feels, where and when it takes place.

Three readers agree on the mood: the words that name it (`mood`), the valence of the rest (VADER, Hutto and Gilbert
2014), and cosine to prototype sentences (`prototypes`). The more mood words there are, the more they decide. What the
caller knows is never overruled. docs/FEATURES.md holds the figures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog import language, place, prototypes
from catalog.models import Context, Features, Source
from catalog.mood import Reading, read
from catalog.protocol import Encoder
from catalog.sentences import split_sentences, spread
from catalog.summary import plain_text, segments, summarize
from presets.vocabulary import MOODS

__all__ = ["extract"]

MAX_TAGS = 3
NAMED_ENOUGH = 0.3
"""Share of the mood that its own words must decide before tags come from those words alone."""

# A handful of scalars, chosen on half of EmoBank and GoEmotions and measured on the other half.
VALENCE_AXIS, VALENCE_VADER = 2.2, 0.35
ENERGY_AXIS, ENERGY_MARKS, ENERGY_FEELING = 1.6, 0.2, 0.15
ENERGY_REST = -0.15
TAG_COSINE, TAG_WORDS, TAG_MARGIN = 6.0, 2.0, 0.7
NEUTRAL_RADIUS = 0.22


@dataclass(frozen=True)
class _Seen:
    """What every step below looks at."""

    plain: str
    pieces: list[str]
    language: str
    words: Reading
    document: NDArray[np.float32] | None
    """Mean of the pieces' unit vectors, not of unit length: a text of mixed feeling has little of any."""
    piece_vectors: NDArray[np.float32] | None
    known: Mapping[str, NDArray[np.float32]]


def extract(context: Context, encoder: Encoder | None = None, *, cache_dir: Path | None = None) -> Features:
    """Return the features of `context`; what it states itself is taken over as it is.

    Deterministic. Without an encoder words alone decide. Of a text over 40,000 characters, evenly spread parts are
    read. `cache_dir` keeps the prototypes' vectors between runs. Raises Unavailable when the encoder cannot be had.
    """
    seen = _look(context, encoder, cache_dir)
    sources: dict[str, Source] = {}
    by = "encoder" if encoder is not None else "text"

    def pick(name: str, found: Any, source: Source) -> Any:
        given = getattr(context, name)
        sources[name] = source if given in (None, "", ()) else "caller"
        return found if sources[name] != "caller" else given

    told = _told_mood(context)
    feeling = told or _feeling(seen)
    felt_by: Source = "caller" if told else "text" if seen.words.weight >= 1 or encoder is None else "encoder"
    valence = float(pick("valence", round(feeling[0], 3), felt_by))
    energy = float(pick("energy", round(feeling[1], 3), felt_by))
    tags = _clean_tags(pick("mood_tags", None, felt_by)) or _tags(seen, valence, energy, told)
    environment = pick("environment", place.environment(seen.plain, _unit(seen.document), seen.known), by)
    time_of_day = pick("time_of_day", place.time_of_day(seen.plain, staged=environment is not None), "text")
    return Features(
        summary_of_topic=pick("summary_of_topic", summarize(seen.pieces, seen.piece_vectors), by),
        emotional_tone_description=pick("emotional_tone_description", _tone(tags, energy), "text"),
        valence=valence,
        energy=energy,
        mood_tags=tags,
        environment=environment,
        time_of_day=time_of_day,
        language=pick("language", seen.language, "default" if seen.language == "und" else "text"),
        sources=sources,
    )


def _look(context: Context, encoder: Encoder | None, cache_dir: Path | None) -> _Seen:
    plain = plain_text(spread(context.text))
    spoken = (context.language or language.guess(plain)).split("-")[0].lower()
    pieces = segments(plain)
    vectors = encoder.encode(pieces) if encoder is not None else None
    return _Seen(
        plain=plain,
        pieces=pieces,
        language=context.language or spoken,
        words=read(plain, spoken),
        document=None if vectors is None else vectors.mean(axis=0),
        piece_vectors=vectors,
        known=prototypes.vectors(encoder, cache_dir) if encoder is not None else {},
    )


def _told_mood(context: Context) -> tuple[float, float] | None:
    """Return the place in the plane that the caller's own tags, or else its own description, stand for."""
    placed = [MOODS[tag] for tag in _clean_tags(context.mood_tags) if tag in MOODS]
    if placed:
        return _mean(placed)
    if context.emotional_tone_description:
        told = read(context.emotional_tone_description)
        return (told.valence, told.energy) if told.weight else None
    return None


def _feeling(seen: _Seen) -> tuple[float, float]:
    """Return valence and energy: the mood words' own, and the readers' of the rest, by how much the words decide."""
    certain = _certainty(seen)
    valence = VALENCE_VADER * _vader(seen)
    energy = ENERGY_REST + ENERGY_MARKS * _marks(seen.plain)
    if seen.document is not None:
        valence += VALENCE_AXIS * _axis(seen, "valence")
        energy += ENERGY_AXIS * _axis(seen, "energy")
    energy += ENERGY_FEELING * min(1.0, abs(valence))
    return (
        _clip(certain * seen.words.valence + (1 - certain) * valence),
        _clip(certain * seen.words.energy + (1 - certain) * energy),
    )


def _certainty(seen: _Seen) -> float:
    """Return the share of the mood that its words decide: most of it in a short text, little where they are thin."""
    weight = seen.words.weight
    return weight / (weight + 0.5 + len(seen.plain.split()) / 200) if weight else 0.0


def _axis(seen: _Seen, name: str) -> float:
    """Return how far the text lies from one pole towards the other (about -0.2 to 0.2)."""
    assert seen.document is not None
    return float(seen.document @ (seen.known[f"{name}+"].mean(axis=0) - seen.known[f"{name}-"].mean(axis=0)))


def _vader(seen: _Seen) -> float:
    """Return the mean compound of the sentences, -1 to 1; 0 for other languages, whose words it would misread."""
    if seen.language not in ("en", "und"):
        return 0.0
    sentences = split_sentences(seen.plain)[:200]
    scores = [_analyzer().polarity_scores(sentence)["compound"] for sentence in sentences]
    moved = [score for score in scores if score]
    return sum(moved) / (len(moved) + 0.25 * (len(scores) - len(moved))) if moved else 0.0


@lru_cache(maxsize=1)
def _analyzer() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


def _marks(plain: str) -> float:
    """Return 0 to 2 for exclamation and question marks and words in capitals, per sentence."""
    sentences = max(1, len(split_sentences(plain)))
    loud = plain.count("!") + plain.count("！") + 0.5 * (plain.count("?") + plain.count("？"))
    capitals = len(re.findall(r"\b[A-Z]{3,}\b", plain))
    return min(2.0, (loud + 0.25 * capitals) / sentences)


def _tags(seen: _Seen, valence: float, energy: float, told: tuple[float, float] | None) -> tuple[str, ...]:
    """Return one to three moods, the strongest first."""
    named = dict(seen.words.tags)
    if told is not None or not named:
        named = {} if told is not None else named
    if named and _certainty(seen) >= NAMED_ENOUGH:
        return _strongest(named, max(named.values()) / 3)
    scores = {
        tag: TAG_WORDS * min(named.get(tag, 0.0), 2.0)
        - abs(MOODS[tag][0] - valence)
        - abs(MOODS[tag][1] - energy) / 2
        for tag in MOODS
    }
    if seen.document is not None and told is None:
        document = _unit(seen.document)
        for tag in scores:
            scores[tag] += TAG_COSINE * float((seen.known[f"mood:{tag}"] @ document).max())
    elif not named and valence**2 + energy**2 < NEUTRAL_RADIUS**2:
        return ("neutral",)
    return _strongest(scores, max(scores.values()) - TAG_MARGIN)


def _strongest(weights: Mapping[str, float], least: float) -> tuple[str, ...]:
    ranked = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    return tuple(tag for tag, weight in ranked[:MAX_TAGS] if weight >= least)


def _clean_tags(tags: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the caller's tags lower-cased, without blanks and repeats; words outside the vocabulary stay."""
    return tuple(dict.fromkeys(tag.strip().lower() for tag in tags or () if tag.strip()))


def _tone(tags: tuple[str, ...], energy: float) -> str:
    """Return the mood in words: "calm and hopeful, low energy"."""
    shown = tags[:3]
    moods = f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]
    levels = ((-0.6, "very low"), (-0.2, "low"), (0.2, "moderate"), (0.6, "high"))
    level = next((word for bound, word in levels if energy < bound), "very high")
    return f"{moods}, {level} energy"


def _mean(points: list[tuple[float, float]]) -> tuple[float, float]:
    return sum(p[0] for p in points) / len(points), sum(p[1] for p in points) / len(points)


def _unit(vector: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    return None if vector is None else vector / max(float(np.linalg.norm(vector)), 1e-12)


def _clip(value: float) -> float:
    return max(-1.0, min(1.0, value))
