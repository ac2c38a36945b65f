"""Music that others made, sent over HTTP: one file is the body of a request."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel
from starlette.responses import Response

from ...errors import InputError
from ...models import AddOptions, Outcome
from ..json_response import Json
from ..problems import PROBLEMS
from ..schemas import TrackJson, track_payload
from ..state import SharedState

__all__ = ["router"]


router = APIRouter(prefix="/api", tags=["tracks"], responses=PROBLEMS)
Said = Annotated[str, Query(max_length=500)]


class Added(BaseModel):
    """What became of a file."""

    outcome: Outcome
    detail: str = ""
    batch: str = ""
    track: TrackJson | None = None


@router.post("/tracks", response_model=Added)
def add(
    shared: SharedState,
    sound: Annotated[bytes, Body(media_type="audio/wav", description="An audio file, up to 64 MiB.")],
    name: Annotated[
        str, Query(max_length=200, description="The name of the file, with its ending.")
    ] = "untitled",
    license: Annotated[str, Query(max_length=200, description="The licence, such as CC-BY-4.0.")] = "",
    role: Annotated[str, Query(max_length=64, description="What the music is for.")] = "",
    style: Annotated[str, Query(max_length=64, description="A style preset; else by its words.")] = "",
    source: Said = "",
    rights: Said = "",
) -> Response:
    """Add the audio file that is the body, with what its tags say; a copy of a track that is there is left out."""
    options: AddOptions = {
        "license": license,
        "role": role,
        "style": style,
        "source": source,
        "rights": rights,
    }
    batch = shared.service.add_bytes(sound, name, **options)
    (one,) = batch.files
    if one.outcome == "failed":
        raise InputError(f"{one.path} cannot be added: {one.detail}")
    track = None if one.track_id is None else track_payload(shared.track(one.track_id))
    return Json(
        {
            "outcome": one.outcome,
            "detail": one.detail,
            "batch": batch.id if one.outcome == "added" else "",
            "track": track,
        }
    )
