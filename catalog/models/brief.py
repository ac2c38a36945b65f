"""The brief of a text: which music would serve it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, FiniteFloat

from ..presets.vocabulary import Environment
from .base import IS_NUMBER, OneOrMore, StatedUnit, Unit, Value

__all__ = ["Brief", "StatedBrief", "StyleFit"]

TextKind = Literal["facts", "instructions", "story", "place", "personal", "talk", "other"]
Culture = Literal[
    "medieval",
    "classical",
    "east_asian",
    "middle_eastern",
    "south_asian",
    "african",
    "latin",
    "folk_western",
    "retro",
    "futuristic",
]
StyleName = Annotated[str, Field(min_length=1, max_length=64)]
Chance = Annotated[FiniteFloat, Field(ge=0.0, le=1.0)]


class StyleFit(Value):
    """How well music of one style would serve a text."""

    fits: Chance
    """Chance that a music supervisor would play it without a second thought."""
    passes: Chance
    """Chance that nobody would object to it; never less than `fits`."""


class Brief(Value):
    """Which music would serve a text, as `music_catalog.brief.reader` reads it."""

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
    application: str | None = None
    """What the application is that shows the text, where that counted; None where it was not told."""
    read_by: Literal["built-in", "language model", "caller"] = "built-in"

    @property
    def beyond_the_text(self) -> bool:
        """Whether more than the text and the built-in model speaks in it: an application, another reader, a caller."""
        return bool(self.application) or self.read_by != "built-in"

    def __repr__(self) -> str:
        """Return one line: the styles that fit best with their chances, and the mood."""
        best = sorted(self.styles, key=lambda name: -self.styles[name].fits)[:3]
        fits = ", ".join(f"{name} {self.styles[name].fits:.2f}" for name in best)
        return f"<Brief {fits}; valence {self.valence:.2f}, energy {self.energy:.2f}>"

    __str__ = __repr__


def _or_none(value: Any) -> Any:
    """Return None for the words by which a language model says that there is none."""
    return None if isinstance(value, str) and value.strip().lower() in ("", "-", "none", "null") else value


class StatedBrief(Value):
    """A brief in the words of a language model or an application: styles by name in place of chances.

    The descriptions of its fields are what a language model is told: raise
    `music_catalog.brief.asked.PROMPT_VERSION` with them.
    """

    fits: Annotated[tuple[StyleName, ...], Field(min_length=1, max_length=12), OneOrMore] = Field(
        description="Every style that a good music supervisor would play without a second thought, best first; often "
        "2 to 4, at least 1."
    )
    passable: Annotated[tuple[StyleName, ...], Field(max_length=24), OneOrMore] = Field(
        (),
        description="Styles that nobody would object to, though one of fits is noticeably better. A style in neither "
        "list counts as wrong: a listener would notice.",
    )
    valence: StatedUnit = Field(
        description="How pleasant the music should feel: -1 grief or horror, 0 neutral, 1 joy."
    )
    energy: StatedUnit = Field(
        description="How active the music should be: -1 still, 0 moderate, 1 relentless."
    )
    text_kind: TextKind | None = Field(
        None,
        description="facts (encyclopaedic, news, science), instructions (how-to, recipes, code, product and support "
        "answers), story (narrative), place (description of a place), personal (someone's experience or feeling), "
        "talk (dialogue or opinion), other.",
    )
    place: Annotated[Environment | None, BeforeValidator(_or_none)] = Field(
        None,
        description="The place whose sounds could be heard in it, only if the text is really set there; else null.",
    )
    culture: Annotated[Culture | None, BeforeValidator(_or_none)] = Field(
        None,
        description="The era or culture that one should hear; null where the text calls for none. classical is Europe "
        "of the 17th to 19th century, retro is pop of the 20th.",
    )
    serious: Annotated[FiniteFloat, Field(ge=0.0, le=3.0), IS_NUMBER] | None = Field(
        None, description="How serious the text is: 0 a joke, play; 1 light; 2 ordinary; 3 grave."
    )
