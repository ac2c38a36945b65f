"""The catalog as an MCP server: tools to search, find or make and rate; tracks as resources. Needs the extra `mcp`.

Over stdio for the client that starts it, or over streamable HTTP on the loopback interface. Makes run in the
background, so that a tool answers within seconds: with the track, or with a job to ask about. Descriptions of tools
are fixed, and what is stored comes back as data only.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import inspect
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from types import FrameType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from catalog.context import nearest, sentence
from catalog.errors import CatalogError, InputError, NotFound
from catalog.integrations.asking import Ask, arguments, purpose, told
from catalog.integrations.description import described, facts
from catalog.integrations.extra import extra
from catalog.integrations.threads import reading
from catalog.jobs import Job, Jobs, State
from catalog.models import Action, Result, Track
from catalog.service import MusicService
from catalog.suggestions import PresetSuggestion

with extra("mcp", "mcp"):
    from mcp.server.lowlevel.helper_types import ReadResourceContents
    from mcp.server.mcpserver import Context, MCPServer
    from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
    from mcp_types import (
        AudioContent,
        CallToolResult,
        ContentBlock,
        InputRequiredResult,
        Resource,
        ResourceLink,
        TextContent,
        ToolAnnotations,
    )

__all__ = ["MAX_INLINE_BYTES", "Tools", "serve", "server"]

LISTED = 100
"""How many tracks `resources/list` names, the newest; the rest are found by searching."""
MAX_INLINE_BYTES = 8_000_000
POLL_S = 0.1
LOOPBACK = ("127.0.0.1", "localhost", "::1")
INSTRUCTIONS = (
    "A catalog of music for texts. find_or_make takes the text itself and returns a track that fits it: an earlier one "
    "at once, or a new one, whose making may take minutes and is then asked about with get_job. search_tracks looks "
    "among the tracks there are. A track is the resource track://ID, its audio track://ID/audio."
)

QUERY = (
    "What to look for, in words, with facts where they matter: mood:calm, style:ambient_lofi, role:loop_bed, "
    "environment:rain, time:night, length:30..60 (seconds), tempo:..90, rating:4.., loop:yes, made:7d; -mood:sad "
    "leaves out. Empty for the newest tracks."
)

Format = Literal["wav", "flac", "ogg"]
Audio = Annotated[
    Format | None,
    Field(
        description="Also return the audio itself, inline in this format. Left out, a link to it is returned."
    ),
]
WaitS = Annotated[float, Field(ge=0, le=30, description="How long to wait for it to be made, in seconds.")]
JobId = Annotated[str, Field(description="The job_id that find_or_make returned.")]
TrackId = Annotated[str, Field(description="The id of a track.")]


class FoundTrack(BaseModel):
    """A track; beside these it states all of its facts."""

    model_config = ConfigDict(extra="allow")

    track_id: str
    uri: str
    audio_uri: str
    path: str
    summary: str
    style: str
    role: str
    mood_tags: list[str]
    duration_s: float
    loopable: bool
    score: float | None = None


class FoundTracks(BaseModel):
    """Tracks, best first, and how many there are in all."""

    total: int
    tracks: list[FoundTrack]


class Suggestions(BaseModel):
    """Presets, the best first."""

    presets: list[PresetSuggestion]


class Rated(BaseModel):
    """A track as it is rated now."""

    track: FoundTrack
    rating: int | None


class Rejected(BaseModel):
    """What is not served again, and for which request."""

    track_id: str
    request_id: str


class Steps(BaseModel):
    """How far a make is."""

    done: int
    total: int


class Answer(BaseModel):
    """What find_or_make came to, or where its job stands."""

    state: State
    job_id: str | None = None
    action: Action | None = None
    track: FoundTrack | None = None
    similarity: float | None = None
    reason: str = ""
    request_id: str | None = None
    warnings: list[str] = []
    progress: Steps | None = None
    ahead: int = 0
    """How many makes come first."""
    error: str | None = None


class Tools:
    """What the server offers, over one service and one queue of makes."""

    def __init__(self, service: MusicService, jobs: Jobs) -> None:
        self.service = service
        self.jobs = jobs

    async def search_tracks(
        self,
        query: Annotated[str, Field(description=QUERY)] = "",
        by: Annotated[
            Literal["meaning", "words", "both"], Field(description="Compare meanings, words, or both.")
        ] = "meaning",
        limit: Annotated[int, Field(ge=1, le=50, description="How many tracks at most.")] = 5,
        offset: Annotated[
            int, Field(ge=0, description="How many of the best to leave out, for a next page.")
        ] = 0,
    ) -> Annotated[CallToolResult, FoundTracks]:
        """Search the tracks there are, or list the newest. Only reads; nothing is made."""
        page = await reading(self.service.browse, query, by=by, limit=limit, offset=offset)
        lines = [f"{track.id}\n{described(track)}" for track in page.tracks]
        found = [self._found(track, page.scores.get(track.id)) for track in page.tracks]
        return CallToolResult(
            content=[
                _text("\n\n".join([*lines, f"{len(lines)} of {page.total} tracks"])),
                *(_link(track) for track in page.tracks),
            ],
            structured_content={"total": page.total, "tracks": found},
        )

    async def find_or_make(
        self, ctx: Context[Any, Any], wait_s: WaitS = 3.0, audio: Audio = None, **given: Any
    ) -> Annotated[CallToolResult, Answer]:
        """Return an earlier track that fits, else make one: the track if it is done within `wait_s`, else its job."""
        asked = arguments(Ask, given, {})
        reuse = asked.pop("reuse", "auto")
        result: Result | None = None
        if reuse == "always":
            result = await reading(self.service.find_or_make, **asked, reuse=reuse)
        elif reuse == "auto":
            result = await reading(self.service.reuse, **asked)
        if result:
            return await self._done(result, audio)
        job = await reading(self.jobs.find_or_make, **asked, reuse=reuse)
        return await self._answer(job.id, wait_s, audio, ctx)

    async def get_job(
        self, ctx: Context[Any, Any], job_id: JobId, wait_s: WaitS = 0.0, audio: Audio = None
    ) -> Annotated[CallToolResult, Answer]:
        """Say where the making of a track stands; with its track once it is done."""
        return await self._answer(job_id, wait_s, audio, ctx)

    async def cancel_job(self, job_id: JobId) -> Annotated[CallToolResult, Answer]:
        """Stop the making of a track; one that is done stays."""
        return self._standing(await reading(self.jobs.cancel, job_id))

    async def suggest_presets(
        self,
        query: Annotated[str, Field(description="What the music is for, in words.")],
        limit: Annotated[int, Field(ge=1, le=20, description="How many at most.")] = 5,
    ) -> Annotated[CallToolResult, Suggestions]:
        """Suggest style presets for a text, from what served and pleased before. Only reads."""
        found = await reading(self.service.suggest_presets, query, limit)
        lines = [f"{one.name}: {one.reason}" for one in found]
        return CallToolResult(
            content=[_text("\n".join(lines) or "no preset is known")],
            structured_content={"presets": [one.model_dump(mode="json") for one in found]},
        )

    async def rate_track(
        self,
        track_id: TrackId,
        rating: Annotated[int | None, Field(ge=1, le=5, description="1 to 5; null takes the rating back.")],
        request_id: Annotated[
            str | None,
            Field(description="The request it answered: the rating then says how well it fitted there."),
        ] = None,
    ) -> Annotated[CallToolResult, Rated]:
        """Rate a track, 1 to 5."""
        track = await reading(self.service.rate, track_id, rating, request_id=request_id)
        said = (
            f"track {track.id} is rated {track.rating}" if track.rating else f"track {track.id} has no rating"
        )
        return CallToolResult(
            content=[_text(said), _link(track)],
            structured_content={"track": self._found(track), "rating": track.rating},
        )

    async def reject_track(
        self,
        track_id: TrackId,
        request_id: Annotated[
            str | None, Field(description="The request it was wrong for; left out, the last it answered.")
        ] = None,
    ) -> Annotated[CallToolResult, Rejected]:
        """Keep a track from a request it was wrong for, and from requests near it; it goes on serving others."""
        judgement = await reading(self.service.reject, track_id, request_id)
        said = f"track {judgement.track_id} is not served again for request {judgement.request_id} and those near it"
        told = {"track_id": judgement.track_id, "request_id": judgement.request_id}
        return CallToolResult(content=[_text(said)], structured_content=told)

    async def track(self, track_id: str) -> dict[str, Any]:
        """Return what is known of a track, as JSON: what it is, how it was made and by what, its licence."""
        track = await reading(self._track, track_id)
        return {**self._found(track), **track.model_dump(mode="json", exclude={"context"})}

    async def audio(self, track_id: str) -> bytes:
        """Return the audio of a track, a WAV file."""
        track = await reading(self._track, track_id)
        return await reading(self.service.store.path_of(track).read_bytes)

    def newest(self) -> list[Resource]:
        """Return the newest tracks as resources."""
        return [
            Resource(
                uri=_uri(track),
                name=track.id,
                title=track.summary[:80],
                description=described(track),
                mime_type="application/json",
            )
            for track in self.service.store.list(limit=LISTED)
        ]

    # Answers

    async def _answer(
        self, job_id: str, wait_s: float, audio: Format | None, ctx: Context[Any, Any]
    ) -> CallToolResult:
        """Wait for a job, passing its progress on, and return its track or where it stands."""
        until = time.monotonic() + wait_s
        seen = None
        job = self.jobs.get(job_id)
        while not job.finished and time.monotonic() < until:
            await asyncio.sleep(POLL_S)
            job = self.jobs.get(job_id)
            if job.progress and job.progress != seen:
                seen = job.progress
                await ctx.report_progress(*job.progress)
        if job.state == "done" and job.result:
            return await self._done(job.result, audio, job_id=job.id)
        return self._standing(job)

    async def _done(
        self, result: Result, audio: Format | None, *, job_id: str | None = None
    ) -> CallToolResult:
        track = result.track
        assert track is not None
        content: list[ContentBlock] = [_text(told(result)), _link(track)]
        if audio:
            content.append(await reading(self._inline, track, audio))
        answer = Answer(
            state="done",
            job_id=job_id,
            action=result.action,
            track=FoundTrack.model_validate(self._found(track)),
            similarity=result.similarity,
            reason=result.reason,
            request_id=result.request_id,
            warnings=list(result.warnings),
        )
        return CallToolResult(content=content, structured_content=answer.model_dump(mode="json"))

    def _standing(self, job: Job) -> CallToolResult:
        """Return where a job stands, in words and as an Answer; a failure is an error that tells the sentence."""
        error = None
        if job.error:
            known = isinstance(job.error, CatalogError)
            error = str(job.error) if known else "the make failed unexpectedly; the server's log says why"
        said = f"job {job.id} is {job.state}"
        if job.progress and not job.finished:
            said += f", step {job.progress[0]} of {job.progress[1]}"
        if not job.finished:
            said += "; ask get_job for it again"
        answer = Answer(
            state=job.state,
            job_id=job.id,
            progress=Steps(done=job.progress[0], total=job.progress[1]) if job.progress else None,
            ahead=self.jobs.position(job.id),
            error=error,
        )
        return CallToolResult(
            content=[_text(error or said)],
            structured_content=answer.model_dump(mode="json"),
            is_error=error is not None,
        )

    def _track(self, track_id: str) -> Track:
        track = self.service.store.get(track_id)
        if track is None:
            raise NotFound(f"there is no track {track_id!r}; search_tracks finds those there are")
        return track

    def _found(self, track: Track, score: float | None = None) -> dict[str, Any]:
        path = self.service.store.path_of(track)
        return {"uri": _uri(track), "audio_uri": f"{_uri(track)}/audio", **facts(track, path, score)}

    def _inline(self, track: Track, audio: Format) -> ContentBlock:
        from generator import audio as shaping

        data = self.service.store.path_of(track).read_bytes()
        if audio != "wav":
            data = shaping.encode(shaping.read(data), audio)
        if len(data) > MAX_INLINE_BYTES:
            return _text(
                f"note: the audio is {len(data):,} bytes as {audio}, more than is sent inline; "
                f"read {_uri(track)}/audio, or ask for ogg"
            )
        return AudioContent(data=base64.b64encode(data).decode("ascii"), mime_type=f"audio/{audio}")


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
        version=_version(),
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


def _uri(track: Track) -> str:
    return f"track://{track.id}"


def _text(text: str) -> TextContent:
    return TextContent(text=text)


def _link(track: Track) -> ResourceLink:
    return ResourceLink(
        uri=f"{_uri(track)}/audio",
        name=track.id,
        title=track.summary[:80],
        description=described(track),
        mime_type="audio/wav",
        size=track.audio_bytes,
    )


def _version() -> str:
    try:
        return version("music-catalog")
    except PackageNotFoundError:
        return "unknown"
