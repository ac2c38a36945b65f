"""The tools that an MCP client can call, and what they answer."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..errors import CatalogError, NotFound
from ..history.suggestions import PresetSuggestion
from ..models import Action, Result, Track
from ..service.jobs import Job, Jobs, JobState
from ..service.service import MusicService
from .arguments import Ask, arguments, told
from .description import described, facts
from .optional import extra
from .threads import reading

with extra("mcp", "mcp"):
    from mcp.server.mcpserver import Context
    from mcp_types import (
        AudioContent,
        CallToolResult,
        ContentBlock,
        Resource,
        ResourceLink,
        TextContent,
    )

__all__ = [
    "LISTED",
    "MAX_INLINE_BYTES",
    "POLL_S",
    "QUERY",
    "Answer",
    "Audio",
    "Format",
    "FoundTrack",
    "FoundTracks",
    "JobId",
    "Rated",
    "Rejected",
    "Steps",
    "Suggestions",
    "Tools",
    "TrackId",
    "WaitS",
]


LISTED = 100
"""How many tracks `resources/list` names, the newest; the rest are found by searching."""
MAX_INLINE_BYTES = 8_000_000
POLL_S = 0.1

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

    state: JobState
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
        return await reading(self.service.store.audio.path_of(track).read_bytes)

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
            for track in self.service.store.tracks.list(limit=LISTED)
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
        track = self.service.store.tracks.get(track_id)
        if track is None:
            raise NotFound(f"there is no track {track_id!r}; search_tracks finds those there are")
        return track

    def _found(self, track: Track, score: float | None = None) -> dict[str, Any]:
        path = self.service.store.audio.path_of(track)
        return {"uri": _uri(track), "audio_uri": f"{_uri(track)}/audio", **facts(track, path, score)}

    def _inline(self, track: Track, audio: Format) -> ContentBlock:
        from generator import audio as audio_

        data = self.service.store.audio.path_of(track).read_bytes()
        if audio != "wav":
            data = audio_.encode(audio_.read(data), audio)
        if len(data) > MAX_INLINE_BYTES:
            return _text(
                f"note: the audio is {len(data):,} bytes as {audio}, more than is sent inline; "
                f"read {_uri(track)}/audio, or ask for ogg"
            )
        return AudioContent(data=base64.b64encode(data).decode("ascii"), mime_type=f"audio/{audio}")


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
