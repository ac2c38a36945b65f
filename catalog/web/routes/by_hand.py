"""What a person decides in place of the catalog, over HTTP: why not this track, use it anyway, not for this request."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...models import Decision, Judgement
from ..json_response import Json
from ..problems import PROBLEMS
from ..schemas import FindBody, ResultResponse, TrackJson, result_payload, track_payload
from ..state import SharedState, TrackId, Trusted

__all__ = ["router"]


router = APIRouter(prefix="/api/tracks", tags=["music"], responses=PROBLEMS)


class Weighed(BaseModel):
    """How one track stands to a request."""

    track: TrackJson
    decision: Decision = Field(
        description="Its one candidate is the track; the facts of `filter` were not applied."
    )


@router.post("/{track_id}/weigh", response_model=Weighed)
def weigh(track_id: TrackId, body: FindBody, shared: SharedState) -> Response:
    """Say how well a track fits a request, and which facts it had to meet. Nothing is made or logged."""
    track = shared.track(track_id)
    decision = shared.service.weigh(track.id, body.source, **body.request())
    return Json({"track": track_payload(track), "decision": decision.model_dump(mode="json")})


@router.post("/{track_id}/choose", response_model=ResultResponse)
def choose(track_id: TrackId, body: FindBody, shared: SharedState, trusted: Trusted) -> Response:
    """Serve a track for a request because a person chose it; the same request gets it again, and `calibrate` learns."""
    result = shared.service.choose(shared.track(track_id).id, body.source, **body.request())
    shared.metrics.decided(result)
    return Json({"result": result_payload(result, trusted=trusted)})


@router.post("/{track_id}/decline", response_model=Judgement)
def decline(track_id: TrackId, body: FindBody, shared: SharedState) -> Response:
    """Keep a track from a request and from near ones, whether it was served for it or not; `calibrate` learns."""
    judgement = shared.service.decline(shared.track(track_id).id, body.source, **body.request())
    return Json(judgement.model_dump(mode="json"))
