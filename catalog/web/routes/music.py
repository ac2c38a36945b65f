"""The main job over HTTP: find music for a context, or have it made."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from generator import Progress

from ... import report
from ...models import Result
from ...service.jobs import Job
from ..json_response import Json
from ..problems import PROBLEMS
from ..schemas import Asked, Hits, JobAnswer, LookedFor, ResultAnswer, Searched, told_job, told_result
from ..state import Shared, SharedState, TrackId, Trusted

__all__ = ["job_answer", "router"]


router = APIRouter(prefix="/api", tags=["music"], responses=PROBLEMS)


class Again(BaseModel):
    """How a track is made once more."""

    model_config = ConfigDict(extra="forbid")

    variation: bool = Field(False, description="From another seed.")


QUEUED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": JobAnswer,
        "description": "It is being made.",
        "headers": {"Location": {"description": "Where the job is.", "schema": {"type": "string"}}},
    }
}


@router.post("/find-or-make", response_model=ResultAnswer, responses=QUEUED)
def find_or_make(asked: Asked, shared: SharedState, trusted: Trusted) -> Response:
    """Answer with a track that fits the context; where there is none, have it made and answer with the job."""
    service, source, request = shared.service, asked.source, asked.request()
    if asked.dry_run or asked.reuse == "always":
        result: Result | None = service.find_or_make(
            source, reuse=asked.reuse, dry_run=asked.dry_run, explain=asked.explain, **request
        )
    else:
        result = service.reuse(source, explain=asked.explain, **request) if asked.reuse == "auto" else None
    if result is not None:
        return _result(shared, result, trusted)
    told = asked.model_dump(mode="json", exclude_unset=True)
    job = shared.jobs.find_or_make(source, request=told, reuse=asked.reuse, explain=asked.explain, **request)
    return job_answer(shared, job, trusted)


@router.post("/find", response_model=ResultAnswer)
def find(asked: LookedFor, shared: SharedState, trusted: Trusted) -> Response:
    """Answer with the track that find-or-make would reuse; action "none" where nothing fits. Never makes."""
    result = shared.service.explain(asked.source, reuse=asked.reuse, log=asked.log, **asked.request())
    return _result(shared, result, trusted, counted=asked.log)


@router.post("/search", response_model=Hits)
def search(searched: Searched, shared: SharedState, trusted: Trusted) -> Response:
    """Search the catalog; an empty list where nothing meets the query."""
    hits = shared.service.search(searched.query, by=searched.by, limit=searched.limit, **searched.facts)
    told = report.hits_json(hits)
    return Json(told if trusted else {**told, "hits": [{**hit, "path": None} for hit in told["hits"]]})


@router.post("/tracks/{track_id}/again", status_code=202, response_model=JobAnswer)
def again(track_id: TrackId, remade: Again, shared: SharedState, trusted: Trusted) -> Response:
    """Have a track made once more: from its seed, which gives the same samples, or as a variation from another."""
    track = shared.track(track_id)

    def work(on_progress: Progress) -> Result:
        return shared.service.again(track.id, variation=remade.variation, on_progress=on_progress)

    told = {"context": track.context, "again": track.id, "variation": remade.variation}
    return job_answer(shared, shared.jobs.submit(work, request=told), trusted)


def job_answer(shared: Shared, job: Job, trusted: bool) -> Response:
    """Return the answer to a request that waits in the queue: 202 and where to look."""
    told = told_job(job, position=shared.jobs.position(job.id), trusted=trusted)
    return Json({"job": told}, status_code=202, headers={"Location": f"/api/jobs/{job.id}"})


def _result(shared: Shared, result: Result, trusted: bool, *, counted: bool = True) -> Response:
    if counted:
        shared.metrics.decided(result)
    return Json({"result": told_result(result, trusted=trusted)})
