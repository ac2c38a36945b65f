"""Frozen values that travel between the stages of a call: Context -> Features -> Request -> Decision -> Result."""

from __future__ import annotations

from .arguments import FilterArguments, LogArguments, MusicArguments, RequestArguments, SceneArguments
from .base import (
    MAX_TEXT_BYTES,
    Label,
    Line,
    Name,
    OneOrMore,
    Tag,
    Unit,
    Value,
    clean_line,
    clean_text,
    surrogate_refusal,
)
from .brief import Brief, StatedBrief, StyleFit
from .checked import Checked, FoundFault
from .collection import MOST_TRACKS, Collection
from .ear import Heard, HeardTag, Measured, Suggested
from .filter import Alternative, Condition, FieldName, Filter, Period, Span
from .hits import Hits
from .intake import ITS_WORDS, AddedFile, AddOptions, Batch, Outcome
from .log import Judgement, Mood, RequestRecord
from .request import (
    Audience,
    Backend,
    Choices,
    Context,
    Environment,
    Features,
    QualityName,
    Request,
    Source,
    Takes,
    TimeOfDay,
    Use,
)
from .result import Action, Candidate, Decision, Match, Result, ServedResult
from .stock import PlannedTrack, Stock, StockPlan
from .track import IMPORTED, Hit, Page, State, Track

__all__ = [
    "IMPORTED",
    "ITS_WORDS",
    "MAX_TEXT_BYTES",
    "MOST_TRACKS",
    "Action",
    "AddOptions",
    "AddedFile",
    "Alternative",
    "Audience",
    "Backend",
    "Batch",
    "Brief",
    "Candidate",
    "Checked",
    "Choices",
    "Collection",
    "Condition",
    "Context",
    "Decision",
    "Environment",
    "Features",
    "FieldName",
    "Filter",
    "FilterArguments",
    "FoundFault",
    "Heard",
    "HeardTag",
    "Hit",
    "Hits",
    "Judgement",
    "Label",
    "Line",
    "LogArguments",
    "Match",
    "Measured",
    "Mood",
    "MusicArguments",
    "Name",
    "OneOrMore",
    "Outcome",
    "Page",
    "Period",
    "PlannedTrack",
    "QualityName",
    "Request",
    "RequestArguments",
    "RequestRecord",
    "Result",
    "SceneArguments",
    "ServedResult",
    "Source",
    "Span",
    "State",
    "StatedBrief",
    "Stock",
    "StockPlan",
    "StyleFit",
    "Suggested",
    "Tag",
    "Takes",
    "TimeOfDay",
    "Track",
    "Unit",
    "Use",
    "Value",
    "clean_line",
    "clean_text",
    "surrogate_refusal",
]
