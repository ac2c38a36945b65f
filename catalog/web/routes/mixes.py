"""A recording over HTTP: the voice that is sent comes back with a track under it."""

from __future__ import annotations

import tempfile
from pathlib import Path as FilePath
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Body, Path, Query, Request
from starlette.responses import Response

from ...export import name_of
from ...soundtrack.queued import mix_sent, queue_mix
from ...soundtrack.shared import soundtracks_of
from ..problems import PROBLEMS
from ..ranges import attachment, file_response
from ..state import Root, SharedState, TrackId, Trusted
from .audio import MEDIA_TYPES, Format
from .music import QUEUED, job_response

__all__ = ["SoundtrackId", "kept", "router"]


router = APIRouter(prefix="/api/tracks", tags=["tracks"], responses=PROBLEMS)
kept = APIRouter(prefix="/api/mixes", tags=["mixes"], responses=PROBLEMS)
SoundtrackId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]
WARNINGS = "Mix-Warnings"
"""The header with what the listener should know, one sentence a line, percent-encoded."""


@router.post(
    "/{track_id}/mix",
    response_class=Response,
    responses={
        200: {
            "content": {kind: {} for kind in MEDIA_TYPES.values()},
            "description": "The mix.",
            "headers": {
                WARNINGS: {"description": "Sentences, percent-encoded.", "schema": {"type": "string"}}
            },
        },
        **QUEUED,
    },
)
def mix(
    track_id: TrackId,
    shared: SharedState,
    trusted: Trusted,
    root: Root,
    voice: Annotated[
        bytes, Body(media_type="audio/wav", description="A WAV, FLAC or OGG file, up to 64 MiB.")
    ],
    format: Format = "wav",
    loop: Annotated[
        bool | None, Query(description="Repeat the track; left out, one that loops is repeated.")
    ] = None,
    wait: Annotated[
        bool,
        Query(description="Answer with the mix; false: at once with a job, whose outcome names the mix."),
    ] = True,
) -> Response:
    """Mix a track under the recording that is the body, softer while somebody speaks; nothing of it is kept.

    With `wait=false` the recording is kept until it is mixed, and the mix until it is deleted, an hour at the most.
    """
    track = shared.track(track_id)
    if not wait:
        return job_response(
            shared, queue_mix(shared.jobs, track, voice, form=format, loop=loop), trusted, root
        )
    with tempfile.TemporaryDirectory(prefix="catalog-") as folder:
        recording, target = FilePath(folder) / "voice", FilePath(folder) / f"mix.{format}"
        recording.write_bytes(voice)
        warnings = mix_sent(shared.service, track, recording, target, loop)
        content = target.read_bytes()
    headers = {"Content-Disposition": attachment(f"{name_of(track)}-mix.{format}")}
    if warnings:
        headers[WARNINGS] = quote("\n".join(warnings))
    return Response(content, media_type=MEDIA_TYPES[format], headers=headers)


@kept.get(
    "/{mix_id}",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in MEDIA_TYPES.values()}, "description": "The mix."}},
)
def made(mix_id: SoundtrackId, shared: SharedState, request: Request, format: Format = "wav") -> Response:
    """Send a mix that was made as a job, in the format that it was asked for in."""
    path = soundtracks_of(shared.service.store).file("mix", mix_id, f"mix.{format}")
    return file_response(
        path.open("rb"),
        request,
        etag=mix_id,
        media_type=MEDIA_TYPES[format],
        headers={"Cache-Control": "no-store"},
    )


@kept.delete("/{mix_id}", status_code=204)
def delete(mix_id: SoundtrackId, shared: SharedState) -> None:
    """Delete a mix that was made as a job; else it goes after an hour."""
    soundtracks_of(shared.service.store).delete("mix", mix_id)
