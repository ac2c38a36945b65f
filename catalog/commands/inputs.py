"""Turn what was typed into arguments of the library."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import click

from ..errors import InputError
from .home import open_library, open_store

__all__ = [
    "AFTER_DASHES",
    "MAX_READ_BYTES",
    "check_out_file",
    "present",
    "query_hints",
    "read_arguments",
    "read_context",
    "read_filter",
    "read_input",
    "read_request",
]

MAX_READ_BYTES = 64_000_000
"""More than any context or batch may hold; the rest is not read."""
AFTER_DASHES = "music_catalog.after_dashes"
"""The key under which a context of click keeps whether "--" was typed: what follows it is taken as it is."""
_FILE_NAME = re.compile(
    r"(?:\.{0,2}/|~/)\S*|\S+\.(?:txt|md|rst|json|jsonl|yaml|yml|csv|html?|pdf|docx?|srt|vtt|wav|flac|ogg|mp3)",
    re.IGNORECASE,
)
"""One word that begins like a path, or ends like a file that holds a text or audio."""


def read_request(options: dict[str, Any]) -> tuple[str | bytes, dict[str, Any]]:
    """Return the source of the context, typed text or the bytes of a file, and the arguments in a command's options."""
    text, path = options.pop("text"), options.pop("context_file")
    if (text is None) == (path is None):
        raise InputError("give the context once: as TEXT, as - for standard input, or with --context-file")
    if options.get("brief") == "-" and "-" in (text, path):
        raise InputError("standard input holds the text or the brief, not both; give one of them as a file")
    if text is not None and not click.get_current_context().meta.get(AFTER_DASHES):
        _check_no_file(text)
    source = text if text not in (None, "-") else read_input(path or "-")
    return source, read_arguments(options)


def _check_no_file(text: str) -> None:
    """Refuse one word that names a file: its name says nothing about the music. Raises InputError."""
    if not _FILE_NAME.fullmatch(text):
        return
    try:
        there = Path(text).is_file()
    except (OSError, ValueError):
        there = False
    if there:
        raise InputError(
            f"{text} is a file; read it with --context-file, or write -- before it to use the word itself"
        )
    raise InputError(
        f"{text} looks like the name of a file, and there is no such file; write -- before it to use the word itself"
    )


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

    known = _known_names(None, home) if ":" in line else {}
    return add_facts(require_words(parse(line, known)), present(facts)).where


def query_hints(line: str, facts: dict[str, Any], home: str, config: str | None = None) -> list[str]:
    """Return what may have been meant by words of a query and by `facts` that no track has."""
    from ..search.hints import hints
    from ..search.query import add_facts, parse

    known = _known_names(config, home)
    return hints(add_facts(parse(line, known), present(facts)).where, known)


def _known_names(config: str | None, home: str) -> dict[str, Any]:
    from ..intake.impressions import UNSORTED
    from ..plugins.backends import Backends
    from ..presets import MOODS
    from ..search.names import with_those_of_tracks
    from ..text.language import CODES

    def read(column: str) -> set[str]:
        with open_store(home) as store:
            values: set[str] = store.tracks.values(column)
            return values

    library = open_library(config, home)
    known = {
        "style": (*library.styles, UNSORTED),
        "role": library.roles.keys(),
        "by": Backends(library.backends),
        "mood": MOODS.keys(),
        "language": CODES,
    }
    return with_those_of_tracks(known, read)


def check_out_file(out: str | None, force: bool) -> None:
    """Refuse a file that a track cannot be written to, before any work is done. Raises InputError."""
    if out is not None:
        from ..export import check_target

        check_target(Path(out), force=force)
