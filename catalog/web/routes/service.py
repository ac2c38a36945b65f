"""The service and the catalog as a whole over HTTP: health, presets, statistics, and the counters."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from ...history.over_time import By
from ...history.statistics import Statistics
from ...history.suggestions import PresetSuggestion
from ...report import preset_rows
from ..json_response import Json
from ..note import NONCE
from ..problems import PROBLEMS
from ..readiness import ReadyJson
from ..state import SharedState

__all__ = ["router"]


router = APIRouter(tags=["service"], responses=PROBLEMS)
BEGAN = time.time()


class Health(BaseModel):
    """Whether the service is up."""

    status: Literal["ok"]
    version: str
    uptime_s: float
    token_required: bool


class Live(BaseModel):
    """The process answers."""

    live: Literal[True]


class Proof(BaseModel):
    """The HMAC-SHA256 of a nonce and of the address of the service, under the secret of its home."""

    proof: str


class PresetJson(BaseModel):
    """A style preset, role or quality tier."""

    model_config = ConfigDict(extra="allow")

    name: str
    section: Literal["presets", "roles", "quality"]
    description: str


class PresetsResponse(BaseModel):
    """All style presets, roles and quality tiers, and the backends."""

    presets: list[PresetJson]
    backends: list[str] = Field(description="The names that may stand as backend.")


class SuggestionsResponse(BaseModel):
    """Style presets for a query."""

    suggestions: list[PresetSuggestion]


@router.get("/api/health", response_model=Health)
async def health(shared: SharedState) -> Response:
    """Say that the service is up. It needs no token and reads nothing."""
    return Json(
        {
            "status": "ok",
            "version": shared.version,
            "uptime_s": round(time.time() - BEGAN, 1),
            "token_required": shared.token_required,
        }
    )


@router.get("/api/live", response_model=Live)
async def live() -> Response:
    """Say that the process answers; where it does not, start it anew. It needs no token and reads nothing."""
    return Json({"live": True})


@router.get(
    "/api/ready",
    response_model=ReadyJson,
    responses={503: {"model": ReadyJson, "description": "Send no requests to this service now."}},
)
async def ready(shared: SharedState) -> Response:
    """Say whether to send requests: the encoder is loaded, the tables answer, no stop has begun. It needs no token."""
    told = await shared.readiness.look()
    return Json(told.model_dump(), status_code=200 if told.ready else 503)


@router.get("/api/proof", response_model=Proof)
async def proof(shared: SharedState, nonce: Annotated[str, Query(pattern=NONCE)]) -> Response:
    """Prove that this is the service of its home, to a caller who can read the secret there. It needs no token."""
    return Json({"proof": shared.prove(nonce)})


@router.get("/api/presets", response_model=PresetsResponse)
def presets(shared: SharedState) -> Response:
    """List the style presets, roles and quality tiers with a description to choose by, and the backends."""
    service = shared.service
    return Json({"presets": preset_rows(service.library), "backends": service.backends.names()})


@router.get("/api/presets/suggest", response_model=SuggestionsResponse)
def suggest(
    shared: SharedState,
    q: Annotated[str, Query(min_length=1, max_length=2_000, description="What the music is for.")],
    limit: Annotated[int, Query(ge=1, le=100)] = 5,
) -> Response:
    """Suggest style presets for a query, best first, from what served similar requests well."""
    suggestions = shared.service.suggest_presets(q, limit)
    return Json({"suggestions": [suggestion.model_dump(mode="json") for suggestion in suggestions]})


@router.get("/api/schema/brief")
def brief_schema(shared: SharedState) -> dict[str, Any]:
    """Return the JSON schema of a request's brief, over the styles on offer: for a language model to fill in."""
    return shared.service.brief_schema()


@router.get("/api/statistics", response_model=Statistics)
def statistics(
    shared: SharedState,
    by: Annotated[By | None, Query(description="How long the periods of `over_time` are.")] = None,
) -> Response:
    """Count requests and hits, the time that hits saved, also over time, and what is on the disk."""
    return Json(shared.service.statistics(by).model_dump(mode="json"))


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(shared: SharedState) -> Response:
    """Return the counters in the text format of Prometheus."""
    return Response(shared.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
