"""Turn what was typed into arguments of the library, and open what a command works on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError

if TYPE_CHECKING:
    from ..service.service import MusicService
    from ..web.client import RunningService

__all__ = ["MAX_READ_BYTES"]

MAX_READ_BYTES = 64_000_000
"""More than any context or batch may hold; the rest is not read."""


# Reading


def context_and_choices(given: dict[str, Any]) -> tuple[str | bytes, dict[str, Any]]:
    """Split a command's options into the source of the context, text or bytes that were read, and what is asked."""
    text, path = given.pop("text"), given.pop("context_file")
    if (text is None) == (path is None):
        raise InputError("give the context once: as TEXT, as - for standard input, or with --context-file")
    return text if text not in (None, "-") else read_input(path or "-"), choices_from(given)


def context_from(source: str | bytes) -> Any:
    """Return the context in what was given: the text itself, or the text or payload in what was read."""
    from ..request.context import read_bytes

    return source if isinstance(source, str) else read_bytes(source)


def read_input(path: str) -> bytes:
    try:
        if path != "-":
            with Path(path).open("rb") as file:
                return file.read(MAX_READ_BYTES)
        if sys.stdin is None:
            raise InputError("standard input is closed; give the context as TEXT or with --context-file")
        return sys.stdin.buffer.read(MAX_READ_BYTES)
    except OSError as error:
        raise InputError(f"the file {path} cannot be read: {error.strerror}") from error


def choices_from(given: dict[str, Any]) -> dict[str, Any]:
    generation = dict(_setting(pair) for pair in given.pop("settings"))
    return {**only_given(given), **({"generation": generation} if generation else {})}


def _setting(pair: str) -> tuple[str, Any]:
    name, sign, value = pair.partition("=")
    if not sign or not name:
        raise InputError(f"--set {pair!r} is not NAME=VALUE; write it like --set temperature=0.8")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


def only_given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value != ()}


def filter_from(words: tuple[str, ...], facts: dict[str, Any], home: str) -> Any:
    """Return the filter of a list: what its query asks for, words in it as words a track must have, and `facts`."""
    from ..search.query import as_facts, parse
    from ..service.browse import narrowed

    text = " ".join(words)
    library = open_library(None, home) if ":" in text else None
    known = {"style": library.styles.keys(), "role": library.roles.keys()} if library else {}
    return narrowed(as_facts(parse(text, known)), only_given(facts)).where


def check_out_file(out: str | None, force: bool) -> None:
    if out is not None:
        from ..export import check_target

        check_target(Path(out), force=force)


def open_library(config: str | None, home: str | None) -> Any:
    from ..request.builder import load_library

    return load_library(config, home or "data")


@contextmanager
def open_service(home: str, config: str | None, *, create: bool = True) -> Iterator[MusicService]:
    from ..service.service import MusicService

    with MusicService.open(home, config=config, create=create) as service:
        yield service


@contextmanager
def open_store(home: str) -> Iterator[Any]:
    from ..store.store import Store
    from ..text.encoder import load

    encoder = load()
    store = Store.open(home, encoder=encoder.identity, dimension=encoder.dimension, create=False)
    try:
        yield store
    finally:
        store.close()


def ask_service(
    home: str, config: str | None, no_server: bool, ask: Callable[[RunningService], dict[str, Any]]
) -> dict[str, Any] | None:
    """Return what the service that runs in `home` answers; None where none does, and the work is to be done here."""
    from ..web.client import Gone, running_service

    running = None if no_server else running_service(home, config)
    if running is None:
        return None
    try:
        return ask(running)
    except Gone:
        click.echo("note: the service of this home does not answer; going on without it", err=True)
        return None


def request_body(source: str | bytes, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the request to a service for what was asked here."""
    if isinstance(source, str):
        return {"context": source, **asked}
    # Bytes that are no text are kept as they are, so that the service refuses them in the same words.
    return {"context": source.decode("utf-8", "surrogateescape"), "as_read": True, **asked}


def save_download(running: RunningService, told: dict[str, Any], out: str | None) -> str | None:
    """Write the track that a service told of to `out`, where that was asked for, and return where the track is."""
    if out is None or told["id"] is None:
        return str(told["path"]) if told["path"] else None
    from ..export import write_bytes

    write_bytes(Path(out).resolve(), running.audio(told["id"], Path(out).suffix.lower().lstrip(".")))
    return str(Path(out))
