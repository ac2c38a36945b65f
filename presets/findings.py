"""The errors that pydantic reports in a configuration, as one sentence for the person who wrote it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from .document import STORAGE, STORED_ELSEWHERE
from .errors import did_you_mean, shown
from .schema import Configuration, Overrides, RoleDucking

__all__ = ["sentence"]

_SHOWN_OF_READER = {"model", "timeout_s", "temperature"}


def sentence(error: ValidationError, content: Mapping[str, Any], place: Callable[[str], str]) -> str:
    """Return the first error in `content` as one sentence, and the number of the others.

    `place` returns a dotted key in words: with its file, or as an override of the caller.
    """
    findings = error.errors(include_url=False)
    # A misspelt key is reported twice, as unknown and as missing; the first helps more.
    first = min(findings, key=lambda finding: finding["type"] != "extra_forbidden")
    loc = [_printable(str(part)) for part in first["loc"] if part != "[key]"]
    dotted = ".".join(loc)
    more = f", and {len(findings) - 1} more to correct" if len(findings) > 1 else ""
    return f"{place(dotted)} {_finding(first, loc, content, _keys(error.title, loc))}{more}"


def _finding(first: Any, loc: list[str], content: Mapping[str, Any], keys: list[str]) -> str:
    kind, value = first["type"], first["input"]
    # A key to a language model or to a service that stands in the wrong place is not printed.
    secret = (loc[0] == "reader" and loc[-1] not in _SHOWN_OF_READER) or (
        loc[0] == "backends" and loc[-1] != "use"
    )
    if kind == "extra_forbidden" and loc[0] == STORAGE:
        return f"is no known key; {STORED_ELSEWHERE}"
    if kind == "extra_forbidden":
        its_value = "" if secret else f" (its value is {shown(value)})"
        return f"is no known key{its_value}; {did_you_mean(loc[-1], keys)}"
    if kind == "missing" and loc[0] == "reader":
        return "is missing, but a reader needs it"
    if kind == "missing":
        near = difflib.get_close_matches(loc[-2], [name for name in content[loc[0]] if name != loc[-2]], n=1)
        hint = f"; if {loc[-2]} is no new name, did you mean {near[0]}?" if near else ""
        return f"is missing, but every new entry needs it{hint}"
    is_value = "must" if secret else f"is {shown(value)}, but must"
    return f"{is_value} {_says(kind, first.get('ctx', {}), value)}"


def _printable(key: str) -> str:
    return key if key.isprintable() and len(key) <= 80 else shown(key)


def _keys(title: str, loc: list[str]) -> list[str]:
    """Return the valid keys at `loc` in the model named `title`."""
    if title == Overrides.__name__:
        return list(Overrides.model_fields)
    if len(loc) == 1:
        return list(Configuration.model_fields)
    if len(loc) == 4:  # roles.<name>.ducking.<key>, the only mapping inside an entry
        return list(RoleDucking.model_fields)
    return list(_section(Configuration.model_fields[loc[0]].annotation).model_fields)


def _section(annotation: Any) -> type[BaseModel]:
    """Return the model of a section: the annotation itself, or the model within `dict[...]` or `... | None`."""
    within = [annotation, *get_args(annotation)]
    return next(each for each in within if isinstance(each, type) and issubclass(each, BaseModel))


def _says(kind: str, context: dict[str, Any], value: Any) -> str:
    """Return what is valid instead of an error of type `kind`, as the end of "but must ..."."""
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_type" and isinstance(value, bool):
        return "be text; YAML reads bare yes, no, on and off as true or false, so write it in quotes"
    words = _VALID.get(kind)
    return words.format(**context) if words else f"be valid ({kind.replace('_', ' ')})"


_VALID = {
    "bool_type": "be true or false",
    "dict_type": "be a mapping",
    "finite_number": "be a finite number",
    "float_type": "be a number",
    "greater_than": "be above {gt:g}",
    "greater_than_equal": "be at least {ge:g}",
    "int_type": "be a whole number",
    "less_than": "be below {lt:g}",
    "less_than_equal": "be at most {le:g}",
    "literal_error": "be one of {expected}",
    "model_type": "be a mapping",
    "string_too_long": "have at most {max_length} characters",
    "string_too_short": "not be empty",
    "string_type": "be text",
    "too_long": "have at most {max_length} entries",
    "too_short": "have at least {min_length} entry",
    "tuple_type": "be a list of words",
}
