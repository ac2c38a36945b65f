"""Who reads the brief of a text: the caller who states it, else the user's language model, else the built-in model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..models import Brief, Context, Features
from ..presets import Reader
from ..text.encoder import Encoder, embed_layers, embed_tokens
from ..text.language import name_of
from ..text.parsed import ParsedText, in_english
from . import reader
from .language_model import LanguageModel, Unread
from .listed import brief_of, unknown_style
from .pools import Pools, TextVectors, vectors_of
from .reader import StyleLike

__all__ = ["Supervisor", "behind_description", "guessed", "is_guess", "with_application"]

A_GUESS = "was not understood, so its music is a guess"

MOST_DESCRIPTIONS = 64
"""Of applications, whose vectors are kept in memory."""


class Supervisor:
    """Reads briefs over the presets `styles`; `endpoint` is the language model, None without one.

    `home` may hold models of the user's own for other encoders; what the language model says is kept below its cache.
    `application` is what the application is, where a text does not come with that.
    """

    def __init__(
        self,
        styles: Mapping[str, StyleLike],
        encoder: Encoder,
        endpoint: Reader | None,
        home: Path,
        application: str | None = None,
    ) -> None:
        self._styles = styles
        self._encoder = encoder
        self._endpoint = endpoint
        self._home = home
        self._application = application
        self._model = LanguageModel(endpoint, styles, home / "cache" / "briefs") if endpoint else None

    def check(self, context: Context) -> None:
        """Refuse a stated brief that names an unknown style. Raises InputError."""
        if context.brief is not None and (refusal := unknown_style(context.brief, self._styles)):
            raise InputError(f"brief.{refusal}")

    def reads(self, context: Context) -> bool:
        """Tell whether anybody reads a brief of `context`."""
        return bool(context.brief or self._model or reader.load(self._encoder.identity, self._home))

    def read(
        self, context: Context, parsed: ParsedText, features: Features
    ) -> tuple[Brief | None, tuple[str, ...]]:
        """Return the brief of a text, None where nobody reads it, and warnings where the language model did not."""
        if context.brief is not None:
            return brief_of(context.brief, self._styles, "caller"), ()
        application = self._application if context.application is None else context.application
        warnings: tuple[str, ...] = ()
        if self._endpoint is not None and self._model is not None:
            try:
                stated = self._model.read(context.query, context.text, application or "")
            except Unread as failure:
                name = self._endpoint.model
                warnings = (f"the text was read without the language model {name}: it {failure}",)
            else:
                brief = brief_of(stated, self._styles, "language model")
                return brief.model_copy(update={"application": application or None}), ()
        return self._built_in(parsed, features, application), warnings

    def _built_in(self, parsed: ParsedText, features: Features, application: str | None) -> Brief | None:
        model = reader.load(self._encoder.identity, self._home)
        if model is None:
            return None
        assert parsed.layers is not None
        text, told = parsed.text, None
        if application:
            alone = bool(model.application_layers)
            text, vectors, told = with_application(
                application, parsed, self._encoder, model.pools, alone=alone
            )
        else:
            vectors = vectors_of(model.pools, parsed.layers, parsed.tokens)
        read = features.model_copy(update={"language": parsed.spoken})
        brief = reader.read_brief(text, vectors, read, self._styles, self._encoder, self._home, told)
        return brief and brief.model_copy(update={"application": application or None})


def guessed(context: Context, parsed: ParsedText, brief: Brief | None) -> tuple[str, ...]:
    """Return a warning where the music follows from a text in a language that nobody reads; none where moods do."""
    if brief is None or brief.read_by != "built-in" or context.mood_tags or context.valence is not None:
        return ()
    # With the encoder that the heads belong to only English is read, and what is put into it word for word.
    if parsed.heads is None or parsed.trust == 1.0:
        return ()
    return (
        f"the text is in {name_of(parsed.language)} and {A_GUESS}; name a style or "
        "moods, or configure a language model as reader (docs/BRIEF.md)",
    )


def is_guess(warnings: Iterable[str]) -> bool:
    """Tell whether the warnings of a request say that its music is a guess."""
    return any(A_GUESS in one for one in warnings)


def with_application(
    application: str, parsed: ParsedText, encoder: Encoder, pools: Pools | None, *, alone: bool = True
) -> tuple[str, TextVectors, NDArray[np.float32] | None]:
    """Return a text behind the description of its application, its vectors, and those of the description alone.

    The last are of shape (layers, dimension). Without `alone` they are not worked out, and None.

    A line alone often does not tell its genre. The mean of the line alone and of the line behind the description tells
    more than either (docs/FITTING.md).
    """
    assert parsed.layers is not None
    described = in_english(application, encoder, parsed)
    behind = embed_tokens(encoder, behind_description(described, parsed.plain))
    mean = np.asarray(np.mean([parsed.layers, behind.layers], axis=0, dtype=np.float32))
    vectors = vectors_of(pools, mean, behind.tokens)
    read = behind_description(described, parsed.text)
    return read, vectors, _of_description(described, encoder) if alone else None


def behind_description(described: str, text: str) -> str:
    """Return a text behind the description of its application."""
    return f"{described.rstrip('.')}. {text}"


def _of_description(described: str, encoder: Encoder) -> NDArray[np.float32]:
    """Return the vectors of a description, shape (layers, dimension). Most texts of a process have the same."""
    key = encoder.identity, described
    if (known := _descriptions.get(key)) is None:
        if len(_descriptions) >= MOST_DESCRIPTIONS:
            _descriptions.clear()
        known = _descriptions[key] = embed_layers(encoder, described)
    return known


_descriptions: dict[tuple[str, str], NDArray[np.float32]] = {}
