"""A recording over HTTP: the voice that is sent comes back with a track under it."""

from __future__ import annotations

import tempfile
from pathlib import Path as FilePath
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Body, Query
from starlette.responses import Response

from ...errors import InputError
from ...export import name_of
from ...soundtrack.mix import mix_under
from ..problems import PROBLEMS
from ..state import SharedState, TrackId
from .audio import MEDIA_TYPES

__all__ = ["router"]


router = APIRouter(prefix="/api/tracks", tags=["tracks"], responses=PROBLEMS)
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
        }
    },
)
def mix(
    track_id: TrackId,
    shared: SharedState,
    voice: Annotated[
        bytes, Body(media_type="audio/wav", description="A WAV, FLAC or OGG file, up to 64 MiB.")
    ],
    format: Annotated[Literal["wav", "flac", "ogg"], Query()] = "wav",
    loop: Annotated[
        bool | None, Query(description="Repeat the track; left out, one that loops is repeated.")
    ] = None,
) -> Response:
    """Mix a track under the recording that is the body, softer while somebody speaks; nothing of it is kept."""
    track = shared.track(track_id)
    source = shared.service.store.audio.verified_path(track)
    with tempfile.TemporaryDirectory(prefix="catalog-") as folder:
        recording, target = FilePath(folder) / "voice", FilePath(folder) / f"mix.{format}"
        recording.write_bytes(voice)
        try:
            done = mix_under(
                track.id,
                recording,
                target,
                lambda _: (track, source),
                shared.service.library.roles,
                loop=loop,
            )
        except InputError as error:
            raise InputError(_told(str(error), recording)) from error
        content = target.read_bytes()
    headers = {"Content-Disposition": f'attachment; filename="{name_of(track)}-mix.{format}"'}
    if done["warnings"]:
        headers[WARNINGS] = quote("\n".join(_told(each, recording) for each in done["warnings"]))
    return Response(content, media_type=MEDIA_TYPES[format], headers=headers)


def _told(sentence: str, recording: FilePath) -> str:
    """Return a sentence that speaks of the recording, not of the file that it was put into."""
    return sentence.replace(f"the narration {recording}", "the recording").replace(
        str(recording), "the recording"
    )
