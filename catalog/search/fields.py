"""The fields of the query language, and how their values are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta, timezone
from typing import NamedTuple, get_args

from ..errors import InputError
from ..models import (
    Alternative,
    Environment,
    Period,
    QualityName,
    Span,
    TimeOfDay,
)
from ..validation import nearest

__all__ = ["FIELDS", "HALF", "LARGEST_NUMBER", "MOST_DAYS"]

LARGEST_NUMBER = 1e9
MOST_DAYS = 36_500
HALF = 0.5
"""A bare `length:30` or `tempo:90` means as near as this: neither is a whole number in a real track."""
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)(e-?\d{1,2})?", re.ASCII)
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)
_AGO = re.compile(r"(\d{1,6})(h|d|w|mo|y)", re.ASCII)
_HOURS = {"h": 1, "d": 24, "w": 168, "mo": 720, "y": 8760}


# How the values of each field are read and written


class _Kind(NamedTuple):
    """How a field's value is read: `read(field, value, position, known)`; and an example for hints."""

    read: Callable[[str, str, int, Mapping[str, Collection[str]]], Alternative]
    example: str


def _refused(field: str, value: str, position: int, why: str) -> InputError:
    return InputError(f"{field}:{value} at character {position} is not valid; {why}")


def _one_of(*valid: str, none: bool = False) -> Callable[..., Alternative]:
    def read(field: str, value: str, position: int, known: Mapping[str, Collection[str]]) -> Alternative:
        del known
        lower = value.lower()
        if none and lower == "none":
            return None
        if lower not in valid:
            every = (*valid, "none") if none else valid
            raise _refused(field, value, position, nearest(lower, every))
        return lower

    return read


def _name(field: str, value: str, position: int, known: Mapping[str, Collection[str]]) -> Alternative:
    valid = known.get(field)
    spelled = value if valid is None or value in valid else re.sub(r"[ -]", "_", value.lower())
    if valid is not None and spelled not in valid:
        raise _refused(field, value, position, nearest(spelled, valid))
    return spelled


def _open(*, none: bool = False) -> Callable[..., Alternative]:
    def read(field: str, value: str, position: int, known: Mapping[str, Collection[str]]) -> Alternative:
        del field, position, known
        return None if none and value.lower() == "none" else value

    return read


def _yes(field: str, value: str, position: int, known: Mapping[str, Collection[str]]) -> Alternative:
    del known
    said = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if value.lower() not in said:
        raise _refused(field, value, position, "pass yes or no")
    return said[value.lower()]


def _span(
    *, none: bool = False, around: float = 0.0, least: float = 0.0, most: float = LARGEST_NUMBER
) -> Callable[..., Alternative]:
    def read(field: str, value: str, position: int, known: Mapping[str, Collection[str]]) -> Alternative:
        del known
        if none and value.lower() == "none":
            return None
        ends = _ends(field, value, position)
        numbers = [_number(field, value, end, position) if end else None for end in ends]
        low, high = numbers[0], numbers[-1]
        if len(ends) == 1 and low is not None:
            low, high = round(low - around, 6), round(low + around, 6)
            low = max(0.0, low)
        if low is not None and high is not None and low > high:
            raise _refused(field, value, position, f"the range is empty; write {field}:{ends[1]}..{ends[0]}")
        if any(end is not None and not least <= end <= most for end in (low, high)):
            raise _refused(field, value, position, f"it lies between {least:g} and {most:g}")
        return Span(low=low, high=high)

    return read


def _ends(field: str, value: str, position: int) -> list[str]:
    ends = value.split("..", 1)
    if not any(ends):
        raise _refused(field, value, position, _hint(field))
    return ends


def _number(field: str, value: str, end: str, position: int) -> float:
    if not _NUMBER.fullmatch(end):
        raise _refused(field, value, position, f"{end!r} is no number; {_hint(field)}")
    return float(end)


def _period(field: str, value: str, position: int, known: Mapping[str, Collection[str]]) -> Alternative:
    del known
    try:
        ends = _ends(field, value, position)
        moments = [_moment(end.lower()) if end else (None, None) for end in ends]
    except (ValueError, OverflowError):
        raise _refused(field, value, position, f"that is no date; {_hint(field)}") from None
    since = moments[0][0]
    before: datetime | timedelta | None = moments[-1][1]
    if len(ends) == 2 and isinstance(moments[1][0], timedelta):
        before = moments[1][0]
    if isinstance(since, datetime) and isinstance(before, datetime) and since >= before:
        raise _refused(field, value, position, "the range is empty; write the earlier date first")
    if isinstance(since, timedelta) and isinstance(before, timedelta) and since <= before:
        raise _refused(field, value, position, "the range is empty; write the longer time ago first")
    return Period(since=since, before=before)


def _moment(text: str) -> tuple[datetime | timedelta, datetime | None]:
    """Return the beginning of a date and the beginning of the next; or how long ago it was, and nothing."""
    if ago := _AGO.fullmatch(text):
        hours = int(ago[1]) * _HOURS[ago[2]]
        if not 0 < hours <= 24 * MOST_DAYS:
            raise ValueError
        return timedelta(hours=hours), None
    if text in ("today", "yesterday"):
        now = datetime.now(timezone.utc) - timedelta(days=text == "yesterday")
        text = f"{now:%Y-%m-%d}"
    date = _DATE.fullmatch(text)
    if not date or not 1970 <= int(date[1]) <= 9000:
        raise ValueError
    year, month, day = int(date[1]), int(date[2] or 1), int(date[3] or 1)
    start = datetime(year, month, day, tzinfo=timezone.utc)
    if date[3]:
        return start, start + timedelta(days=1)
    months = 12 * year + month - 1 + (1 if date[2] else 12)
    return start, datetime(months // 12, months % 12 + 1, 1, tzinfo=timezone.utc)


FIELDS: dict[str, _Kind] = {
    "mood": _Kind(_open(none=True), "mood:calm"),
    "tag": _Kind(_open(none=True), "tag:favourite"),
    "style": _Kind(_name, "style:ambient_lofi"),
    "role": _Kind(_name, "role:background_bed"),
    "quality": _Kind(_one_of(*get_args(QualityName)), "quality:standard,final"),
    "environment": _Kind(_one_of(*get_args(Environment), none=True), "environment:rain"),
    "time": _Kind(_one_of(*get_args(TimeOfDay), none=True), "time:evening,night"),
    "loop": _Kind(_yes, "loop:yes"),
    "length": _Kind(_span(around=HALF), "length:30..60"),
    "tempo": _Kind(_span(none=True, around=HALF), "tempo:..90"),
    "rating": _Kind(_span(none=True, least=1, most=5), "rating:4.."),
    "by": _Kind(_one_of("mlx", "procedural"), "by:mlx"),
    "model": _Kind(_open(), "model:small"),
    "language": _Kind(_open(), "language:en"),
    "made": _Kind(_period, "made:2026-11.. or made:7d"),
}
"""The fields a query can name, beside `is:trashed`, `is:ready` and `is:any`."""


def refuse_empty(field: str, position: int) -> InputError:
    return InputError(f"{field}: at character {position} has no value; {_hint(field)}")


def _hint(field: str) -> str:
    return "write is:trashed" if field == "is" else f"write it like {FIELDS[field].example}"


def shown_value(field: str, value: Alternative) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Span):
        one = field == "rating" and value.low == value.high
        return _digits(value.low) if one else f"{_digits(value.low)}..{_digits(value.high)}"
    if isinstance(value, Period):
        ago = isinstance(value.since, timedelta) and value.before is None
        return _date(value.since) if ago else f"{_date(value.since)}..{_date(value.before, last=True)}"
    return f'"{value}"' if re.search(r"[\s,]", value) else value


def _digits(number: float | None) -> str:
    return "" if number is None else repr(number).removesuffix(".0")


def _date(moment: datetime | timedelta | None, *, last: bool = False) -> str:
    if moment is None:
        return ""
    if isinstance(moment, timedelta):
        hours = round(moment.total_seconds() / 3600)
        return f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"
    return f"{moment - timedelta(days=last):%Y-%m-%d}"
