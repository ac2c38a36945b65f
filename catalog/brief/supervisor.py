"""Who reads the brief of a text: the caller who states it, else the user's language model, else the built-in model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError
from ..models import Brief, Context, Features
from ..presets import Reader
from ..text.encoder import Encoder
from ..text.parsed import ParsedText
from . import reader
from .language_model import LanguageModel, Unread
from .listed import brief_of, unknown_style
from .reader import StyleLike

__all__ = ["Supervisor"]


class Supervisor:
    """Reads briefs over the presets `styles`; `endpoint` is the language model, None without one.

    `home` may hold models of the user's own for other encoders; what the language model says is kept below its cache.
    """

    def __init__(
        self, styles: Mapping[str, StyleLike], encoder: Encoder, endpoint: Reader | None, home: Path
    ) -> None:
        self._styles = styles
        self._encoder = encoder
        self._endpoint = endpoint
        self._home = home
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
        warnings: tuple[str, ...] = ()
        if self._endpoint is not None and self._model is not None:
            try:
                stated = self._model.read(context.query, context.text)
            except Unread as failure:
                name = self._endpoint.model
                warnings = (f"the text was read without the language model {name}: it {failure}",)
            else:
                return brief_of(stated, self._styles, "language model"), ()
        assert parsed.layers is not None
        read = features.model_copy(update={"language": parsed.spoken})
        brief = reader.read_brief(parsed.text, parsed.layers, read, self._styles, self._encoder, self._home)
        return brief, warnings
