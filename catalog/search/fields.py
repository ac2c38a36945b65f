"""The fields of the query language: how the values of each are read and written."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta, timezone
from typing import NamedTuple, get_args

from ..errors import InputError
from ..models import Alternative, Environment, Period, QualityName, Span, TimeOfDay
from ..validation import nearest

__all__ = [
    "BACKENDS",
    "FIELDS",
    "HALF",
    "LARGEST_NUMBER",
    "MOST_DAYS",
    "Field",
    "TypedValue",
    "empty_field",
    "write_value",
]

LARGEST_NUMBER = 1e9
MOST_DAYS = 36_500
BACKENDS = ("mlx", "procedural", "imported")
"""What made a track, where no plugin did."""
HALF = 0.5
"""A bare `length:30` or `tempo:90` means within this of the number: real tracks have no whole seconds or beats."""
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)(e-?\d{1,2})?", re.ASCII)
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)
_AGO = re.compile(r"(\d{1,6})(h|d|w|mo|y)", re.ASCII)
_HOURS = {"h": 1, "d": 24, "w": 168, "mo": 720, "y": 8760}


class TypedValue(NamedTuple):
    """One value of a field as it was typed."""

    field: str
    text: str
    position: int
    """Of the term in the query, from 1."""
    known: Mapping[str, Collection[str]]
    """The valid values of fields such as style, where they are known."""
    name: str = ""
    """The field as it was typed, where that was by another name."""

    def refusal(self, why: str) -> InputError:
        """Return the error that refuses the value."""
        return InputError(
            f"{self.name or self.field}:{self.text} at character {self.position} is not valid; {why}"
        )


Reader = Callable[[TypedValue], Alternative]


class Field(NamedTuple):
    """How the values of a field are read, and an example for hints."""

    read: Reader
    example: str


# Readers. With `none`, the word "none" stands for tracks without a value.


def _word_of(*valid: str, none: bool = False) -> Reader:
    def read_word(value: TypedValue) -> Alternative:
        word = value.text.lower()
        if none and word == "none":
            return None
        if word not in valid:
            raise value.refusal(nearest(word, (*valid, "none") if none else valid))
        return word

    return read_word


def _text(*, none: bool = False) -> Reader:
    def read_text(value: TypedValue) -> Alternative:
        return None if none and value.text.lower() == "none" else value.text

    return read_text


def _read_name(value: TypedValue) -> Alternative:
    """Return a name of the configuration, which may be typed with spaces or hyphens for its underscores."""
    valid = value.known.get(value.field)
    if valid is None or value.text in valid:
        return value.text
    name = re.sub(r"[ -]", "_", value.text.lower())
    if name not in valid:
        raise value.refusal(nearest(name, valid))
    return name


def _read_open_name(value: TypedValue) -> Alternative:
    """Return a word that tracks may have of their own, or None for "none"; in small letters where it is known so."""
    valid, lower = value.known.get(value.field), value.text.lower()
    if lower == "none":
        return None
    if valid is None or value.text in valid:
        return value.text
    if lower not in valid:
        # There are too many languages to list.
        raise value.refusal(_hint("language") if value.field == "language" else nearest(lower, valid))
    return lower


def _read_backend(value: TypedValue) -> Alternative:
    """Return the name of a backend: the catalog's own in any spelling, another where it is known."""
    name, others = value.text.lower(), value.known.get("by", ())
    if name not in BACKENDS and name not in others:
        raise value.refusal(nearest(name, dict.fromkeys((*BACKENDS, *others))))
    return name


def _read_yes_or_no(value: TypedValue) -> Alternative:
    answers = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if value.text.lower() not in answers:
        raise value.refusal("pass yes or no")
    return answers[value.text.lower()]


def _numbers(
    *, none: bool = False, around: float = 0.0, least: float = 0.0, most: float = LARGEST_NUMBER
) -> Reader:
    """Return the reader of a number or a range of them; a single number means up to `around` below and above it."""

    def read_span(value: TypedValue) -> Alternative:
        if none and value.text.lower() == "none":
            return None
        ends = _ends(value)
        numbers = [_number(value, end) if end else None for end in ends]
        low, high = numbers[0], numbers[-1]
        if len(ends) == 1 and low is not None:
            low, high = max(0.0, round(low - around, 6)), round(low + around, 6)
        if low is not None and high is not None and low > high:
            raise value.refusal(f"the range is empty; write {value.name or value.field}:{ends[1]}..{ends[0]}")
        if any(end is not None and not least <= end <= most for end in (low, high)):
            raise value.refusal(f"it lies between {least:g} and {most:g}")
        return Span(low=low, high=high)

    return read_span


def _ends(value: TypedValue) -> list[str]:
    """Return the one text, or the two ends of a range "low..high", of which one may be empty."""
    ends = value.text.split("..", 1)
    if not any(ends):
        raise value.refusal(_hint(value.field))
    return ends


def _number(value: TypedValue, end: str) -> float:
    if not _NUMBER.fullmatch(end):
        raise value.refusal(f"{end!r} is no number; {_hint(value.field)}")
    return float(end)


def _read_period(value: TypedValue) -> Alternative:
    try:
        ends = _ends(value)
        moments = [_moment(end.lower()) if end else (None, None) for end in ends]
    except (ValueError, OverflowError):
        raise value.refusal(f"that is no date; {_hint(value.field)}") from None
    since = moments[0][0]
    before: datetime | timedelta | None = moments[-1][1]
    if len(ends) == 2 and isinstance(moments[1][0], timedelta):
        before = moments[1][0]
    if isinstance(since, datetime) and isinstance(before, datetime) and since >= before:
        raise value.refusal("the range is empty; write the earlier date first")
    if isinstance(since, timedelta) and isinstance(before, timedelta) and since <= before:
        raise value.refusal("the range is empty; write the longer time ago first")
    return Period(since=since, before=before)


def _moment(text: str) -> tuple[datetime | timedelta, datetime | None]:
    """Return the start of a date and the start of the next one; or how long ago it was, and None.

    Raises ValueError or OverflowError for anything else.
    """
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


FIELDS: dict[str, Field] = {
    "mood": Field(_read_open_name, "mood:calm"),
    "tag": Field(_text(none=True), "tag:favourite"),
    "style": Field(_read_name, "style:ambient_lofi"),
    "role": Field(_read_name, "role:background_bed"),
    "quality": Field(_word_of(*get_args(QualityName)), "quality:standard,final"),
    "environment": Field(_word_of(*get_args(Environment), none=True), "environment:rain"),
    "time": Field(_word_of(*get_args(TimeOfDay), none=True), "time:evening,night"),
    "loop": Field(_read_yes_or_no, "loop:yes"),
    "length": Field(_numbers(around=HALF), "length:30..60"),
    "tempo": Field(_numbers(none=True, around=HALF), "tempo:..90"),
    "rating": Field(_numbers(none=True, least=1, most=5), "rating:4.."),
    "by": Field(_read_backend, "by:mlx"),
    "model": Field(_text(), "model:small"),
    "license": Field(_text(), "license:cc-by"),
    "language": Field(_read_open_name, "language:en"),
    "made": Field(_read_period, "made:2026-11.. or made:7d"),
}
"""The fields that a query can name, beside `is:trashed`, `is:ready` and `is:any`."""


def empty_field(field: str, position: int) -> InputError:
    """Return the error that refuses a field without a value."""
    return InputError(f"{field}: at character {position} has no value; {_hint(field)}")


def _hint(field: str) -> str:
    return "write is:trashed" if field == "is" else f"write it like {FIELDS[field].example}"


def write_value(field: str, value: Alternative) -> str:
    """Return a value as it is typed in a query."""
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
