"""The query language of searches and lists: `calm "soft rain" mood:calm,warm length:30..60 -style:drone made:7d`.

A query is a line of terms, all of which must hold: words to search for, "phrases" that must be there as they stand,
`field:value` with commas for "any of", ranges `low..high` with an end left open, `none` for what is not known, and a
minus before a term for what must not be. docs/SEARCH.md lists the fields.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import NamedTuple, cast, get_args

from catalog.context import nearest
from catalog.errors import InputError
from catalog.models import (
    MAX_TEXT_BYTES,
    Alternative,
    Condition,
    Environment,
    FieldName,
    Filter,
    Period,
    QualityName,
    Span,
    State,
    TimeOfDay,
    Value,
    clean_line,
)

__all__ = ["FIELDS", "Query", "as_facts", "parse"]

ALIASES = {
    "backend": "by",
    "bpm": "tempo",
    "duration": "length",
    "duration_s": "length",
    "tempo_bpm": "tempo",
    "lang": "language",
    "loopable": "loop",
    "place": "environment",
    "time_of_day": "time",
    "created": "made",
}
STATES = ("ready", "trashed", "any")
MOST_CONDITIONS = 32
"""More than anyone types; a predicate of thousands of terms would exhaust the stack of the engine that reads it."""
LARGEST_NUMBER = 1e9
MOST_DAYS = 36_500
HALF = 0.5
"""A bare `length:30` or `tempo:90` means as near as this: neither is a whole number in a real track."""

_NAME = re.compile(r"([A-Za-z_]+):")
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)(e-?\d{1,2})?", re.ASCII)
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)
_AGO = re.compile(r"(\d{1,6})(h|d|w|mo|y)", re.ASCII)
_HOURS = {"h": 1, "d": 24, "w": 168, "mo": 720, "y": 8760}
_PLAIN_WORD = re.compile(r"[\w']+")
_INVISIBLE = ("Cc", "Cf", "Zl", "Zp")


class Query(Value):
    """What to search for, and what a track must meet. `str` gives text that parses to the same query."""

    text: str = ""
    """Free words, and phrases in their quotes; "" when there is nothing to search for."""
    where: Filter = Filter()

    @property
    def plain(self) -> str:
        """Return the text without quotes, for an encoder or a word index."""
        return self.text.replace('"', "")

    def __str__(self) -> str:
        phrases = set(re.findall(r'"([^"]*)"', self.text))
        terms = [
            _written(condition)
            for condition in self.where.conditions
            if condition.negated or condition.field != "words" or condition.any_of[0] not in phrases
        ]
        state = [] if self.where.state == "ready" else [f"is:{self.where.state or 'any'}"]
        return " ".join(part for part in (self.text, *terms, *state) if part)


class _Term(NamedTuple):
    """One term as it was typed: a word or phrase when `field` is "", else the field's values."""

    position: int
    negated: bool
    field: str
    values: tuple[str, ...]
    quoted: bool


def parse(text: str, known: Mapping[str, Collection[str]] | None = None) -> Query:
    """Return the query in `text`. `known` holds the valid values of open fields such as style, where they are known.

    Raises InputError, naming field, value, position (from 1) and the nearest valid ones, for an unknown field, a value
    that cannot be one, a range that is none, and for text that is no Unicode or too long.
    """
    line = _checked(text)
    words: list[str] = []
    conditions: dict[Condition, None] = {}
    states: list[str] = []
    for term in _terms(line):
        if term.field == "is":
            states.append(_state(term))
        elif term.field:
            kind = FIELDS[term.field]
            values = tuple(kind.read(term.field, value, term.position, known or {}) for value in term.values)
            conditions[_condition(term.field, dict.fromkeys(values), term.negated)] = None
        else:
            (word,) = term.values
            if term.negated or term.quoted:
                conditions[_condition("words", {word: None}, term.negated)] = None
            if not term.negated:
                words.append(f'"{word}"' if term.quoted else word)
    if len(conditions) > MOST_CONDITIONS:
        raise InputError(f"the query has {len(conditions)} conditions; at most {MOST_CONDITIONS} are taken")
    if len(set(states)) > 1:
        raise InputError(f"is:{states[0]} and is:{states[1]} contradict each other; keep one of them")
    state = states[0] if states else "ready"
    # Phrases first, as they come first when the query is written.
    ordered = sorted(conditions, key=lambda condition: condition.negated or condition.field != "words")
    where = Filter(conditions=tuple(ordered), state=None if state == "any" else cast("State", state))
    return Query(text=" ".join(words), where=where)


def as_facts(query: Query) -> Query:
    """Return `query` with each free word made a word that must be there, for lists, which rank nothing."""
    words = re.sub(r'"[^"]*"', " ", query.text).split()
    added = tuple(_condition("words", {word: None}, False) for word in dict.fromkeys(words))
    where = query.where.model_copy(update={"conditions": (*added, *query.where.conditions)})
    return Query(where=where)


def _checked(text: str) -> str:
    """Return `text` normalised (NFC) with invisible characters as spaces."""
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise InputError(
            f"the query holds a lone surrogate at character {error.start + 1}; pass valid Unicode"
        ) from None
    if size > MAX_TEXT_BYTES:
        raise InputError(f"the query is {size:,} bytes; at most {MAX_TEXT_BYTES:,} are accepted")
    shown = unicodedata.normalize("NFC", text)
    return "".join(" " if unicodedata.category(sign) in _INVISIBLE else sign for sign in shown)


def _terms(line: str) -> Iterator[_Term]:
    at = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
            continue
        position = at + 1
        negated = (
            line[at] == "-" and at + 1 < len(line) and not line[at + 1].isspace() and line[at + 1] != "-"
        )
        at += negated
        name = _NAME.match(line, at)
        if line[at] == '"':
            word, at = _quoted(line, at)
            if word:
                yield _Term(position, negated, "", (word,), True)
        elif name and name.end() < len(line) and not _is_prose(line, name):
            field = _field(name[1], position)
            values, at = _values(line, name.end())
            if not values:
                raise _empty(field, position)
            yield _Term(position, negated, field, values, False)
        elif name and _canonical(name[1]):
            raise _empty(_canonical(name[1]), position)
        else:
            word, at = _bare(line, at, '"')
            yield _Term(position, negated, "", (clean_line(word),), False)


def _is_prose(line: str, name: re.Match[str]) -> bool:
    """Tell whether a name and colon are words and no field: "Note: ..." or the address of a page."""
    after = line[name.end()]
    return after.isspace() or (not _canonical(name[1]) and line.startswith("//", name.end()))


def _values(line: str, at: int) -> tuple[tuple[str, ...], int]:
    values: list[str] = []
    while True:
        value, at = _quoted(line, at) if line[at : at + 1] == '"' else _bare(line, at, ',"')
        values.append(clean_line(value))
        if line[at : at + 1] != ",":
            return tuple(value for value in values if value), at
        at += 1


def _quoted(line: str, at: int) -> tuple[str, int]:
    """Return what stands in quotes from `at`, and where it ends; a quote nobody closed reaches to the end."""
    end = line.find('"', at + 1)
    end = len(line) if end < 0 else end
    return clean_line(line[at + 1 : end]), min(end + 1, len(line))


def _bare(line: str, at: int, stops: str) -> tuple[str, int]:
    end = at
    while end < len(line) and not line[end].isspace() and line[end] not in stops:
        end += 1
    return line[at:end], end


def _canonical(name: str) -> str:
    """Return the field a name stands for, "" for none."""
    lower = name.lower()
    lower = ALIASES.get(lower, lower)
    return lower if lower in FIELDS or lower == "is" else ""


def _field(name: str, position: int) -> str:
    if field := _canonical(name):
        return field
    raise InputError(
        f"the query has an unknown field {name!r} at character {position}; {nearest(name.lower(), (*FIELDS, 'is'))}; "
        "put text with a colon in quotes to search for it"
    )


def _state(term: _Term) -> str:
    value = term.values[0].lower() if len(term.values) == 1 else ",".join(term.values)
    if value not in STATES or (term.negated and value == "any"):
        raise InputError(f"is:{value} at character {term.position} is not known; {nearest(value, STATES)}")
    return {"ready": "trashed", "trashed": "ready"}[value] if term.negated else value


def _condition(field: str, values: Mapping[Alternative, None], negated: bool) -> Condition:
    return Condition(field=cast("FieldName", field), any_of=tuple(values), negated=negated)


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


def _empty(field: str, position: int) -> InputError:
    return InputError(f"{field}: at character {position} has no value; {_hint(field)}")


def _hint(field: str) -> str:
    return "write is:trashed" if field == "is" else f"write it like {FIELDS[field].example}"


def _written(condition: Condition) -> str:
    sign = "-" if condition.negated else ""
    if condition.field == "words":
        word = str(condition.any_of[0])
        return f"-{word}" if condition.negated and _PLAIN_WORD.fullmatch(word) else f'{sign}"{word}"'
    return f"{sign}{condition.field}:{','.join(_shown(condition.field, each) for each in condition.any_of)}"


def _shown(field: str, value: Alternative) -> str:
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
