"""The main task over HTTP: find music for a context, or have it made."""

from __future__ import annotations

from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response, StreamingResponse

from ... import report
from ...errors import NotFound
from ...models import Result, YesOrNo
from ...service.jobs import Job
from ..json_response import Json
from ..live.response import SOUND_TYPES, Format, live_response
from ..problems import PROBLEMS
from ..schemas import (
    FindBody,
    FindOrMakeBody,
    JobResponse,
    ResultResponse,
    SearchBody,
    SearchResponse,
    job_payload,
    result_payload,
)
from ..state import Root, Shared, SharedState, TrackId, Trusted

__all__ = ["QUEUED", "job_response", "router"]


router = APIRouter(prefix="/api", tags=["music"], responses=PROBLEMS)


class AgainBody(BaseModel):
    """How to make a track once more."""

    model_config = ConfigDict(extra="forbid")

    variation: YesOrNo = Field(False, description="From another seed.")


QUEUED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": JobResponse,
        "description": "It is being made.",
        "headers": {"Location": {"description": "Where the job is.", "schema": {"type": "string"}}},
    }
}


# Requests that leave a line in the log have turns of their own: while they wait for the disk, others are worked on.
@router.post("/find-or-make", response_model=ResultResponse, responses=QUEUED)
async def find_or_make(body: FindOrMakeBody, shared: SharedState, trusted: Trusted, root: Root) -> Response:
    """Answer with a track that fits the context; where there is none, have it made and answer with the job."""
    return await to_thread.run_sync(_find_or_make, body, shared, trusted, root, limiter=shared.logged_turns)


def _find_or_make(body: FindOrMakeBody, shared: Shared, trusted: bool, root: str) -> Response:
    found = _found(body, shared)
    if isinstance(found, Job):
        return job_response(shared, found, trusted, root)
    return _result(shared, found, trusted)


def _found(body: FindOrMakeBody, shared: Shared) -> Result | Job:
    """Return the result of a request, or the job that makes its track."""
    service, source, request = shared.service, body.source, body.request()
    if body.dry_run or body.reuse == "always":
        return service.find_or_make(
            source, reuse=body.reuse, dry_run=body.dry_run, explain=body.explain, **request
        )
    if (
        body.reuse == "auto"
        and (result := service.reuse(source, explain=body.explain, **request)) is not None
    ):
        return result
    stated = body.model_dump(mode="json", exclude_unset=True)
    return shared.jobs.find_or_make(source, request=stated, reuse=body.reuse, explain=body.explain, **request)


@router.post(
    "/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {kind: {} for kind in SOUND_TYPES}, "description": "The sound, chunked."}},
)
async def stream(
    body: FindOrMakeBody,
    request: Request,
    shared: SharedState,
    root: Root,
    format: Format = "wav",
) -> Response:
    """Find music for a context or have it made, and answer with its sound, as it is made where the generator streams.

    A caller that goes before the end cancels the making, unless others have joined the job. What is reused, and what
    came whole, is answered with the address of its track.
    """
    found = await to_thread.run_sync(_found, body, shared, limiter=shared.logged_turns)
    if isinstance(found, Job):
        return await live_response(shared, found, request, root, format, ours=True)
    if found.track is None:
        raise NotFound(found.reason)
    kind = "ogg" if format == "opus" else "wav"
    return RedirectResponse(f"{root}/api/tracks/{found.track.id}/audio?format={kind}", status_code=303)


@router.post("/find", response_model=ResultResponse)
async def find(body: FindBody, shared: SharedState, trusted: Trusted) -> Response:
    """Answer with the track that find-or-make would reuse; action "none" where nothing fits. Never makes."""
    return await to_thread.run_sync(_find, body, shared, trusted, limiter=shared.logged_turns)


def _find(body: FindBody, shared: Shared, trusted: bool) -> Response:
    result = shared.service.explain(body.source, reuse=body.reuse, log=body.log, **body.request())
    return _result(shared, result, trusted, counted=body.log)


@router.post("/search", response_model=SearchResponse)
def search(body: SearchBody, shared: SharedState, trusted: Trusted) -> Response:
    """Search the catalog; an empty list where nothing meets the query."""
    hits = shared.service.search(body.query, by=body.by, limit=body.limit, **body.facts)
    payload = report.hits_json(hits)
    if not trusted:
        payload["hits"] = [{**hit, "path": None} for hit in payload["hits"]]
    return Json(payload)


@router.post("/tracks/{track_id}/again", status_code=202, response_model=JobResponse)
def again(track_id: TrackId, body: AgainBody, shared: SharedState, trusted: Trusted, root: Root) -> Response:
    """Have a track made once more: from its seed, which gives the same samples, or as a variation from another."""
    track = shared.track(track_id)
    request = {"context": track.context, "again": track.id, "variation": body.variation}
    job = shared.jobs.again(track.id, variation=body.variation, request=request)
    return job_response(shared, job, trusted, root)


def job_response(shared: Shared, job: Job, trusted: bool, root: str) -> Response:
    """Return the response to a request that waits in the queue: 202 and the address of its job."""
    payload = job_payload(job, position=shared.jobs.position(job.id), trusted=trusted)
    return Json({"job": payload}, status_code=202, headers={"Location": f"{root}/api/jobs/{job.id}"})


def _result(shared: Shared, result: Result, trusted: bool, *, counted: bool = True) -> Response:
    if counted:
        shared.metrics.decided(result)
    return Json({"result": result_payload(result, trusted=trusted)})
