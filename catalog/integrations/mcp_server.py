"""The MCP server over a catalog: the tools of `mcp_tools`, and tracks as resources.

Makes run in the background, so that a tool answers within seconds, with the track or with the id of a job. The
descriptions of the tools are fixed; what is stored in the catalog comes back as data only.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context as CallContext
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
from mcp_types import CallToolResult, InputRequiredResult, Resource, ToolAnnotations
from pydantic import Field, ValidationError

from ..errors import CatalogError, NotFound, in_one_line
from ..service.jobs import Jobs
from ..service.service import MusicService
from ..validation import nearest, sentence
from ..version import package_version
from .arguments import FindOrMakeArguments, tool_description
from .mcp_tools import Tools
from .threads import read_in_thread

__all__ = ["server"]


INSTRUCTIONS = (
    "A catalog of music for texts. find_or_make takes the text itself and returns a track that fits it: an earlier one "
    "at once, or a new one, whose making may take minutes and is then asked about with get_job. search_tracks looks "
    "among the tracks there are. A track is the resource track://ID, its audio track://ID/audio."
)


def server(service: MusicService, jobs: Jobs) -> MCPServer[Any]:
    """Return the MCP server over `service`, whose makes go through `jobs`."""
    tools = Tools(service, jobs)
    built = CatalogServer(
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
    built.add_tool(
        _with_arguments(tools.find_or_make), description=tool_description(service), annotations=adds
    )
    built.add_tool(tools.get_job, annotations=reads)
    built.add_tool(tools.cancel_job, annotations=adds)
    built.add_tool(tools.suggest_presets, annotations=reads)
    built.add_tool(tools.rate_track, annotations=adds)
    built.add_tool(tools.reject_track, annotations=adds)
    built.add_tool(tools.add_music, annotations=adds)
    built.resource("track://{track_id}", name="track", mime_type="application/json")(tools.track)
    built.resource("track://{track_id}/audio", name="audio", mime_type="audio/wav")(tools.audio)
    return built


class CatalogServer(MCPServer[Any]):
    """The SDK's server with errors in the catalog's words, and the newest tracks as its resources."""

    def __init__(self, tools: Tools, **options: Any) -> None:
        super().__init__(**options)
        self._tools = tools

    async def list_resources(self) -> list[Resource]:
        return await read_in_thread(self._tools.newest)

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: CallContext[Any, Any] | None = None
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
                raise ToolError(sentence(cause, FindOrMakeArguments)) from None
            if isinstance(cause, CatalogError):
                raise ToolError(str(cause)) from None
            raise

    async def read_resource(
        self, uri: Any, context: CallContext[Any, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        try:
            return await super().read_resource(uri, context)
        except ResourceError as error:
            cause = error.__cause__
            if isinstance(cause, NotFound):
                raise ResourceNotFoundError(str(cause)) from None
            if isinstance(cause, CatalogError):
                raise ResourceError(str(cause)) from None
            raise type(error)(in_one_line(str(error))) from cause


def _with_arguments(tool: Callable[..., Any]) -> Callable[..., Any]:
    """Return `tool` with the fields of `FindOrMakeArguments` as parameters in place of its `**values`.

    The SDK reads the arguments of a tool from its signature.
    """

    @functools.wraps(tool)
    async def call(*args: Any, **values: Any) -> Any:
        return await tool(*args, **values)

    signature = inspect.signature(tool, eval_str=True)
    own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    fields = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[field.annotation, Field(description=field.description)],
            default=inspect.Parameter.empty if field.is_required() else field.default,
        )
        for name, field in FindOrMakeArguments.model_fields.items()
    ]
    call.__signature__ = signature.replace(parameters=[*own, *fields])  # type: ignore[attr-defined]
    return call
