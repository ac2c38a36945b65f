"""The query language of searches and lists: `calm "soft rain" mood:calm,warm length:30..60 -style:drone made:7d`.

A query is a line of terms that must all hold: words to search for; "phrases" that a track must have literally;
`field:value`, with commas for "any of"; ranges `low..high`, of which one end may be open; `none` for a value that is
not known; and a minus before a term for its opposite. docs/SEARCH.md lists the fields.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple, cast

from ..errors import InputError
from ..models import (
    MAX_TEXT_BYTES,
    Alternative,
    Condition,
    FieldName,
    Filter,
    State,
    Value,
    clean_line,
    surrogate_refusal,
)
from ..validation import nearest, validated
from .fields import FIELDS, TypedValue, empty_field, write_value

__all__ = ["Query", "add_facts", "parse", "require_words"]


ALIASES = {
    "backend": "by",
    "bpm": "tempo",
    "duration": "length",
    "duration_s": "length",
    "tempo_bpm": "tempo",
    "lang": "language",
    "mood_tags": "mood",
    "preset": "style",
    "loopable": "loop",
    "place": "environment",
    "time_of_day": "time",
    "created": "made",
}
STATES = ("ready", "trashed", "any")
MOST_CONDITIONS = 32
"""More than anyone types. A predicate of thousands of terms would exhaust the stack of the engine that parses it."""

_NAME = re.compile(r"([A-Za-z_]+):")
_PLAIN_WORD = re.compile(r"[\w']+")
_INVISIBLE = ("Cc", "Cf", "Zl", "Zp")


class Query(Value):
    """Words to search for, and conditions that a track must meet. `str` gives text that parses to the same query."""

    text: str = ""
    """Free words, and phrases in their quotes; "" without any."""
    where: Filter = Filter()

    @property
    def plain(self) -> str:
        """Return the text without quotes, for an encoder or a word index."""
        return self.text.replace('"', "")

    def __str__(self) -> str:
        phrases = set(re.findall(r'"([^"]*)"', self.text))
        terms = [
            _write_condition(condition)
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
    name: str = ""
    """The field as it was typed."""


def parse(text: str, known: Mapping[str, Collection[str]] | None = None) -> Query:
    """Return the query in `text`. `known` holds the valid values of fields such as style, where they are known.

    Raises InputError for an unknown field, a value or range that is not valid, and text that is not Unicode or too
    long; it names the field, the value, the position (from 1) and the nearest valid ones.
    """
    line = _clean(text)
    words: list[str] = []
    conditions: dict[Condition, None] = {}
    states: list[str] = []
    for term in _terms(line):
        if term.field == "is":
            states.append(_state(term))
        elif term.field:
            typed = (
                TypedValue(term.field, text, term.position, known or {}, term.name) for text in term.values
            )
            values = dict.fromkeys(FIELDS[term.field].read(value) for value in typed)
            conditions[_condition(term.field, values, term.negated)] = None
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
    # Phrases first, as in the query when it is written.
    ordered = sorted(conditions, key=lambda condition: condition.negated or condition.field != "words")
    where = Filter(conditions=tuple(ordered), state=None if state == "any" else cast("State", state))
    return Query(text=" ".join(words), where=where)


def add_facts(query: Query, facts: Mapping[str, Any]) -> Query:
    """Return `query` limited further by `facts`, which are fields of `Filter`. Raises InputError."""
    more = validated(Filter, facts)
    changed = {name: getattr(more, name) for name in more.model_fields_set}
    conditions = (*query.where.conditions, *more.conditions)
    where = query.where.model_copy(update={**changed, "conditions": conditions})
    return query.model_copy(update={"where": where})


def require_words(query: Query) -> Query:
    """Return `query` with every free word as a word that a track must have: a list ranks nothing by free words."""
    words = re.sub(r'"[^"]*"', " ", query.text).split()
    added = tuple(_condition("words", {word: None}, False) for word in dict.fromkeys(words))
    where = query.where.model_copy(update={"conditions": (*added, *query.where.conditions)})
    return Query(where=where)


def _clean(text: str) -> str:
    """Return `text` in NFC with invisible characters as spaces. Raises InputError for text that cannot be a query."""
    if refusal := surrogate_refusal("the query", text, first=1):
        raise InputError(refusal)
    size = len(text.encode("utf-8"))
    if size > MAX_TEXT_BYTES:
        raise InputError(f"the query is {size:,} bytes; at most {MAX_TEXT_BYTES:,} are accepted")
    signs = unicodedata.normalize("NFC", text)
    return "".join(" " if unicodedata.category(sign) in _INVISIBLE else sign for sign in signs)


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
                raise empty_field(field, position)
            yield _Term(position, negated, field, values, False, name[1])
        elif name and _canonical(name[1]):
            raise empty_field(_canonical(name[1]), position)
        else:
            word, at = _bare(line, at, '"')
            yield _Term(position, negated, "", (clean_line(word),), False)


def _is_prose(line: str, name: re.Match[str]) -> bool:
    """Tell whether a name and its colon are prose and not a field: "Note: ..." or the address of a page."""
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
    """Return the text in quotes from `at`, and where it ends. Raises InputError for a quote that is not closed."""
    end = line.find('"', at + 1)
    if end < 0:
        raise InputError(
            f'the quote " at character {at + 1} of the query is not closed; add one, or leave it out'
        )
    return clean_line(line[at + 1 : end]), end + 1


def _bare(line: str, at: int, stops: str) -> tuple[str, int]:
    end = at
    while end < len(line) and not line[end].isspace() and line[end] not in stops:
        end += 1
    return line[at:end], end


def _canonical(name: str) -> str:
    """Return the field that a name stands for; "" for none."""
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


def _write_condition(condition: Condition) -> str:
    sign = "-" if condition.negated else ""
    if condition.field == "words":
        word = str(condition.any_of[0])
        return f"-{word}" if condition.negated and _PLAIN_WORD.fullmatch(word) else f'{sign}"{word}"'
    return (
        f"{sign}{condition.field}:{','.join(write_value(condition.field, each) for each in condition.any_of)}"
    )
