"""The facts that a search or a list is limited to."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from .base import Number, OneOrMore, Value, WholeNumber, YesOrNo
from .request import Environment, QualityName, TimeOfDay, Use
from .track import State

__all__ = ["Alternative", "Condition", "FieldName", "Filter", "Period", "Span"]

FieldName = Literal[
    "words",
    "mood",
    "tag",
    "style",
    "role",
    "quality",
    "environment",
    "time",
    "loop",
    "length",
    "tempo",
    "rating",
    "by",
    "model",
    "license",
    "language",
    "made",
]
"""The facts that a condition may be about; `search.filters` maps each to a column."""


class Span(Value):
    """Numbers from `low` to `high`, both included; None leaves an end open."""

    low: float | None = None
    high: float | None = None


class Period(Value):
    """Times from `since` on and before `before`, each a time or how long ago; None leaves an end open."""

    since: datetime | timedelta | None = None
    before: datetime | timedelta | None = None


Alternative = bool | str | Span | Period | None
"""A value that a fact may have; None stands for an unknown fact."""


class Condition(Value):
    """One fact about a track: it has any of these values, or with `negated` none of them."""

    field: FieldName
    any_of: Annotated[tuple[Alternative, ...], Field(min_length=1)]
    negated: bool = False


class Filter(Value):
    """Hard facts, all of which a track must meet. None or an empty tuple leaves a fact open."""

    style: str | None = None
    role: str | None = None
    min_quality: QualityName | None = None
    min_model_rank: WholeNumber | None = None
    environment: Environment | None = None
    time_of_day: TimeOfDay | None = None
    mood: Annotated[tuple[str, ...], OneOrMore] = ()
    """A track must have every one of these tags."""
    loopable: YesOrNo | None = None
    min_duration_s: Number | None = None
    max_duration_s: Number | None = None
    min_tempo_bpm: Number | None = None
    max_tempo_bpm: Number | None = None
    min_rating: WholeNumber | None = None
    whole_pieces: YesOrNo = False
    """Imported tracks may be longer than `max_duration_s`: a piece is faded out when it is no longer needed."""
    backend: str | None = None
    license: Use | None = None
    """What the music must be licensed for, by the licence that the track states."""
    language: str | None = None
    state: State | None = "ready"
    conditions: tuple[Condition, ...] = ()
    """Further facts, all of which must hold; `search.query.parse` reads them from text."""
