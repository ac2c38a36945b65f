"""Serve the catalog to MCP clients. Needs the extra `mcp`.

Over stdio to the client that starts it, or over streamable HTTP on the loopback interface.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

from ..errors import CatalogError, InputError
from ..service.jobs import Jobs
from ..service.service import MusicService
from ..soundtrack.queued import KINDS
from .optional import extra

# mcp_server and mcp_tools import the SDK; this is the module that callers import, so here they learn of the extra.
with extra("mcp", "mcp"):
    from .mcp_server import server

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

__all__ = ["serve", "server"]


_log = logging.getLogger(__name__)

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    service: MusicService,
    *,
    transport: Literal["stdio", "http"] = "stdio",
    host: str = "127.0.0.1",
    port: int = 8766,
) -> bool:
    """Serve until the client disconnects or a signal arrives; then cancel and log the makes that still run.

    Returns whether all work has ended; if not, the process should end by `os._exit`.

    Over HTTP the endpoint is `/mcp`, its address is printed on stderr, and `port` 0 takes a free one. Raises
    InputError for a host off the loopback interface and for a port that is taken.
    """
    jobs = Jobs(service, kinds=KINDS)
    built = server(service, jobs)
    # Uvicorn stops in good order at a signal, then raises it again; without this the signal would kill the process
    # before the jobs end.
    _end_on_signals(jobs)
    warming = threading.Thread(target=_warm, args=(service,), name="catalog-warm", daemon=True)
    warming.start()
    try:
        if transport == "http":
            _serve_http(built, host, port)
        else:
            built.run("stdio")
    finally:
        jobs.close(grace_s=0.5)
    return jobs.at_rest and not warming.is_alive()


def _warm(service: MusicService) -> None:
    try:
        service.warm()
    except CatalogError as error:
        _log.warning("%s", error)


def _end_on_signals(jobs: Jobs) -> None:
    """End the process at once on Ctrl-C and SIGTERM: a read of stdin cannot be interrupted, and the store is synced."""

    def end(number: int, _: FrameType | None) -> None:
        jobs.close(grace_s=0.0)
        os._exit(128 + number)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, end)


def _serve_http(built: MCPServer[Any], host: str, port: int) -> None:
    import uvicorn

    if host not in LOOPBACK:
        raise InputError(f"the host {host!r} is not on the loopback interface; valid: {', '.join(LOOPBACK)}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        bound = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"port {port} of {host} cannot be served: {reason}; pick another with --port"
        ) from error
    # For a loopback host the SDK accepts loopback names alone as Host and Origin.
    app = built.streamable_http_app(host=host)
    shown = f"[{host}]" if ":" in host else host
    print(f"MCP at http://{shown}:{bound.getsockname()[1]}/mcp", file=sys.stderr, flush=True)  # noqa: T201
    options = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    uvicorn.Server(options).run(sockets=[bound])
