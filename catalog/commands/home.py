"""Open what a command works on: configuration, service or store of a home, or the service that runs there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..home import default_home

if TYPE_CHECKING:
    from ..integrations.ray import RayWorkers
    from ..service.service import MusicService
    from ..web.client import RunningService

__all__ = [
    "ask_service",
    "open_library",
    "open_service",
    "open_store",
    "request_body",
    "save_download",
    "workers_at",
]


def open_library(config: str | None, home: str | None) -> Any:
    """Return the merged configuration: the shipped one, and the user's file or that of the home."""
    from ..request.builder import load_library

    return load_library(config, home or default_home())


@contextmanager
def open_service(
    home: str, config: str | None, *, create: bool = True, makers: str | None = None
) -> Iterator[MusicService]:
    """Yield the service of a home, and close it; `makers` is the address of the Ray cluster that makes for it."""
    from ..service.service import MusicService

    with MusicService.open(home, config=config, create=create, **_generators_at(makers)) as service:
        yield service


def _generators_at(address: str | None) -> dict[str, Any]:
    if address is None:
        return {}
    from ..integrations.ray import RayGenerators

    return {"generators": RayGenerators(address)}


def workers_at(address: str | None) -> RayWorkers | None:
    """Return the workers of the Ray cluster at `address`; None without one, so that the work is done here."""
    if address is None:
        return None
    from ..integrations.ray import RayWorkers

    return RayWorkers(address)


@contextmanager
def open_store(home: str) -> Iterator[Any]:
    """Yield the store of a home that exists, and close it."""
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
    """Return what the service that runs in `home` answers; None where none does, so that the work is done here."""
    from ..web.client import Gone, running_service

    running = None if no_server else running_service(home, config)
    if running is None:
        return None
    try:
        return ask(running)
    except Gone:
        click.echo("note: the service of this home does not answer; going on without it", err=True)
        return None


def request_body(source: str | bytes, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a request to a running service: the context and the arguments."""
    if isinstance(source, str):
        return {"context": source, **arguments}
    # Bytes that are no text travel unchanged, so that the service refuses them in the same words.
    return {"context": source.decode("utf-8", "surrogateescape"), "as_read": True, **arguments}


def save_download(running: RunningService, payload: dict[str, Any], out: str | None) -> str | None:
    """Write the track of a running service's payload to `out`, unless that is None, and return where the track is."""
    if out is None or payload["id"] is None:
        return str(payload["path"]) if payload["path"] else None
    from ..export import write_bytes

    write_bytes(Path(out).resolve(), running.audio(payload["id"], Path(out).suffix.lower().lstrip(".")))
    return str(Path(out))
