"""The tools that an MCP client can call: search, find or make, follow a job, suggest, rate and reject."""

from __future__ import annotations

import base64
from contextlib import aclosing
from typing import Annotated, Any, Literal

import anyio
from mcp.server.mcpserver import Context as CallContext
from mcp_types import AudioContent, CallToolResult, ContentBlock, Resource, ResourceLink, TextContent
from pydantic import Field

from ..errors import CatalogError, NotFound
from ..file_tags import tags_of
from ..models import IS_NUMBER, IS_WHOLE, Rating, Result, Track, YesOrNo
from ..service.jobs import Job, Jobs
from ..service.jobs.following import job_changes
from ..service.service import MusicService
from .arguments import FindOrMakeArguments, result_text, service_arguments
from .description import track_metadata, track_text
from .mcp_answers import (
    Added,
    AddedMusic,
    Answer,
    FoundTrack,
    FoundTracks,
    Rated,
    Rejected,
    Steps,
    Suggestions,
)
from .threads import read_in_thread

__all__ = ["Tools"]


LISTED = 100
"""How many tracks `resources/list` names, the newest; the rest are found by searching."""
MAX_INLINE_BYTES = 8_000_000

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
WaitS = Annotated[
    float, Field(ge=0, le=30, description="How long to wait for it to be made, in seconds."), IS_NUMBER
]
JobId = Annotated[str, Field(description="The job_id that find_or_make returned.")]
TrackId = Annotated[str, Field(description="The id of a track.")]


class Tools:
    """The tools and resources over one service and one queue of makes; each docstring is what a client reads."""

    def __init__(self, service: MusicService, jobs: Jobs) -> None:
        self.service = service
        self.jobs = jobs

    async def search_tracks(
        self,
        query: Annotated[str, Field(description=QUERY)] = "",
        by: Annotated[
            Literal["meaning", "words", "both", "sound"],
            Field(
                description="Compare meanings, words, both, or the words with the sound, where an ear is installed."
            ),
        ] = "meaning",
        limit: Annotated[int, Field(ge=1, le=50, description="How many tracks at most."), IS_WHOLE] = 5,
        offset: Annotated[
            int, Field(ge=0, description="How many of the best to leave out, for a next page."), IS_WHOLE
        ] = 0,
    ) -> Annotated[CallToolResult, FoundTracks]:
        """Search the tracks there are, or list the newest. Only reads; nothing is made."""
        page = await read_in_thread(self.service.browse, query, by=by, limit=limit, offset=offset)
        lines = [f"{track.id}\n{track_text(track)}" for track in page.tracks]
        tracks = [self._track_payload(track, page.scores.get(track.id)) for track in page.tracks]
        return CallToolResult(
            content=[
                _text("\n\n".join([*lines, f"{len(lines)} of {page.total} tracks"])),
                *(_link(track) for track in page.tracks),
            ],
            structured_content={"total": page.total, "tracks": tracks},
        )

    async def find_or_make(
        self, ctx: CallContext[Any, Any], wait_s: WaitS = 3.0, audio: Audio = None, **values: Any
    ) -> Annotated[CallToolResult, Answer]:
        """Return an earlier track that fits, else make one: the track if it is done within `wait_s`, else its job."""
        arguments = service_arguments(FindOrMakeArguments, values, {})
        reuse = arguments.pop("reuse", "auto")
        result: Result | None = None
        if reuse == "always":
            result = await read_in_thread(self.service.find_or_make, **arguments, reuse=reuse)
        elif reuse == "auto":
            result = await read_in_thread(self.service.reuse, **arguments)
        if result:
            return await self._result_answer(result, audio)
        job = await read_in_thread(self.jobs.find_or_make, **arguments, reuse=reuse)
        return await self._awaited(job.id, wait_s, audio, ctx)

    async def get_job(
        self, ctx: CallContext[Any, Any], job_id: JobId, wait_s: WaitS = 0.0, audio: Audio = None
    ) -> Annotated[CallToolResult, Answer]:
        """Say where the making of a track stands; with its track once it is done."""
        return await self._awaited(job_id, wait_s, audio, ctx)

    async def cancel_job(self, job_id: JobId) -> Annotated[CallToolResult, Answer]:
        """Stop the making of a track; one that is done stays."""
        return self._job_answer(await read_in_thread(self.jobs.cancel, job_id))

    async def suggest_presets(
        self,
        query: Annotated[str, Field(description="What the music is for, in words.")],
        limit: Annotated[int, Field(ge=1, le=20, description="How many at most."), IS_WHOLE] = 5,
    ) -> Annotated[CallToolResult, Suggestions]:
        """Suggest style presets for a text, from what served and pleased before. Only reads."""
        presets = await read_in_thread(self.service.suggest_presets, query, limit)
        lines = [f"{preset.name}: {preset.reason}" for preset in presets]
        return CallToolResult(
            content=[_text("\n".join(lines) or "no preset is known")],
            structured_content={"presets": [preset.model_dump(mode="json") for preset in presets]},
        )

    async def rate_track(
        self,
        track_id: TrackId,
        rating: Annotated[Rating | None, Field(description="1 to 5; null takes the rating back.")],
        request_id: Annotated[
            str | None,
            Field(description="The request it answered: the rating then says how well it fitted there."),
        ] = None,
    ) -> Annotated[CallToolResult, Rated]:
        """Rate a track, 1 to 5."""
        track = await read_in_thread(self.service.rate, track_id, rating, request_id=request_id)
        message = (
            f"track {track.id} is rated {track.rating}" if track.rating else f"track {track.id} has no rating"
        )
        return CallToolResult(
            content=[_text(message), _link(track)],
            structured_content={"track": self._track_payload(track), "rating": track.rating},
        )

    async def reject_track(
        self,
        track_id: TrackId,
        request_id: Annotated[
            str | None, Field(description="The request it was wrong for; left out, the last it answered.")
        ] = None,
    ) -> Annotated[CallToolResult, Rejected]:
        """Keep a track from a request it was wrong for, and from requests near it; it goes on serving others."""
        judgement = await read_in_thread(self.service.reject, track_id, request_id)
        message = f"track {judgement.track_id} is not served again for request {judgement.request_id} and those near it"
        return CallToolResult(
            content=[_text(message)],
            structured_content={"track_id": judgement.track_id, "request_id": judgement.request_id},
        )

    async def add_music(
        self,
        path: Annotated[str, Field(description="An audio file or a folder on the machine of the catalog.")],
        license: Annotated[
            str,
            Field(
                description="The licence of the music, such as CC-BY-4.0; ask the user. Left out, it is "
                "the one that the files state, else unknown."
            ),
        ] = "",
        role: Annotated[str, Field(description="What the music is for; background_bed where left out.")] = "",
        source: Annotated[str, Field(description="Where the music is from.")] = "",
        rights: Annotated[str, Field(description="What may be done with it.")] = "",
        dry_run: Annotated[YesOrNo, Field(description="Only say what would be added.")] = False,
    ) -> Annotated[CallToolResult, AddedMusic]:
        """Take in music from files, with what their tags say; copies of tracks that are there are left out."""
        batch = await read_in_thread(
            self.service.add,
            path,
            license=license,
            role=role,
            source=source,
            rights=rights,
            dry_run=dry_run,
        )
        lines = [
            f"{one.outcome}: {one.path} {one.track_id or ''} {one.detail}".rstrip() for one in batch.files
        ]
        named = Added.model_fields
        answer = AddedMusic(
            batch=batch.id, files=[Added(**one.model_dump(include=set(named))) for one in batch.files]
        )
        return CallToolResult(
            content=[_text("\n".join(lines) or "no audio file was found there")],
            structured_content=answer.model_dump(mode="json"),
        )

    async def track(self, track_id: str) -> dict[str, Any]:
        """Return what is known of a track, as JSON: what it is, how it was made and by what, its licence."""
        track = await read_in_thread(self._track, track_id)
        return {**self._track_payload(track), **track.model_dump(mode="json", exclude={"context"})}

    async def audio(self, track_id: str) -> bytes:
        """Return the audio of a track, a WAV file."""
        track = await read_in_thread(self._track, track_id)
        return await read_in_thread(lambda: self.service.store.audio.verified_path(track).read_bytes())

    def newest(self) -> list[Resource]:
        """Return the newest tracks as resources."""
        return [
            Resource(
                uri=_uri(track),
                name=track.id,
                title=track.name[:80],
                description=track_text(track),
                mime_type="application/json",
            )
            for track in self.service.store.tracks.list(limit=LISTED)
        ]

    # Answers

    async def _awaited(
        self, job_id: str, wait_s: float, audio: Format | None, ctx: CallContext[Any, Any]
    ) -> CallToolResult:
        """Wait up to `wait_s` for a job, pass its progress on, and return its track or where it stands."""
        with anyio.move_on_after(wait_s):
            await self._report_progress(job_id, ctx)
        job = self.jobs.get(job_id)
        if job.state == "done" and job.result:
            return await self._result_answer(job.result, audio, job_id=job.id)
        return self._job_answer(job)

    async def _report_progress(self, job_id: str, ctx: CallContext[Any, Any]) -> None:
        """Pass the progress of a job on until it is over."""
        progress = None
        async with aclosing(job_changes(self.jobs, job_id)) as changes:
            async for job in changes:
                if job and job.progress and job.progress != progress:
                    progress = job.progress
                    await ctx.report_progress(*progress)

    async def _result_answer(
        self, result: Result, audio: Format | None, *, job_id: str | None = None
    ) -> CallToolResult:
        track = result.track
        assert track is not None
        content: list[ContentBlock] = [_text(result_text(result)), _link(track)]
        if audio:
            content.append(await read_in_thread(self._inline, track, audio))
        answer = Answer(
            state="done",
            job_id=job_id,
            action=result.action,
            track=FoundTrack.model_validate(self._track_payload(track)),
            similarity=result.similarity,
            reason=result.reason,
            request_id=result.request_id,
            warnings=list(result.warnings),
        )
        return CallToolResult(content=content, structured_content=answer.model_dump(mode="json"))

    def _job_answer(self, job: Job) -> CallToolResult:
        """Return where a job stands, in words and as an Answer; a failure is an error with its message."""
        error = None
        if job.error:
            known = isinstance(job.error, CatalogError)
            error = str(job.error) if known else "the make failed unexpectedly; the server's log says why"
        message = f"job {job.id} is {job.state}"
        if job.progress and not job.finished:
            message += f", step {job.progress[0]} of {job.progress[1]}"
        if not job.finished:
            message += "; ask get_job for it again"
        answer = Answer(
            state=job.state,
            job_id=job.id,
            progress=Steps(done=job.progress[0], total=job.progress[1]) if job.progress else None,
            ahead=self.jobs.position(job.id),
            error=error,
        )
        return CallToolResult(
            content=[_text(error or message)],
            structured_content=answer.model_dump(mode="json"),
            is_error=error is not None,
        )

    def _track(self, track_id: str) -> Track:
        try:
            return self.service.store.tracks.find_id(track_id)
        except NotFound:
            raise NotFound(f"there is no track {track_id!r}; search_tracks finds those there are") from None

    def _track_payload(self, track: Track, score: float | None = None) -> dict[str, Any]:
        path = self.service.store.audio.path_of(track)
        return {"uri": _uri(track), "audio_uri": f"{_uri(track)}/audio", **track_metadata(track, path, score)}

    def _inline(self, track: Track, audio: Format) -> ContentBlock:
        from ..generator import audio as audio_

        data = self.service.store.audio.verified_path(track).read_bytes()
        if audio != "wav":
            data = audio_.encode(audio_.read(data), audio, **tags_of(track))
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
        title=track.name[:80],
        description=track_text(track),
        mime_type="audio/wav",
        size=track.audio_bytes,
    )
