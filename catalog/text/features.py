"""Context to features: what the text is about, how it feels, where and when it takes place.

The mood has two readers: the words that name it (`mood`), and for the rest the heads fitted to the encoder's vectors
(`heads`), or, with an encoder that none were fitted to, cosine to prototype sentences (`prototypes`) and VADER (Hutto
and Gilbert 2014). The more mood words there are, the more they decide. What the caller knows is never overruled.
docs/FEATURES.md holds the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from presets.vocabulary import MOODS

from ..models import Context, Features, Source
from . import confidence, heads, language, prototypes, setting
from .confidence import Reader
from .encoder import Encoder
from .lexicon import Entry
from .mood import Reading, denied, read
from .sentences import split_sentences, spread
from .summary import plain_text, segments, summarize

__all__ = ["extract"]


VERSION = "features-2"
"""Raise it when a text is read in another way: what was calibrated on the old reading then counts no more."""

MAX_TAGS = 3
NAMED_ENOUGH = 0.9
"""Weight of mood words (one that names a mood, or three that suggest one) from which tags come from them alone."""

# Chosen on training rows of EmoBank and GoEmotions and on half of a hand-written set of scenes.
VALENCE_AXIS, VALENCE_VADER = 2.2, 0.35
ENERGY_AXIS, ENERGY_MARKS, ENERGY_FEELING = 2.5, 0.5, 0.3
ENERGY_REST = -0.2
FOREIGN_TRUST = 0.5
THREAT_FROM, THREAT_SLOPE, THREAT_ROOM = 0.3, 2.0, 1.5
"""The chance of a threat from which a sentence counts as naming one, how fast it then counts as a whole word, and how
fast it does so with the chance that the text shows no other emotion."""
THREAT: Entry = ("ominous", -0.6, 0.3, 1.0)
"""What a threat that no word names is to the mood: as ominous as the word, and halfway to tense."""
FEARFUL = frozenset({"ominous", "scary", "tense", "anxious", "dark"})


class _Weights(NamedTuple):
    """How the mood tags are weighed where words do not settle them."""

    words: float
    cosine: float
    heads: float
    margin: float
    """Tags this close to the strongest are named too."""
    neutral: float
    """What speaks for "neutral" within `radius` of no valence and the energy `rest`."""
    radius: float
    rest: float


FITTED = _Weights(words=2.0, cosine=4.0, heads=0.6, margin=0.4, neutral=0.6, radius=0.4, rest=ENERGY_REST)
ZERO_SHOT = _Weights(words=2.0, cosine=6.0, heads=0.0, margin=0.7, neutral=0.4, radius=0.3, rest=0.0)


@dataclass(frozen=True)
class _Seen:
    """What every step below looks at."""

    plain: str
    pieces: list[str]
    language: str
    """As the caller gave it, else as recognised."""
    spoken: str
    """The same without its region."""
    words: Reading
    """What the words say, and threats that none of them names."""
    named: bool
    """Whether words alone name a mood."""
    document: NDArray[np.float32] | None
    """Mean of the pieces' unit vectors, not of unit length: a text of mixed feeling has little of any."""
    direction: NDArray[np.float32] | None
    """The same at unit length."""
    piece_vectors: NDArray[np.float32] | None
    known: Mapping[str, NDArray[np.float32]]
    heads: heads.Heads | None
    """None without an encoder, and with one they were not fitted to."""
    inputs: NDArray[np.float32]
    """What the heads read; empty without them."""

    @property
    def trust(self) -> float:
        """How much of the heads' reading counts: they were fitted to English."""
        return 1.0 if self.spoken in ("en", "und") else FOREIGN_TRUST

    @property
    def reader(self) -> Reader:
        """Who reads what the mood words leave open."""
        return "text" if self.document is None else "prototypes" if self.heads is None else "heads"


def extract(context: Context, encoder: Encoder | None = None, *, cache_dir: Path | None = None) -> Features:
    """Return the features of `context`; what it states itself is taken over as it is.

    Deterministic. Without an encoder words alone decide. Of a text over 40,000 characters, evenly spread parts are
    read. `cache_dir` keeps the prototypes' vectors between runs. Raises Unavailable when the encoder cannot be had.
    """
    seen = _look(context, encoder, cache_dir)
    sources: dict[str, Source] = {}
    by: Source = "encoder" if encoder is not None else "text"

    def pick(name: str, found: Any, source: Source) -> Any:
        given = getattr(context, name)
        known = given not in (None, "", ())
        sources[name] = "caller" if known else source
        return given if known else found

    told = _told_mood(context)
    feeling = told or _feeling(seen)
    felt_by: Source = "caller" if told else "text" if seen.named else seen.reader
    valence = float(pick("valence", round(feeling[0], 3), felt_by))
    energy = float(pick("energy", round(feeling[1], 3), felt_by))
    tags = _clean_tags(pick("mood_tags", None, felt_by)) or _tags(seen, valence, energy, told)
    where = setting.environment(seen.plain, seen.direction, seen.known)
    environment = pick("environment", where.environment, by)
    when = setting.time_of_day(seen.plain, staged=environment is not None)
    time_of_day = pick("time_of_day", when.time_of_day, "text")
    spoken = pick("language", seen.language, "default" if seen.language == "und" else "text")
    sure = {
        "valence": confidence.of_side("valence", valence, 0.0, seen.reader),
        "energy": confidence.of_side("energy", energy, ENERGY_REST, seen.reader),
        "mood_tags": _sureness_of_tags(seen, tags[0]),
        "environment": confidence.of_environment(where, encoded=seen.document is not None),
        "time_of_day": confidence.of_time_of_day(when),
        "language": language.recognize(seen.plain)[1],
    }
    return Features(
        summary_of_topic=pick(
            "summary_of_topic", summarize(seen.pieces, seen.piece_vectors) or context.text[:80], by
        ),
        emotional_tone_description=pick("emotional_tone_description", _tone(tags, energy), "text"),
        valence=valence,
        energy=energy,
        mood_tags=tags,
        environment=environment,
        time_of_day=time_of_day,
        language=spoken,
        sources=sources,
        confidences={
            name: 1.0 if sources[name] == "caller" else round(value, 3) for name, value in sure.items()
        },
    )


def _look(context: Context, encoder: Encoder | None, cache_dir: Path | None) -> _Seen:
    plain = plain_text(spread(context.text))
    spoken = (context.language or language.guess(plain)).split("-")[0].lower()
    pieces = segments(plain)
    vectors = encoder.encode(pieces) if encoder is not None else None
    document = None if vectors is None else vectors.mean(axis=0)
    fitted = heads.load(encoder.identity) if encoder is not None else None
    words = read(plain, spoken)
    inputs, hidden = np.zeros(0, dtype=np.float32), []
    if fitted is not None and document is not None and vectors is not None:
        inputs = heads.inputs(document, word_inputs(plain, spoken))
        hidden = _threats(fitted, pieces, vectors, inputs) if spoken in ("en", "und") else []
    return _Seen(
        plain=plain,
        pieces=pieces,
        language=context.language or spoken,
        spoken=spoken,
        words=read(plain, spoken, hidden) if hidden else words,
        named=sum(words.tags.values()) >= 1,
        document=document,
        direction=None if document is None else _unit(document),
        piece_vectors=vectors,
        known=prototypes.vectors(encoder, cache_dir) if encoder is not None else {},
        heads=fitted,
        inputs=inputs,
    )


def _threats(
    fitted: heads.Heads, pieces: Sequence[str], vectors: NDArray[np.float32], inputs: NDArray[np.float32]
) -> list[Entry]:
    """Return a mood word for each sentence that seems to tell of a threat, unless it denies fear."""
    tag, valence, energy, most = THREAT
    room = min(1.0, THREAT_ROOM * fitted.open_to_threats(inputs))
    weights = room * np.minimum(most, THREAT_SLOPE * (fitted.threats(vectors) - THREAT_FROM))
    return [
        (tag, valence, energy, weight)
        for piece, weight in zip(pieces, weights.tolist(), strict=True)
        if weight > 0 and not denied(piece) & FEARFUL
    ]


def word_inputs(plain: str, spoken: str) -> tuple[float, float, float, float]:
    """Return the values of `heads.WORD_INPUTS` for a text without markup in the language `spoken`."""
    compound = _vader(plain, spoken)
    sentences = max(1, len(split_sentences(plain)))
    asked = min(1.0, (plain.count("?") + plain.count("？")) / sentences)
    return compound, abs(compound), _marks(plain), asked


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
    moved, lifted = (_certainty(seen, force) for force in (seen.words.valence_force, seen.words.energy_force))
    valence, energy, loudness = _rest(seen)
    return (
        _clip(moved * seen.words.valence + (1 - moved) * valence),
        _clip(lifted * seen.words.energy + (1 - lifted) * energy + loudness),
    )


def _certainty(seen: _Seen, force: float) -> float:
    """Return the share that words of that force decide: most of it in a short text, little where they are thin."""
    return force / (force + 0.5 + len(seen.plain.split()) / 100) if force else 0.0


def _rest(seen: _Seen) -> tuple[float, float, float]:
    """Return the valence and energy of what its mood words leave open, and what loudness adds to the energy."""
    marks = ENERGY_MARKS * _marks(seen.plain)
    if seen.heads is not None:
        valence, energy = seen.heads.feeling(seen.inputs)
        # The heads heard the marks in their share of the energy.
        return seen.trust * valence, seen.trust * energy, _certainty(seen, seen.words.energy_force) * marks
    valence, energy = VALENCE_VADER * _vader(seen.plain, seen.spoken), ENERGY_REST
    if seen.document is not None:
        valence += VALENCE_AXIS * _axis(seen, "valence")
        energy += ENERGY_AXIS * _axis(seen, "energy")
    return valence, energy, marks + ENERGY_FEELING * min(1.0, abs(valence))


def _axis(seen: _Seen, name: str) -> float:
    """Return how far the text lies from one pole towards the other (about -0.2 to 0.2)."""
    assert seen.document is not None
    return float(seen.document @ (seen.known[f"{name}+"].mean(axis=0) - seen.known[f"{name}-"].mean(axis=0)))


def _vader(plain: str, spoken: str) -> float:
    """Return the mean compound of the sentences, -1 to 1; 0 for other languages, whose words it would misread."""
    if spoken not in ("en", "und"):
        return 0.0
    sentences = split_sentences(plain)[:200]
    scores = [_analyzer().polarity_scores(sentence)["compound"] for sentence in sentences]
    moved = [score for score in scores if score]
    return sum(moved) / (len(moved) + 0.25 * (len(scores) - len(moved))) if moved else 0.0


@lru_cache(maxsize=1)
def _analyzer() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


def _marks(plain: str) -> float:
    """Return exclamation marks per sentence, 2 at most."""
    return min(2.0, (plain.count("!") + plain.count("！")) / max(1, len(split_sentences(plain))))


def _tags(seen: _Seen, valence: float, energy: float, told: tuple[float, float] | None) -> tuple[str, ...]:
    """Return one to three moods, the strongest first; "neutral" only ever alone."""
    named = seen.words.tags if told is None else {}
    thickness = min(1.0, 60 / max(1, len(seen.plain.split())))
    if named and seen.words.weight * thickness >= NAMED_ENOUGH:
        return _strongest(named, max(named.values()) / 3)
    by = ZERO_SHOT if seen.heads is None else FITTED
    scores = {
        tag: by.words * thickness * min(named.get(tag, 0.0), 2.0) - abs(x - valence) - abs(y - energy) / 2
        for tag, (x, y) in MOODS.items()
    }
    scores["neutral"] += by.neutral if valence**2 + (energy - by.rest) ** 2 < by.radius**2 else -9.0
    scores["neutral"] -= by.words * thickness * min(1.0, sum(named.values()))
    if told is None and seen.direction is not None:
        for tag in scores:
            scores[tag] += by.cosine * float((seen.known[f"mood:{tag}"] @ seen.direction).max())
    if told is None and seen.heads is not None:
        for tag, likelier in seen.heads.moods(seen.inputs).items():
            scores[tag] += by.heads * seen.trust * likelier
    found = _strongest(scores, max(scores.values()) - by.margin)
    return ("neutral",) if found[0] == "neutral" else tuple(tag for tag in found if tag != "neutral")


def _sureness_of_tags(seen: _Seen, first: str) -> float:
    named = _certainty(seen, seen.words.valence_force) if first in seen.words.tags else 0.0
    chance = seen.heads.chance(first, seen.inputs) if seen.heads is not None else 0.0
    return confidence.of_tags(named, chance, seen.reader)


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


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _clip(value: float) -> float:
    return max(-1.0, min(1.0, value))
