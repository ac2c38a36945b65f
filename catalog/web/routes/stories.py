"""Stories over HTTP: a text in parts gets music that follows it, made as a job, to hear and to download."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from ...models import Use, WholeNumber
from ...soundtrack.queued import keep_recording, narrators_here, queue_story
from ...soundtrack.shared import soundtracks_of
from ..json_response import Json
from ..problems import PROBLEMS
from ..ranges import file_response
from ..schemas import JobResponse
from ..state import Root, SharedState, Trusted
from .mixes import SoundtrackId
from .music import job_response

__all__ = ["router"]


router = APIRouter(prefix="/api/stories", tags=["stories"], responses=PROBLEMS)
File = Literal["mix", "voice", "music", "subtitles", "plot"]
FILES: dict[str, tuple[str, str]] = {
    "mix": ("mix.flac", "audio/flac"),
    "voice": ("mix.voice.flac", "audio/flac"),
    "music": ("mix.music.flac", "audio/flac"),
    "subtitles": ("mix.vtt", "text/vtt"),
    "plot": ("mix.svg", "image/svg+xml"),
}
"""Name of a file of a story -> the name on the disk, and the media type."""


class StoryBody(BaseModel):
    """A story, and what the caller wants of its music."""

    model_config = ConfigDict(extra="forbid")

    parts: list[str | dict[str, Any]] = Field(
        min_length=1,
        max_length=2000,
        description="Texts, or objects with a text, its tags, and as narration the id of a recording.",
    )
    title: str = Field("", max_length=200)
    narrator: str | None = Field(
        None, description="Who speaks parts without a recording; see GET /api/stories."
    )
    quality: str | None = Field(None, description="Quality tier of new loops.")
    backend: str | None = Field(None, description="As for a request.")
    license: Use | None = Field(None, description="Serve and make only music that may be used so.")
    seed: WholeNumber | None = Field(None, description="Seed for new loops.")


class StoryHead(BaseModel):
    """A story that was made, in short."""

    id: str
    title: str
    created_at: str
    duration_s: float


class StoriesResponse(BaseModel):
    """The newest stories, and the narrators of this machine."""

    stories: list[StoryHead]
    narrators: list[str]


class StoryJson(StoryHead):
    """A story that was made: its parts, its scenes with their tracks, and what the listener should know."""

    model_config = ConfigDict(extra="allow")

    spoken: bool = Field(description="Whether anybody speaks; then voice and music are there alone too.")
    moments: list[dict[str, Any]]
    scenes: list[dict[str, Any]]
    themes: int
    warnings: list[str]


class RecordingJson(BaseModel):
    """A recording that was sent for a story."""

    recording: str


@router.get("", response_model=StoriesResponse)
def stories(shared: SharedState) -> Response:
    """List the newest stories and the narrators of this machine."""
    heads = [
        {name: story[name] for name in StoryHead.model_fields}
        for story in soundtracks_of(shared.service.store).stories()
    ]
    return Json({"stories": heads, "narrators": narrators_here()})


@router.post("", status_code=202, response_model=JobResponse)
def tell(body: StoryBody, shared: SharedState, trusted: Trusted, root: Root) -> Response:
    """Have music made that follows a story; the outcome of the job is the story's id."""
    chunks = [{"text": one} if isinstance(one, str) else one for one in body.parts]
    choices = body.model_dump(include={"quality", "backend", "license", "seed"}, exclude_none=True)
    job = queue_story(shared.jobs, chunks, title=body.title, voice=body.narrator, choices=choices)
    return job_response(shared, job, trusted, root)


@router.post("/recordings", status_code=201, response_model=RecordingJson)
def recording(
    shared: SharedState,
    voice: Annotated[
        bytes, Body(media_type="audio/wav", description="A WAV, FLAC or OGG file, up to 64 MiB.")
    ],
) -> Response:
    """Take the recording of a part of a story; it is kept for a day."""
    return Json({"recording": keep_recording(shared.service.store, voice)}, status_code=201)


@router.get("/{story_id}", response_model=StoryJson)
def story(story_id: SoundtrackId, shared: SharedState) -> Response:
    """Show a story that was made."""
    return Json(soundtracks_of(shared.service.store).story(story_id))


@router.delete("/{story_id}", status_code=204)
def delete(story_id: SoundtrackId, shared: SharedState) -> None:
    """Delete a story; the tracks that were made for it stay."""
    soundtracks_of(shared.service.store).delete("story", story_id)


@router.get(
    "/{story_id}/{file}",
    response_class=Response,
    responses={200: {"content": {kind: {} for _, kind in FILES.values()}, "description": "The file."}},
)
def file(
    story_id: SoundtrackId,
    file: File,
    request: Request,
    shared: SharedState,
    download: Annotated[bool, Query(description="Offer it to be saved, under a name of its own.")] = False,
) -> Response:
    """Send the whole, the voice or the music alone, the subtitles, or the plot of moods."""
    name, kind = FILES[file]
    path = soundtracks_of(shared.service.store).file("story", story_id, name)
    headers = {"Cache-Control": "no-cache"}
    if download:
        headers["Content-Disposition"] = f'attachment; filename="story-{file}{path.suffix}"'
    return file_response(
        path.open("rb"), request, etag=f"{story_id}-{file}", media_type=kind, headers=headers
    )
