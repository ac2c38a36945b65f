"""The takes of a track over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from ...history.takes import takes_of
from ..json_response import Json
from ..problems import PROBLEMS
from ..schemas import TrackJson, track_payload
from ..state import SharedState, TrackId

__all__ = ["router"]


router = APIRouter(prefix="/api/tracks", tags=["tracks"], responses=PROBLEMS)


class TakesOfTrack(BaseModel):
    """The tracks of one group, the first made first."""

    tracks: list[TrackJson]


@router.get("/{track_id}/takes", response_model=TakesOfTrack)
def takes(track_id: TrackId, shared: SharedState) -> Response:
    """List a track and its other takes: those made for the same request with other seeds, and its variations."""
    tracks = takes_of(shared.service.store, shared.track(track_id).id)
    return Json({"tracks": [track_payload(one) for one in tracks]})
