"""Read a Context from what an application passes: a text, bytes, or a RAG payload."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from ..errors import InputError
from ..models import MAX_TEXT_BYTES, Context
from ..presets import MOODS
from ..text.language import UNKNOWN, is_language
from ..validation import validated

__all__ = [
    "QUERY_KEYS",
    "TEXT_KEYS",
    "ContextSource",
    "as_payload",
    "own_moods",
    "passed_over",
    "read_bytes",
    "read_context",
    "read_line",
    "read_lines",
]


ContextSource = str | Mapping[str, Any] | Context
"""What a context is read from: a text, a payload with a text in it, or a context as it is."""

TEXT_KEYS = ("text", "answer", "chunk", "scene", "page_content", "content")
"""The keys under which a payload may hold its text, in the order they are tried; the first that is not blank counts."""
QUERY_KEYS = ("query", "question")
# In the payloads of others an "application" is the name of a program, not what it is.
PLAIN_KEYS = tuple(name for name in Context.model_fields if name not in ("text", "query", "application"))
"""The fields that a payload may hold under their own names."""

_OBJECT = re.compile(r'\s*\{\s*"[^"\n]*"\s*:')
"""How a JSON object begins."""


def read_context(source: ContextSource, **known: Any) -> Context:
    """Return the Context in `source`; fields in `known` win over it.

    A mapping holds its text under one of `TEXT_KEYS` and its query under one of `QUERY_KEYS`. Values under
    "features" must be fields of Context. Other keys with the name of a field, but for "application", are used where
    their value is valid and ignored where it is not, so that the payload of any application can be passed;
    `passed_over` warns of that. Raises InputError.
    """
    if isinstance(source, Context):
        values: dict[str, Any] = source.model_dump(exclude_defaults=True)
    elif isinstance(source, str):
        values = {"text": source}
    elif isinstance(source, Mapping):
        values = _from_payload(source)
    else:
        raise InputError(f"the context is a {type(source).__name__}; pass a text, a mapping or a Context")
    context = validated(
        Context, {**values, **{name: value for name, value in known.items() if value is not None}}
    )
    if context.language is not None and not is_language(context.language):
        raise InputError(
            f"language is {context.language!r}, which is no language; write its code of ISO 639, such as en, de or "
            f"pt-BR, or {UNKNOWN} for one that has none"
        )
    return context


def own_moods(context: Context) -> tuple[str, ...]:
    """Return a warning for each stated mood that is none of the known ones, with the nearest of those."""
    warnings = []
    for tag in context.mood_tags or ():
        if tag.lower() not in MOODS:
            near = get_close_matches(tag.lower(), MOODS, n=2, cutoff=0.6)
            meant = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(sorted(MOODS))}"
            warnings.append(f"{tag!r} is no known mood and is taken as a word of your own; {meant}")
    return tuple(warnings)


def passed_over(source: ContextSource, context: Context) -> tuple[str, ...]:
    """Return warnings about what the payload that `context` was read from holds and is not read: a description of the
    application, and values that a field of their name cannot have. A text that is cut-off JSON gets a warning too.
    """
    if isinstance(source, str) and _OBJECT.match(source) and not _is_json(source):
        return (
            "the text begins like a JSON object and is no whole one, so all of it was read as prose, marks and "
            "keys too; pass a whole object",
        )
    if not isinstance(source, Mapping):
        return ()
    warnings = []
    told = source.get("application")
    # The name of a program has few words. Told as a description it makes the choice of a style worse.
    if context.application is None and isinstance(told, str) and len(told.split()) > 3:
        warnings.append(
            'the "application" of the payload was passed over, since in many payloads it is the name of a program; '
            'where it tells what your application is, put it under "features"'
        )
    # What was stated elsewhere, under "features" or beside the payload, counts in any case.
    if unfit := [name for name in _unfit(source) if getattr(context, name) is None]:
        warnings.append(
            f"{', '.join(unfit)} of the payload cannot be used and was passed over; "
            'under "features" a mistake is refused with what is valid'
        )
    return tuple(warnings)


def as_payload(source: ContextSource) -> dict[str, Any]:
    """Return the context in `source` as JSON that `read_context` and `passed_over` read alike. Raises InputError."""
    context = read_context(source)
    features = context.model_dump(mode="json", exclude_defaults=True, exclude={"text", "query"})
    payload = {"text": context.text, "query": context.query, "features": features}
    if isinstance(source, Mapping) and passed_over(source, context):
        payload |= {"application": told} if isinstance(told := source.get("application"), str) else {}
        payload |= {name: {} for name in _unfit(source)}  # no field can have it, and it is JSON
    return payload


def read_bytes(data: bytes) -> str | dict[str, Any]:
    """Return the JSON object in `data`, else its text. Raises InputError for bytes that are not UTF-8 or too many.

    `read_context` refuses an object without a text, and `passed_over` warns of a text that begins like an object.
    """
    if len(data) > 2 * MAX_TEXT_BYTES:
        raise InputError(f"the context is {len(data):,} bytes; at most {MAX_TEXT_BYTES:,} are accepted")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"the context is not UTF-8 text (byte 0x{data[error.start]:02x} at position {error.start}); "
            "convert it to UTF-8 first"
        ) from None
    if text.lstrip().startswith("{"):
        try:
            payload: str | dict[str, Any] = json.loads(text)  # what begins like this and is JSON is an object
        except (ValueError, RecursionError):
            return text
        return payload
    return text


def read_lines(data: bytes) -> list[str | dict[str, Any]]:
    """Return the contexts in `data`, JSON Lines: each line a string or a payload. Raises InputError with the line."""
    try:
        lines = data.decode("utf-8-sig").split("\n")  # not splitlines: a JSON string may hold U+2028
    except UnicodeDecodeError as error:
        raise InputError(
            f"the contexts are not UTF-8 text (at byte {error.start}); convert them first"
        ) from None
    return [read_line(number, line) for number, line in enumerate(lines, start=1) if line.strip()]


def read_line(number: int, line: str | bytes) -> str | dict[str, Any]:
    """Return the context in line `number` of JSON Lines: a string or a payload. Raises InputError with the number."""
    try:
        context: str | dict[str, Any] = json.loads(line)
    except (ValueError, RecursionError):
        raise InputError(
            f'line {number} is not JSON; write each context as "text" or {{"answer": ...}}'
        ) from None
    try:
        read_context(context)
    except InputError as error:
        raise InputError(f"line {number}: {error}") from None
    return context


def _from_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    texts = [payload[key] for key in TEXT_KEYS if isinstance(payload.get(key), str)]
    text = next((one for one in texts if one.strip()), texts[0] if texts else None)
    if text is None:
        raise InputError(
            f"the context has no text: none of {', '.join(TEXT_KEYS)} is a string among its keys "
            f"({', '.join(_shown(key) for key in sorted(map(str, payload))[:10]) or 'none'})"
        )
    query = next((payload[key] for key in QUERY_KEYS if isinstance(payload.get(key), str)), "")
    known = {name: payload[name] for name in PLAIN_KEYS if name in payload}
    for name in _unfit(payload):
        del known[name]
    features = payload.get("features")
    return {"text": text, "query": query, **known, **(features if isinstance(features, Mapping) else {})}


def _unfit(payload: Mapping[str, Any]) -> list[str]:
    """Return the names of fields whose value in the payload the field cannot have."""
    return [name for name in PLAIN_KEYS if name in payload and not _fits(name, payload[name])]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _shown(key: str) -> str:
    return key if key.isprintable() else ascii(key)


def _fits(name: str, value: Any) -> bool:
    if name == "brief" and isinstance(value, Mapping) and "fits" in value:
        # Nobody else's "brief" looks like this, and a mistake in it must not pass in silence.
        return True
    try:
        context = Context.model_validate({"text": "x", name: value})
    except ValidationError:
        return False
    return context.language is None or is_language(context.language)
