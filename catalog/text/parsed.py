"""A text with everything that the readers of its features look at: sentences, vectors, mood words, heads' inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..glossary.glossary import to_english
from ..models import Context
from . import heads, language, prototypes
from .confidence import Reader
from .encoder import Encoder, embed_document, embed_tokens
from .lexicon import Entry
from .mood import MoodReading, denied_moods, read_mood
from .sentences import split_sentences, spread
from .summary import plain_text, segments

__all__ = ["ParsedText", "exclamations", "in_english", "parse", "vader", "word_inputs"]


ENGLISH = ("en", "und")
"""Languages that are read as English, the only one that VADER and the heads know."""
FOREIGN_TRUST = 0.5

# Chosen on training rows of EmoBank and GoEmotions and on half of a hand-written set of scenes.
THREAT_FROM, THREAT_SLOPE, THREAT_ROOM = 0.3, 2.0, 1.5
"""The chance of a threat from which a text counts as naming one, how fast it then comes to count as a whole word,
and how fast it does so with the chance that the text shows no other emotion."""
THREAT: Entry = ("ominous", -0.6, 0.3, 1.0)
"""The mood word that stands for a threat that no word names: as ominous as the word itself, and halfway to tense."""
FEARFUL = frozenset({"ominous", "scary", "tense", "anxious", "dark"})


@dataclass(frozen=True)
class ParsedText:
    """A text, and what was worked out from it once for all readers.

    Readers that were fitted to English read a text in another language word for word in English, where a dictionary is
    there. The vector that is stored and the summary are those of the text as it was sent.
    """

    text: str
    """The query and the text as they are read: as they were sent, or in English."""
    plain: str
    """The text as it is read, without markup."""
    spoken: str
    """The language of what is read, without its region."""
    language: str
    """The language of the text as it was sent: as the caller stated it, else as recognised."""
    language_confidence: float
    """How sure the recognised one is."""
    pieces: list[str]
    """Sentences or runs of short ones as they were sent, spread over the text; the summary is taken from them."""
    vector: NDArray[np.float32] | None
    """Unit vector of the text as it was sent, as `embed_document` gives it, shape (dimension,)."""
    words: MoodReading
    """What the mood words say, with one for a threat that no word names."""
    named: bool
    """Whether words alone name a mood."""
    layers: NDArray[np.float32] | None
    """Unit vectors of what is read, after each layer of the encoder, shape (layers, dimension)."""
    tokens: NDArray[np.float32] | None
    """The states of the tokens of what is read; see `encoder.Encoded`."""
    prototypes: Mapping[str, NDArray[np.float32]]
    heads: heads.Heads | None
    """None without an encoder, and with one that they were not fitted to."""
    inputs: NDArray[np.float32]
    """What the heads read; empty without them."""

    @property
    def glossed(self) -> bool:
        """Return whether it is read word for word in English."""
        return self.spoken != language.code_of(self.language)

    @property
    def whole(self) -> NDArray[np.float32] | None:
        """Return the unit vector of what is read, shape (dimension,)."""
        return None if self.layers is None else np.asarray(self.layers[-1])

    @property
    def trust(self) -> float:
        """Return how much of the heads' reading counts: they were fitted to English."""
        return 1.0 if self.spoken in ENGLISH else FOREIGN_TRUST

    @property
    def reader(self) -> Reader:
        """Return who reads what the mood words leave open."""
        return "text" if self.layers is None else "prototypes" if self.heads is None else "heads"


def parse(context: Context, encoder: Encoder | None, cache_dir: Path | None) -> ParsedText:
    """Return the text of `context` with what its readers need, encoded once; twice where it is glossed.

    Without an encoder words alone decide. Of a text over 40,000 characters, evenly spread parts are read. `cache_dir`
    keeps the prototypes' vectors between runs. Raises Unavailable when the encoder cannot be had.
    """
    sent = plain_text(spread(context.text))
    guessed, sure = language.recognize(sent)
    spoken = language.code_of(context.language or guessed)
    fitted = heads.load(encoder.identity) if encoder is not None else None
    query, text, plain = context.query, context.text, sent
    if fitted is not None and (english := to_english(sent, spoken)) is not None:
        if language.guess(query) == spoken:
            query = to_english(query, spoken) or query
        text, plain, spoken = english, english, "en"
    layers, tokens = (None, None) if encoder is None else embed_tokens(encoder, text)
    words = read_mood(plain, spoken)
    inputs, threats = np.zeros(0, dtype=np.float32), list[Entry]()
    if fitted is not None and layers is not None:
        inputs = heads.inputs(layers[-1], word_inputs(plain, spoken))
        threats = _threats(fitted, plain, layers[-1], inputs) if spoken in ENGLISH else []
    return ParsedText(
        text=f"{query} {text}".strip(),
        plain=plain,
        spoken=spoken,
        language=context.language or guessed,
        language_confidence=sure,
        pieces=segments(sent),
        vector=_vector(context.text, text, layers, encoder),
        words=read_mood(plain, spoken, threats) if threats else words,
        named=sum(words.tags.values()) >= 1,
        layers=layers,
        tokens=tokens,
        prototypes=prototypes.vectors(encoder, cache_dir) if encoder is not None else {},
        heads=fitted,
        inputs=inputs,
    )


def in_english(line: str, encoder: Encoder, text: ParsedText) -> str:
    """Return a line that comes with `text` word for word in English, or as it was sent.

    Where its language cannot be told it counts as that of the text.
    """
    if heads.load(encoder.identity) is None:
        return line
    guessed = language.code_of(language.guess(line))
    return (
        to_english(line, language.code_of(text.language) if guessed == language.UNDETERMINED else guessed)
        or line
    )


def _vector(
    sent: str, read: str, layers: NDArray[np.float32] | None, encoder: Encoder | None
) -> NDArray[np.float32] | None:
    """Return the vector of the text as it was sent; `layers` are those of what is read."""
    if encoder is None or layers is None:
        return None
    return np.asarray(layers[-1]) if read == sent else embed_document(encoder, sent)


def _threats(
    fitted: heads.Heads, plain: str, vector: NDArray[np.float32], inputs: NDArray[np.float32]
) -> list[Entry]:
    """Return a mood word where the text seems to describe a threat, unless it denies fear."""
    tag, valence, energy, most = THREAT
    room = min(1.0, THREAT_ROOM * fitted.open_to_threats(inputs))
    weight = room * min(most, THREAT_SLOPE * (fitted.chance_of_threat(vector) - THREAT_FROM))
    return [(tag, valence, energy, weight)] if weight > 0 and not denied_moods(plain) & FEARFUL else []


def word_inputs(plain: str, spoken: str) -> tuple[float, float, float, float]:
    """Return the values of `heads.WORD_INPUTS` for a text without markup in the language `spoken`."""
    compound = vader(plain, spoken)
    sentences = max(1, len(split_sentences(plain)))
    questions = min(1.0, (plain.count("?") + plain.count("？")) / sentences)
    return compound, abs(compound), exclamations(plain), questions


def vader(plain: str, spoken: str) -> float:
    """Return VADER's mean compound of the sentences, -1 to 1; 0 in other languages, whose words it would misread."""
    if spoken not in ENGLISH:
        return 0.0
    sentences = split_sentences(plain)[:200]
    scores = [_analyzer().polarity_scores(sentence)["compound"] for sentence in sentences]
    moved = [score for score in scores if score]
    return sum(moved) / (len(moved) + 0.25 * (len(scores) - len(moved))) if moved else 0.0


@lru_cache(maxsize=1)
def _analyzer() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


def exclamations(plain: str) -> float:
    """Return exclamation marks per sentence, 2 at most."""
    return min(2.0, (plain.count("!") + plain.count("！")) / max(1, len(split_sentences(plain))))
