"""Commands that run until they are interrupted: the HTTP service and the MCP server."""

from __future__ import annotations

from typing import Any

import click

from ..errors import Unavailable
from .home import open_service
from .options import config_option, home_option
from .terminal import Command, end_at_once

__all__ = ["mcp", "serve"]


@click.command(cls=Command)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen; beyond loopback a token is needed.",
)
@click.option(
    "--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
@click.option("--token", envvar="CATALOG_TOKEN", show_envvar=True, help="What callers must show.")
@click.option(
    "--allow-host", "allow_hosts", multiple=True, help="A further name the service is called by; repeatable."
)
@click.option(
    "--queue",
    "queue_limit",
    default=8,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Makes that may wait.",
)
@click.option(
    "--grace",
    "grace_s",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Seconds a running make gets at a stop.",
)
@click.option("--warm/--no-warm", default=True, show_default=True, help="Load the text encoder at the start.")
@home_option
@config_option
def serve(home: str, config: str | None, **options: Any) -> None:
    """Serve the catalog over HTTP, with a page at its address, until interrupted."""
    from ..upkeep.scrub import scrubbing
    from ..web.note import settings_of

    try:
        from ..web import server
    except ImportError as error:
        raise Unavailable(
            f"the service needs a package that is not installed ({error.name}); "
            "install it with: pip install 'music-catalog[serve]'"
        ) from error
    settings = settings_of(home, config)
    with open_service(home, config) as service:
        pace = service.library.scrub
        with scrubbing(service.store, days=pace.days, most_mb_per_s=pace.most_mb_per_s):
            at_rest = server.serve(service, settings=settings, on_ready=click.echo, **options)
    if not at_rest:
        end_at_once()


@click.command(cls=Command)
@click.option(
    "--transport",
    type=click.Choice(["stdio", "http"]),
    default="stdio",
    show_default=True,
    help="stdio for a client that starts this, http for streamable HTTP on the loopback interface.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="With http: a loopback address.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8766,
    show_default=True,
    help="With http: the port; 0 takes a free one.",
)
@home_option
@config_option
def mcp(transport: str, host: str, port: int, home: str, config: str | None) -> None:
    """Serve the catalog to MCP clients: search, find or make, rate; tracks as resources."""
    from ..integrations.mcp import serve

    with open_service(home, config) as service:
        at_rest = serve(service, transport=transport, host=host, port=port)  # type: ignore[arg-type]
    if not at_rest:
        end_at_once()
