"""Frozen values that travel between the stages of a call: Context -> Features -> Request -> Decision -> Result."""

from __future__ import annotations

from .base import (
    MAX_TEXT_BYTES,
    Label,
    Line,
    Name,
    Tag,
    Unit,
    Value,
    clean_line,
    clean_text,
    surrogate_refusal,
)
from .brief import Brief, StatedBrief, StyleFit
from .filter import Alternative, Condition, FieldName, Filter, Period, Span
from .log import Judgement, Mood, RequestRecord
from .request import (
    Audience,
    Choices,
    Context,
    Environment,
    Features,
    QualityName,
    Request,
    Source,
    TimeOfDay,
)
from .result import Action, Candidate, Decision, Match, Result
from .stock import PlannedTrack, Stock, StockPlan
from .track import Hit, Page, State, Track

__all__ = [
    "MAX_TEXT_BYTES",
    "Action",
    "Alternative",
    "Audience",
    "Brief",
    "Candidate",
    "Choices",
    "Condition",
    "Context",
    "Decision",
    "Environment",
    "Features",
    "FieldName",
    "Filter",
    "Hit",
    "Judgement",
    "Label",
    "Line",
    "Match",
    "Mood",
    "Name",
    "Page",
    "Period",
    "PlannedTrack",
    "QualityName",
    "Request",
    "RequestRecord",
    "Result",
    "Source",
    "Span",
    "State",
    "StatedBrief",
    "Stock",
    "StockPlan",
    "StyleFit",
    "Tag",
    "TimeOfDay",
    "Track",
    "Unit",
    "Value",
    "clean_line",
    "clean_text",
    "surrogate_refusal",
]
