"""A request and its parts: the context, its features, the choices of the caller, and for whom the music plays."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from ..presets import Environment, TimeOfDay
from .base import (
    IS_WHOLE,
    Line,
    Name,
    Number,
    OneOrMore,
    StatedUnit,
    Tag,
    Unit,
    Value,
    YesOrNo,
    clean_line,
    clean_text,
)
from .brief import Brief, StatedBrief
from .display import quoted

__all__ = [
    "Audience",
    "Backend",
    "Choices",
    "Context",
    "Environment",
    "Features",
    "QualityName",
    "Request",
    "Source",
    "Takes",
    "TimeOfDay",
    "Use",
]

Source = Literal["caller", "text", "heads", "prototypes", "encoder", "default"]
Backend = Annotated[str, AfterValidator(clean_line), Field(min_length=1, max_length=64)]
"""`auto`, `mlx`, `procedural`, a backend of the configuration, or the name of a plugin."""
Use = Literal["commercial"]
QualityName = Literal["preview", "standard", "final"]


class Context(Value):
    """What the application just said, and what its pipeline already knows about it.

    Every field but `text` is optional. A field that the caller states wins over what the text suggests.
    """

    text: Annotated[str, AfterValidator(clean_text)]
    query: Annotated[Line, Field(max_length=10_000)] = ""
    application: Annotated[Line, Field(max_length=500)] | None = None
    """What the application is that shows the text, such as "a noir detective game in Buenos Aires in 1946"; the styles
    that suit it are likelier. None leaves that to the configuration, and "" tells nothing."""
    summary_of_topic: Annotated[Line, Field(max_length=2_000)] | None = None
    emotional_tone_description: Annotated[Line, Field(max_length=500)] | None = None
    valence: StatedUnit | None = None
    energy: StatedUnit | None = None
    mood_tags: Annotated[tuple[Tag, ...], Field(max_length=32), OneOrMore] | None = None
    environment: Environment | None = None
    time_of_day: TimeOfDay | None = None
    language: Annotated[Line, Field(max_length=35)] | None = None
    brief: StatedBrief | None = None
    """Which music would serve the text; what is stated here wins over every reader."""

    @property
    def sha256(self) -> str:
        """Return the hex digest of the cleaned text."""
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()


class Features(Value):
    """What the context is about and how it feels.

    `sources` has who read each field; `confidences` how far a reading may be trusted, 0 to 1, for the fields that can
    be wrong (`music_catalog.text.confidence`): 1 for a field that the caller stated, no entry where nothing was read.
    """

    summary_of_topic: Line
    emotional_tone_description: Line
    valence: Unit
    energy: Unit
    mood_tags: tuple[str, ...]
    environment: Environment | None = None
    time_of_day: TimeOfDay | None = None
    language: str = "und"
    glossed: bool = False
    """Whether the text was read word for word in English."""
    sources: dict[str, Source] = Field(default_factory=dict)
    confidences: dict[str, float] = Field(default_factory=dict)


class Choices(Value):
    """What the caller chose; None leaves a choice to the selection policy and the presets."""

    preset: str | None = None
    role: str | None = None
    quality: QualityName | None = None
    backend: Backend | None = None
    license: Use | None = None
    """What the music must be licensed for: "commercial" serves and makes only what may be used commercially."""
    duration_s: Number | None = None
    loopable: YesOrNo | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32), IS_WHOLE] | None = None
    continue_from: str | None = None
    """The id of a track that the music continues; `duration_s` counts its length too."""
    melody: str | None = None
    """The file of a recording whose melody the music follows; once it is read, the sha256 of its samples."""
    generation: dict[str, Any] = Field(default_factory=dict)
    """Other generation values by their configuration name: top_k, cfg_coef, normalize_duration, ..."""


class Audience(Value):
    """For whom the music plays, and its recurring theme; "" where the caller names none."""

    listener: Name = ""
    theme: Name = ""


class Takes(Value):
    """How often a track is made before the best is kept, where one must be made; None leaves it to the settings."""

    takes: Annotated[int, Field(ge=1, le=16), IS_WHOLE] | None = None
    """Takes with different seeds, of which the best is kept."""
    retakes: Annotated[int, Field(ge=0, le=5), IS_WHOLE] | None = None
    """How often a track that fails the check is made again."""
    keep_takes: YesOrNo | None = None
    """Whether the other takes that pass the check are kept too, as variants of the best; None drops them."""


class Request(Value):
    """A context with every choice made: what to search for, and what to make when nothing fits."""

    key: str
    """The same context, choices and configuration give the same key."""
    context: Context
    features: Features
    brief: Brief | None = None
    """Which music would serve the text; None where no model reads it for the encoder in use."""
    choices: Choices
    style: str
    role: str
    quality: QualityName
    why: dict[str, str]
    """For style, role and quality: the reason each was picked."""
    prompt: str
    config: dict[str, Any]
    """The merged generation configuration."""
    config_sources: dict[str, str]
    """For every key of `config`: the file, the preset or the caller that set it."""
    warnings: tuple[str, ...] = ()
    substitution: str = ""
    """In words, what the backend stands in for; "" when it is the requested one."""

    def __repr__(self) -> str:
        """Return one line: the choices, and the beginning of the text."""
        return f"<Request {self.style} {self.role} {self.quality} for {quoted(self.context.text)}>"

    __str__ = __repr__
