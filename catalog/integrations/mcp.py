"""The catalog as an MCP server: tools to search, find or make and rate; tracks as resources. Needs the extra `mcp`.

Over stdio for the client that starts it, or over streamable HTTP on the loopback interface. Makes run in the
background, so that a tool answers within seconds: with the track, or with a job to ask about. Descriptions of tools
are fixed, and what is stored comes back as data only.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from ..errors import CatalogError, InputError, NotFound
from ..service.jobs import Jobs
from ..service.service import MusicService
from ..validation import nearest, sentence
from ..version import package_version
from .arguments import Ask, purpose
from .mcp_tools import Tools
from .optional import extra
from .threads import reading

__all__ = ["serve", "server"]


with extra("mcp", "mcp"):
    from mcp.server.lowlevel.helper_types import ReadResourceContents
    from mcp.server.mcpserver import Context, MCPServer
    from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
    from mcp_types import (
        CallToolResult,
        InputRequiredResult,
        Resource,
        ToolAnnotations,
    )
LOOPBACK = ("127.0.0.1", "localhost", "::1")
INSTRUCTIONS = (
    "A catalog of music for texts. find_or_make takes the text itself and returns a track that fits it: an earlier one "
    "at once, or a new one, whose making may take minutes and is then asked about with get_job. search_tracks looks "
    "among the tracks there are. A track is the resource track://ID, its audio track://ID/audio."
)


class _Server(MCPServer[Any]):
    """The SDK's server with refusals in the catalog's words, and the newest tracks as its resources."""

    def __init__(self, tools: Tools, **options: Any) -> None:
        super().__init__(**options)
        self._tools = tools

    async def list_resources(self) -> list[Resource]:
        return await reading(self._tools.newest)

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        known = {tool.name: tool.input_schema.get("properties", {}) for tool in await self.list_tools()}
        if name not in known:
            raise ToolError(f"unknown tool {name!r}; {nearest(name, known)}")
        for argument in arguments:
            if argument not in known[name]:
                raise ToolError(f"unknown argument {argument!r}; {nearest(argument, known[name])}")
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            cause = error.__cause__
            if isinstance(cause, ValidationError):
                raise ToolError(sentence(cause, Ask)) from None
            if isinstance(cause, CatalogError):
                raise ToolError(str(cause)) from None
            raise

    async def read_resource(
        self, uri: Any, context: Context[Any, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        try:
            return await super().read_resource(uri, context)
        except ResourceError as error:
            cause = error.__cause__
            if isinstance(cause, NotFound):
                raise ResourceNotFoundError(str(cause)) from None
            if isinstance(cause, CatalogError):
                raise ResourceError(str(cause)) from None
            raise


def server(service: MusicService, jobs: Jobs) -> MCPServer[Any]:
    """Return the MCP server over `service`, whose makes go through `jobs`."""
    tools = Tools(service, jobs)
    built = _Server(
        tools,
        name="music-catalog",
        title="Music catalog",
        instructions=INSTRUCTIONS,
        version=package_version(),
        log_level="WARNING",
    )
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    adds = ToolAnnotations(
        read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )
    built.add_tool(tools.search_tracks, annotations=reads)
    built.add_tool(_spread(tools.find_or_make), description=purpose(service), annotations=adds)
    built.add_tool(tools.get_job, annotations=reads)
    built.add_tool(tools.cancel_job, annotations=adds)
    built.add_tool(tools.suggest_presets, annotations=reads)
    built.add_tool(tools.rate_track, annotations=adds)
    built.add_tool(tools.reject_track, annotations=adds)
    built.resource("track://{track_id}", name="track", mime_type="application/json")(tools.track)
    built.resource("track://{track_id}/audio", name="audio", mime_type="audio/wav")(tools.audio)
    return built


def serve(
    service: MusicService,
    *,
    transport: Literal["stdio", "http"] = "stdio",
    host: str = "127.0.0.1",
    port: int = 8766,
) -> bool:
    """Serve until the client goes, or until interrupted; makes that still run then are cancelled and logged.

    Returns whether all of them have ended: where one does not listen the process should end by `os._exit`.

    Over HTTP the endpoint is `/mcp`, its address is told on stderr, and `port` 0 takes a free one. Raises InputError
    for a host off the loopback interface and for a port that is taken.
    """
    jobs = Jobs(service)
    built = server(service, jobs)
    # Uvicorn stops in good order at a signal, then raises it again: without this it would kill before the jobs end.
    _end_on_signals(jobs)
    try:
        if transport == "http":
            _serve_http(built, host, port)
        else:
            built.run("stdio")
    finally:
        jobs.close(grace_s=0.5)
    return jobs.at_rest


def _end_on_signals(jobs: Jobs) -> None:
    """End on Ctrl-C and SIGTERM at once: nothing interrupts the reader of stdin, and what is stored is synced."""

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
    # The SDK allows loopback names alone as Host and Origin when told such a host.
    app = built.streamable_http_app(host=host)
    shown = f"[{host}]" if ":" in host else host
    print(f"MCP at http://{shown}:{bound.getsockname()[1]}/mcp", file=sys.stderr, flush=True)  # noqa: T201
    options = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    uvicorn.Server(options).run(sockets=[bound])


def _spread(tool: Callable[..., Any]) -> Callable[..., Any]:
    """Return `tool` with the fields of `Ask` in place of its `**given`, as the SDK reads a tool's arguments."""

    @functools.wraps(tool)
    async def spread(*args: Any, **given: Any) -> Any:
        return await tool(*args, **given)

    signature = inspect.signature(tool, eval_str=True)
    own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    asked = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[field.annotation, Field(description=field.description)],
            default=inspect.Parameter.empty if field.is_required() else field.default,
        )
        for name, field in Ask.model_fields.items()
    ]
    spread.__signature__ = signature.replace(parameters=[*own, *asked])  # type: ignore[attr-defined]
    return spread
