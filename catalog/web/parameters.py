"""The parameters in the address of a request: one that its route does not know is refused, as in a body."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from ..errors import InputError
from ..validation import nearest

__all__ = ["check_parameters"]

MONITORED = ("/api/health", "/api/live", "/api/ready")
FILES = (
    "/api/tracks/{track_id}/audio",
    "/api/stories/{story_id}/{file}",
    "/api/mixes/{mix_id}",
    "/api/export",
)
"""Routes that answer with a file: people share links to it, which players and other sites decorate."""


async def check_parameters(request: Request) -> None:
    """Raise InputError for a parameter that the route does not know.

    What begins with _ passes, since scripts add it to get past caches. So does anything to the page, to what monitors
    ask for and to files that are read: they, players and links on other sites add names of their own.
    """
    query, route = request.scope["query_string"], request.scope.get("route")
    if not query or not isinstance(route, APIRoute):
        return
    if route.path in MONITORED or not route.path.startswith("/api/"):
        return
    if route.path in FILES and request.method in ("GET", "HEAD"):
        return
    known = {*_names(route.dependant)}
    for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name not in known and not name.startswith("_"):
            valid = nearest(name, known) if known else "this address takes none"
            raise InputError(f"unknown parameter {name[:60]!r} in the address; {valid}")


def _names(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _names(inner)
