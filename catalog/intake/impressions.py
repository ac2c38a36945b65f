"""What a piece of music that others made is like: its style and its mood, and how sure that is.

The words alone decide, and what they do not say is left open: the style is `UNSORTED`, and nothing is known of the
mood. What is heard of the piece is weighed later, by `music_catalog.hearing`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..brief.reader import StyleLike
from ..models import ITS_WORDS, Environment, Features, TimeOfDay, Unit, Value
from ..text.encoder import Encoder
from ..text.features import tone_of
from .words import Words

__all__ = ["UNSORTED", "Impression", "impression"]


UNSORTED = "unsorted"
"""The style of a track of which nobody knows it; no preset has this name."""
SURE_ENOUGH = 0.3
"""From this chance on the likeliest style is the track's."""
GENRE, OTHER = 2.0, 1.0
"""What a word counts that a style shares with a genre, and with any other word."""
LEXICAL, COSINE = 0.9, 14.0
OF_GENRE = 7.0
"""What a genre counts that a style names as its own."""
TOLD = 5
"""How many of the likeliest styles are kept with the track."""
_SAID = (
    "a an and are at by for from in into is it its of on or over the to with music track song tune theme "
    "mix version original untitled unknown audio new no vol pt part take final master edit feat ft"
)
EMPTY_WORDS = frozenset(_SAID.split())
"""Words that tell nothing of how music sounds."""
_OTHER_GENRES = (
    "alternative, alternative rock, audiobook, blues, christian, christmas, comedy, dub, dubstep, "
    "experimental, game, grunge, hard rock, hardcore, heavy metal, hip hop, holiday, house, indie, "
    "indie rock, instrumental, j pop, k pop, klezmer, mariachi, metal, misc, musical, noise, opera, other, "
    "podcast, polka, post rock, progressive rock, punk, punk rock, r and b, rap, reggae, reggaeton, rock, "
    "rockabilly, salsa, ska, speech, spoken word, surf rock, tango, trap, unknown, vocal"
)
OTHER_GENRES = frozenset(_OTHER_GENRES.split(", "))
"""Genres that say no style: none of the shipped ones plays them, or they are of every kind."""


class Impression(Value):
    """What a piece is like. `sure` is 0 where nothing is known; then style and mood say nothing."""

    style: str = UNSORTED
    styles: dict[str, float] = Field(default_factory=dict)
    """The likeliest style presets, each with its chance."""
    sure: float = 0.0
    valence: Unit = 0.0
    energy: Unit = 0.0
    mood_tags: tuple[str, ...] = ()
    tone: str = ""
    environment: Environment | None = None
    time_of_day: TimeOfDay | None = None
    by: str = "nothing is known of it"
    """Who says so: `ITS_WORDS` where they were guessed from."""

    @property
    def guessed(self) -> float | None:
        """How sure the style is that was guessed from words; None where it was stated."""
        return self.sure if self.by == ITS_WORDS else None


def impression(
    words: Words,
    *,
    features: Features | None,
    styles: Mapping[str, StyleLike],
    encoder: Encoder,
) -> Impression:
    """Return what a piece is like, from its words: genres, moods, title, description, comment, folder.

    `features` are those of its words, None where there are none. A style that the words name outright
    is taken as it is.
    """
    if words.style in styles:
        said_by = words.said_by.get("style", "")
        named = Impression(style=words.style, styles={words.style: 1.0}, sure=1.0, by=said_by)
        return _felt(named, features, styles)
    if words.style == UNSORTED:  # a catalog of this program found none
        return _felt(Impression(by=words.said_by.get("style", "")), features, styles)
    own, others = _genres(words, styles)
    tokens = _tokens(words, others, titles=not others or bool(own))
    if features is None or not (own or tokens):
        return Impression()
    chances = _chances(words, own, tokens, styles, encoder)
    likely = sorted(chances, key=lambda name: -chances[name])
    sure = chances[likely[0]] if likely else 0.0
    first = Impression(
        style=likely[0] if sure >= SURE_ENOUGH else UNSORTED,
        styles={name: round(chances[name], 3) for name in likely[:TOLD]},
        sure=round(sure, 3),
        by=ITS_WORDS,
    )
    return _felt(first, features, styles)


def _felt(one: Impression, features: Features | None, styles: Mapping[str, StyleLike]) -> Impression:
    """Return the impression with a mood: that which the words name, else that of its style, else none."""
    felt: dict[str, object] = {}
    if style := styles.get(one.style):
        felt = {"valence": style.valence, "energy": style.energy, "mood_tags": style.moods}
        felt["environment"] = style.environment
    if features is not None:
        if features.sources.get("mood_tags") == "text":
            felt |= {name: getattr(features, name) for name in ("valence", "energy", "mood_tags")}
        felt["environment"] = features.environment or felt.get("environment")
        felt["time_of_day"] = features.time_of_day
    felt["tone"] = tone_of(felt["mood_tags"], felt["energy"]) if felt.get("mood_tags") else ""  # type: ignore[arg-type]
    return one.model_copy(update=felt)


def _genres(words: Words, styles: Mapping[str, StyleLike]) -> tuple[Counter[str], frozenset[str]]:
    """Return how many of the piece's genres each style names as its own, and the names of all genres that are known."""
    played: dict[str, list[str]] = {}
    for name, style in styles.items():
        for genre in getattr(style, "genres", None) or ():
            played.setdefault(_genre(genre), []).append(name)
    said = {_genre(one) for one in words.genres}
    own = Counter(name for genre in said for name in played.get(genre, ()))
    called = [
        f" {_genre(one)} "
        for name, style in styles.items()
        for one in (name.replace("_", " "), *style.topics)
    ]
    # A style of the user's own may be one of rock though it names no genres.
    others = (one for one in said & OTHER_GENRES if not any(f" {one} " in words for words in called))
    return own, frozenset((*(said & set(played)), *others))


def _genre(text: str) -> str:
    """Return the name of a genre as it is compared: "Drum & Bass", "drum'n'bass" and "Drum and Bass" are one."""
    plain = re.sub(r"\s*(?:&|'n'|\bn\b|\+)\s*", " and ", text.casefold()).replace("'", "")
    return " ".join(re.findall(r"\w+", plain))


def _chances(
    words: Words,
    own: Mapping[str, int],
    tokens: Mapping[str, float],
    styles: Mapping[str, StyleLike],
    encoder: Encoder,
) -> dict[str, float]:
    """Return the chance of each style: by its genres, by the words it shares, and by how near the meanings are."""
    names = tuple(styles)
    said, vectors = _of_styles(styles, encoder)
    rare = Counter(token for own in said for token in own)
    shared = np.array(
        [
            sum(
                weight * own[token] * math.log(1.0 + len(names) / rare[token])
                for token, weight in tokens.items()
                if token in own
            )
            for own in said
        ]
    )
    cosines = vectors @ encoder.encode([words.about_music])[0]
    named = np.array([own.get(name, 0) for name in names], float)
    score = OF_GENRE * named + LEXICAL * shared + COSINE * (cosines - cosines.mean())
    odds = np.exp(np.minimum(score - score.max(), 0.0))
    # Without a word that a style shares, nearness of meaning alone is a guess among all of them.
    chances = odds / (odds.sum() + (0.0 if named.any() or shared.max() > 0 else 2.0))
    return dict(zip(names, chances.tolist(), strict=True))


def _tokens(words: Words, genres: frozenset[str], *, titles: bool) -> dict[str, float]:
    """Return the words that may tell how it sounds, each with what it counts.

    `genres` are those that are known by their names. Without `titles` the names of things say nothing: "Ocean" is no
    sound of the sea where the genre is metal.
    """
    found: dict[str, float] = {}
    unknown = (one for one in words.genres if _genre(one) not in genres)
    called = (words.title, words.album, words.comment, words.folder) if titles else ()
    for weight, texts in (
        (GENRE, (*unknown, *words.moods, *words.tags)),
        (OTHER, (words.description, *called)),
    ):
        for token in (token for text in texts for token in _split(text)):
            found.setdefault(token, weight)
    return found


def _split(text: str) -> list[str]:
    plain = re.sub(r"lo[\s-]?fi", "lofi", text.lower().replace("&", " and "))
    plain = re.sub(r"hip[\s-]?hop", "hiphop", plain)
    return [_stem(one) for one in re.findall(r"[^\W\d_]{2,}|\d0s|8bit", plain) if one not in EMPTY_WORDS]


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 4 and word.endswith("s") and not word.endswith("ss") else word


def _said_of(styles: Mapping[str, StyleLike]) -> list[dict[str, float]]:
    """Return the words of each style, each with what it counts: its name and its kind of music most."""
    said = []
    for name, style in styles.items():
        own: dict[str, float] = {}
        prompts: Sequence[str] = getattr(style, "prompt_tags", None) or ()
        # The first of the tags for MusicGen names the kind of music, the others what is heard in it.
        parts = (
            (1.0, (name.removeprefix("environment_").replace("_", " "), *prompts[:1])),
            (0.6, (*style.moods, *prompts[1:])),
            (0.5, style.topics),
            (0.3, (style.description,)),
        )
        for weight, texts in parts:
            for token in (token for text in texts for token in _split(text)):
                own.setdefault(token, weight)
        said.append(own)
    return said


def _of_styles(
    styles: Mapping[str, StyleLike], encoder: Encoder
) -> tuple[list[dict[str, float]], NDArray[np.float32]]:
    """Return the words of each style and the vectors of their descriptions, worked out once for the same styles."""
    described = tuple(style.description for style in styles.values())
    key = encoder.identity, tuple(styles), described
    if (known := _known.get(key)) is None:
        known = _said_of(styles), encoder.encode([*described])
        _known.clear()
        _known[key] = known
    return known


_known: dict[
    tuple[str, tuple[str, ...], tuple[str, ...]], tuple[list[dict[str, float]], NDArray[np.float32]]
] = {}
