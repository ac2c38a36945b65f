"""The main job over HTTP: find music for a context, or have it made."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from catalog.jobs import Job
from catalog.models import Result
from catalog.web.bodies import Asked, JobAnswer, ResultAnswer, told_job, told_result
from catalog.web.problems import PROBLEMS
from catalog.web.state import Shared, SharedState, Trusted

__all__ = ["job_answer", "router"]

router = APIRouter(prefix="/api", tags=["music"], responses=PROBLEMS)
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
    service, request = shared.service, asked.request()
    if asked.dry_run or asked.reuse == "always":
        result: Result | None = service.find_or_make(
            asked.context, reuse=asked.reuse, dry_run=asked.dry_run, **request
        )
    else:
        result = service.reuse(asked.context, **request) if asked.reuse == "auto" else None
    if result is not None:
        return _result(shared, result, trusted)
    told = asked.model_dump(mode="json", exclude_unset=True)
    job = shared.jobs.find_or_make(asked.context, request=told, reuse=asked.reuse, **request)
    return job_answer(shared, job, trusted)


@router.post("/find", response_model=ResultAnswer)
def find(asked: Asked, shared: SharedState, trusted: Trusted) -> Response:
    """Answer with the track that find-or-make would reuse; action "none" where nothing fits. Never makes."""
    return _result(shared, shared.service.explain(asked.context, **asked.request()), trusted)


def job_answer(shared: Shared, job: Job, trusted: bool) -> Response:
    """Return the answer to a request that waits in the queue: 202 and where to look."""
    told = told_job(job, position=shared.jobs.position(job.id), trusted=trusted)
    return JSONResponse({"job": told}, status_code=202, headers={"Location": f"/api/jobs/{job.id}"})


def _result(shared: Shared, result: Result, trusted: bool) -> Response:
    shared.metrics.decided(result)
    return JSONResponse({"result": told_result(result, trusted=trusted)})
