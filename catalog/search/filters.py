"""Filter -> the predicate of a query: allow-listed columns, literals escaped by type, no text pasted in.

Lance takes no bound parameters, and its typed expressions know no array functions, so predicates are SQL text built
from the few forms below. Every column is named here; every literal goes through `literal`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from datetime import datetime, timedelta, timezone
from typing import TypeAlias

from ..errors import InputError
from ..models import (
    IMPORTED,
    Alternative,
    Condition,
    FieldName,
    Filter,
    Period,
    QualityName,
    Span,
    Track,
    surrogate_refusal,
)
from .licenses import NO_WEIGHTS, PATTERN, commercial

__all__ = ["QUALITY_RANK", "both", "equals", "literal", "meets", "one_of", "to_sql"]


Licenses: TypeAlias = Callable[[], "Collection[str] | None"]
QUALITY_RANK: dict[QualityName, int] = {"preview": 0, "standard": 1, "final": 2}
_COLUMNS: dict[FieldName, str] = {
    "words": "words",
    "mood": "mood_tags",
    "tag": "tags",
    "style": "style",
    "role": "role",
    "quality": "quality",
    "environment": "environment",
    "time": "time_of_day",
    "loop": "loopable",
    "length": "duration_s",
    "tempo": "tempo_bpm",
    "rating": "rating",
    "by": "backend",
    "model": "model",
    "license": "weights_license",
    "language": "language",
    "made": "created_at",
}
_SAME = ("state", "role", "style", "environment", "time_of_day", "loopable", "backend", "language")
"""Facts that a track must equal; the columns, the fields of `Filter` and those of `Track` have the same names."""
_LISTS = ("mood", "tag")
_WHOLE = ("rating",)
_PARTS = ("model", "license")
"""Fields that match where a part of the value does."""
_COMMERCIAL = "commercial"
"""The value of `license` that stands for every licence which allows commercial use."""
_UNKNOWN: dict[FieldName, str] = {"environment": "''", "time": "''", "tempo": "0.0", "rating": "0"}
"""The value of a column that stands for an unknown fact."""
_LETTER = "[0-9a-z\u00e0-\u024f]"
_LARGEST_INT = 2**31 - 1
_LARGEST_FLOAT = 1.7976931348623157e308


def to_sql(where: Filter, licenses: Licenses = lambda: None) -> str | None:
    """Return the predicate of `where`, None when every fact is open.

    `licenses` returns every licence that the rows state, or None; it is called where the rule of commercial use is
    asked for. Names take an index: the rule itself is read for each row, five times as long as a search without it.
    Unknown values never meet a bound: a track without tempo is outside every tempo range, an unrated one below every
    rating. Raises InputError for text that is not Unicode and for bounds that are not numbers.
    """
    return both(
        *_equalities(where),
        *_bounds(where),
        *_tags(where),
        _licensed(licenses()) if where.license else None,
        *(_condition(condition, licenses) for condition in where.conditions),
    )


def meets(track: Track, where: Filter) -> bool:
    """Tell whether a track meets the facts of `where`, its `conditions` aside; the same rules as in `to_sql`."""
    return (
        all(getattr(where, name) in (None, getattr(track, name)) for name in _SAME)
        and (where.license is None or commercial(track.license, imported=track.imported))
        and set(where.mood) <= {*track.mood_tags}
        and QUALITY_RANK[track.quality] >= QUALITY_RANK[where.min_quality or "preview"]
        and track.model_rank >= (where.min_model_rank or 0)
        and _within(track.duration_s, where.min_duration_s, _longest(track, where))
        and _within(track.tempo_bpm, where.min_tempo_bpm, where.max_tempo_bpm)
        and _within(track.rating, where.min_rating, None)
    )


def both(*predicates: str | None) -> str | None:
    """Return the conjunction of the predicates, None when there is none."""
    return " AND ".join(predicate for predicate in predicates if predicate) or None


def equals(column: str, value: str | bool | int | float) -> str:
    """Return `column = value` with the value escaped. `column` must come from code, never from a caller."""
    return f"{column} = {literal(value)}"


def one_of(column: str, values: list[str]) -> str:
    """Return `column IN (...)` with the values escaped; false for no values."""
    return f"{column} IN ({', '.join(literal(value) for value in values)})" if values else "false"


def literal(value: str | bool | int | float | datetime) -> str:
    """Return `value` as an SQL literal: text quoted with quotes doubled, numbers held in the column's range."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, datetime):
        return f"timestamp '{value.astimezone(timezone.utc).strftime('%Y-%m-%dT%H:%M:%S.%fZ')}'"
    if isinstance(value, int):
        return str(max(-_LARGEST_INT, min(_LARGEST_INT, value)))
    if math.isnan(value):
        raise InputError("a bound of the filter is NaN; pass a number")
    return repr(max(-_LARGEST_FLOAT, min(_LARGEST_FLOAT, float(value))))


def _text(value: str) -> str:
    if refusal := surrogate_refusal(f"the filter text {value!r}", value):
        raise InputError(refusal)
    return "'" + value.replace("'", "''") + "'"


def _equalities(where: Filter) -> list[str]:
    facts = {column: getattr(where, column) for column in _SAME}
    return [equals(column, value) for column, value in facts.items() if value is not None]


def _longest(track: Track, where: Filter) -> float | None:
    return None if where.whole_pieces and track.imported else where.max_duration_s


def _within(value: float | None, lowest: float | None, highest: float | None) -> bool:
    if lowest is None and highest is None:
        return True
    return value is not None and (lowest is None or value >= lowest) and (highest is None or value <= highest)


def _bounds(where: Filter) -> list[str]:
    bounds: list[tuple[str, str, int | float | None]] = [
        ("quality_rank", ">=", None if where.min_quality is None else QUALITY_RANK[where.min_quality]),
        ("model_rank", ">=", where.min_model_rank),
        ("duration_s", ">=", where.min_duration_s),
        ("duration_s", "<=", None if where.whole_pieces else where.max_duration_s),
        ("tempo_bpm", ">=", where.min_tempo_bpm),
        ("tempo_bpm", "<=", where.max_tempo_bpm),
        ("rating", ">=", where.min_rating),
    ]
    predicates = [
        f"{column} {sign} {literal(value)}"
        for column, sign, value in bounds
        # No rank is below 0, so such a bound only costs time.
        if value is not None and not (column in ("quality_rank", "model_rank") and value <= 0)
    ]
    if where.whole_pieces and where.max_duration_s is not None:
        shorter = f"duration_s <= {literal(where.max_duration_s)}"
        predicates.append(f"({shorter} OR {equals('backend', IMPORTED)})")
    if where.min_tempo_bpm is not None or where.max_tempo_bpm is not None:
        predicates.append("tempo_bpm > 0.0")
    if where.min_rating is not None:
        predicates.append("rating > 0")
    return predicates


def _tags(where: Filter) -> list[str]:
    return [f"array_has(mood_tags, {literal(tag)})" for tag in where.mood]


def _condition(condition: Condition, licenses: Licenses) -> str:
    column = _COLUMNS[condition.field]
    either = " OR ".join(_meets(condition.field, column, value, licenses) for value in condition.any_of)
    return f"NOT ({either})" if condition.negated else f"({either})"


def _meets(field: FieldName, column: str, value: Alternative, licenses: Licenses) -> str:
    if value is None:
        if field in _LISTS:
            return f"cardinality({column}) = 0"
        return f"{column} = {_UNKNOWN[field]}" if field in _UNKNOWN else "false"
    if isinstance(value, Span):
        known = [f"{column} != {_UNKNOWN[field]}"] if field in _UNKNOWN else []
        low, high = value.low, value.high
        if field in _WHOLE:
            low, high = low and math.ceil(low), high and math.floor(high)
        ends = [(">=", low), ("<=", high)]
        bounds = [f"{column} {sign} {literal(end)}" for sign, end in ends if end is not None]
        return f"({both(*bounds, *known) or 'true'})"
    if isinstance(value, Period):
        ends_at = [(">=", value.since), ("<", value.before)]
        bounds = [f"{column} {sign} {literal(_moment(end))}" for sign, end in ends_at if end is not None]
        return f"({both(*bounds) or 'true'})"
    if field == "words":
        return f"regexp_like(lower({column}), {literal(_pattern(str(value)))})"
    if field in _LISTS:
        spelled = dict.fromkeys((str(value), str(value).lower()))
        return " OR ".join(f"array_has({column}, {literal(each)})" for each in spelled)
    if field == "license" and str(value).lower() == _COMMERCIAL:
        return _licensed(licenses())
    if field in _PARTS:
        return f"contains(lower({column}), {literal(str(value).lower())})"
    return equals(column, value)


def _licensed(stated: Collection[str] | None) -> str:
    """Return the predicate of tracks that may be used commercially; the same rule as `licenses.commercial`.

    `stated` are the licences of all rows; None where they are not known.
    """
    of_weights = both(equals("weights_license", NO_WEIGHTS), f"backend != {literal(IMPORTED)}")
    if stated is None:
        named = f"regexp_like(trim(lower(weights_license)), {literal(PATTERN)})"
    else:
        named = one_of("weights_license", [one for one in sorted(stated) if commercial(one, imported=True)])
    return f"({named} OR ({of_weights}))"


def _moment(end: datetime | timedelta) -> datetime:
    return datetime.now(timezone.utc) - end if isinstance(end, timedelta) else end


def _pattern(phrase: str) -> str:
    """Return the pattern that finds `phrase` as whole words in small letters.

    Scripts without spaces have no word ends, so there it finds the phrase anywhere.
    """
    lower = phrase.lower()
    words = (re.sub(r"[][\\.+*?()|{}^$]", r"\\\g<0>", word) for word in lower.split())
    before = f"(^|[^{_LETTER[1:]})" if re.match(_LETTER, lower) else ""
    after = f"($|[^{_LETTER[1:]})" if re.match(_LETTER, lower[-1:]) else ""
    return before + r"\s+".join(words) + after
