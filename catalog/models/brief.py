"""The brief of a text: which music would serve it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, FiniteFloat

from presets.vocabulary import Environment

from .base import Unit, Value

__all__ = ["Brief", "StyleFit"]

Chance = Annotated[FiniteFloat, Field(ge=0.0, le=1.0)]


class StyleFit(Value):
    """How well music of one style would serve a text."""

    fits: Chance
    """Chance that a music supervisor would play it without a second thought."""
    passes: Chance
    """Chance that nobody would object to it; never less than `fits`."""


class Brief(Value):
    """Which music would serve a text, as `catalog.text.brief` reads it."""

    styles: dict[str, StyleFit]
    """By the name of the style preset."""
    valence: Unit
    """How pleasant the music should feel."""
    energy: Unit
    """How active the music should be."""
    text_kind: str | None = None
    """What kind of text it is: facts, instructions, story, place, personal, talk or other; None where not read."""
    place: Environment | None = None
    """The place whose sounds may be heard; None where the text is set nowhere in particular, or this was not read."""
    culture: str | None = None
    """The era or culture that one should hear, such as medieval; None where the text calls for none."""
    serious: float | None = None
    """How serious the text is: 0 a joke, 1 light, 2 ordinary, 3 grave; None where not read."""
