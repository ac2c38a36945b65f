"""The queue over HTTP: list, look, cancel, and follow a job by its events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response, StreamingResponse

from ...service.jobs import Job
from ..json_response import Json
from ..problems import PROBLEMS
from ..schemas import JobJson, JobsResponse, job_payload
from ..state import Shared, SharedState, Trusted

__all__ = ["JobId", "router"]


router = APIRouter(prefix="/api/jobs", tags=["jobs"], responses=PROBLEMS)
JobId = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,64}$")]

PING_S = 15.0
"""How often a silent stream says that it is alive, so that no proxy closes it."""


@router.get("", response_model=JobsResponse)
def jobs(shared: SharedState, trusted: Trusted) -> Response:
    """List the jobs that are remembered, newest first; long contexts are cut."""
    told = [
        job_payload(job, position=shared.jobs.position(job.id), trusted=trusted, short=True)
        for job in shared.jobs.list()
    ]
    return Json({"jobs": told, "waiting": shared.jobs.waiting, "limit": shared.jobs.limit})


@router.get("/{job_id}", response_model=JobJson)
def job(job_id: JobId, shared: SharedState, trusted: Trusted) -> Response:
    """Show a job as it stands."""
    return Json(_told(shared, shared.jobs.get(job_id), trusted))


@router.delete("/{job_id}", response_model=JobJson)
def cancel(job_id: JobId, shared: SharedState, trusted: Trusted) -> Response:
    """Cancel a job: a waiting one at once, a running one at its next step. One that is over stays as it is."""
    return Json(_told(shared, shared.jobs.cancel(job_id), trusted))


@router.get(
    "/{job_id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Server-sent events."}},
)
async def events(job_id: JobId, shared: SharedState, trusted: Trusted) -> Response:
    """Follow a job: events `progress`, then `done`, `failed` or `cancelled`, each with the job as its data."""
    shared.jobs.get(job_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _events(shared, job_id, trusted), media_type="text/event-stream", headers=headers
    )


async def _events(shared: Shared, job_id: str, trusted: bool) -> AsyncIterator[str]:
    """Yield the job at every change; changes that come faster than they are sent are told as one."""
    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def heard(_: Job) -> None:
        # A loop that has closed has nobody left to tell.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(changed.set)

    unsubscribe = shared.jobs.subscribe(heard, job_id)
    try:
        number, before = 0, None
        while True:
            changed.clear()
            job = shared.jobs.get(job_id)
            if job is not before:
                number, before = number + 1, job
                name = job.state if job.finished else "progress"
                told = json.dumps(await asyncio.to_thread(_told, shared, job, trusted), ensure_ascii=False)
                yield f"id: {number}\nevent: {name}\ndata: {told}\n\n"
            if job.finished:
                return
            try:
                await asyncio.wait_for(changed.wait(), PING_S)
            except asyncio.TimeoutError:
                yield ": still here\n\n"
    finally:
        unsubscribe()


def _told(shared: Shared, job: Job, trusted: bool) -> dict[str, object]:
    return job_payload(job, position=shared.jobs.position(job.id), trusted=trusted)
