"""Turn what was typed into arguments of the library."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ..errors import InputError
from .home import open_library

__all__ = [
    "MAX_READ_BYTES",
    "check_out_file",
    "present",
    "read_arguments",
    "read_context",
    "read_filter",
    "read_input",
    "read_request",
]

MAX_READ_BYTES = 64_000_000
"""More than any context or batch may hold; the rest is not read."""


def read_request(options: dict[str, Any]) -> tuple[str | bytes, dict[str, Any]]:
    """Return the source of the context, typed text or the bytes of a file, and the arguments in a command's options."""
    text, path = options.pop("text"), options.pop("context_file")
    if (text is None) == (path is None):
        raise InputError("give the context once: as TEXT, as - for standard input, or with --context-file")
    if options.get("brief") == "-" and "-" in (text, path):
        raise InputError("standard input holds the text or the brief, not both; give one of them as a file")
    source = text if text not in (None, "-") else read_input(path or "-")
    return source, read_arguments(options)


def read_context(source: str | bytes) -> Any:
    """Return the context in `source`: typed text as it is, bytes as the text or JSON payload they hold."""
    from ..request.context import read_bytes

    return source if isinstance(source, str) else read_bytes(source)


def read_input(path: str) -> bytes:
    """Return the bytes of a file, or of standard input where `path` is "-". Raises InputError."""
    try:
        if path != "-":
            with Path(path).open("rb") as file:
                return file.read(MAX_READ_BYTES)
        if sys.stdin is None:
            raise InputError("standard input is closed; give the context as TEXT or with --context-file")
        return sys.stdin.buffer.read(MAX_READ_BYTES)
    except OSError as error:
        raise InputError(f"the file {path} cannot be read: {error.strerror}") from error


def read_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were typed as arguments, the NAME=VALUE pairs of `--set` as `generation`."""
    generation = dict(_generation_value(pair) for pair in options.pop("settings"))
    brief = options.pop("brief", None)
    return {
        **present(options),
        **({"generation": generation} if generation else {}),
        **({"brief": _read_brief(brief)} if brief else {}),
    }


def _read_brief(path: str) -> dict[str, Any]:
    data = read_input(path)
    try:
        brief = json.loads(data)
    except (ValueError, RecursionError):
        brief = None
    if not isinstance(brief, dict):
        raise InputError(f"--brief {path} is not a JSON object; see `catalog schema brief`")
    return brief


def _generation_value(pair: str) -> tuple[str, Any]:
    name, sign, value = pair.partition("=")
    if not sign or not name:
        raise InputError(f"--set {pair!r} is not NAME=VALUE; write it like --set temperature=0.8")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


def present(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options without those that were left out: None, and the empty tuple of a repeatable one."""
    return {name: value for name, value in options.items() if value is not None and value != ()}


def read_filter(line: str, facts: dict[str, Any], home: str) -> Any:
    """Return the filter for a list: the conditions of a query line, whose free words a track must have, and `facts`."""
    from ..search.query import add_facts, parse, require_words

    library = open_library(None, home) if ":" in line else None
    known = {"style": library.styles.keys(), "role": library.roles.keys()} if library else {}
    return add_facts(require_words(parse(line, known)), present(facts)).where


def check_out_file(out: str | None, force: bool) -> None:
    """Refuse a file that a track cannot be written to, before any work is done. Raises InputError."""
    if out is not None:
        from ..export import check_target

        check_target(Path(out), force=force)
