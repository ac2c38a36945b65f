"""The queue over HTTP: list the jobs, show one, cancel it, or follow its events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response, StreamingResponse

from ...service.jobs import Job
from ...service.jobs.following import job_changes
from ..json_response import Json
from ..live.response import SOUND_TYPES, Format, live_response
from ..problems import PROBLEMS
from ..schemas import JobJson, JobsResponse, job_payload
from ..state import Root, Shared, SharedState, Trusted

__all__ = ["JobId", "router"]


router = APIRouter(prefix="/api/jobs", tags=["jobs"], responses=PROBLEMS)
JobId = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,64}$")]

PING_S = 15.0
"""After how many seconds without a change a comment is sent, so that no proxy closes the stream."""


@router.get("", response_model=JobsResponse)
def jobs(shared: SharedState, trusted: Trusted) -> Response:
    """List the jobs that are remembered, newest first; long contexts are cut."""
    payloads = [
        job_payload(job, position=shared.jobs.position(job.id), trusted=trusted, short=True)
        for job in shared.jobs.list()
    ]
    return Json({"jobs": payloads, "waiting": shared.jobs.waiting, "limit": shared.jobs.limit})


@router.get("/{job_id}", response_model=JobJson)
def job(job_id: JobId, shared: SharedState, trusted: Trusted) -> Response:
    """Show a job as it stands."""
    return Json(_payload(shared, shared.jobs.get(job_id), trusted))


@router.delete("/{job_id}", response_model=JobJson)
def cancel(job_id: JobId, shared: SharedState, trusted: Trusted) -> Response:
    """Cancel a job: a waiting one at once, a running one at its next step. One that is over stays as it is."""
    return Json(_payload(shared, shared.jobs.cancel(job_id), trusted))


@router.get(
    "/{job_id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Server-sent events."}},
)
async def events(job_id: JobId, shared: SharedState, trusted: Trusted) -> Response:
    """Follow a job: events `progress`, then `done`, `failed` or `cancelled`, each with the job as its data."""
    await asyncio.to_thread(shared.jobs.get, job_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _events(shared, job_id, trusted), media_type="text/event-stream", headers=headers
    )


@router.get(
    "/{job_id}/audio",
    response_class=StreamingResponse,
    responses={
        200: {"content": {kind: {} for kind in SOUND_TYPES}, "description": "It ends with the making."}
    },
)
async def live_audio(
    job_id: JobId, request: Request, shared: SharedState, root: Root, format: Format = "wav"
) -> Response:
    """Send the sound of a job while it makes a track, from its start; of one that is done, lead to the track."""
    job = await asyncio.to_thread(shared.jobs.get, job_id)
    return await live_response(shared, job, request, root, format)


async def _events(shared: Shared, job_id: str, trusted: bool) -> AsyncIterator[str]:
    """Yield an event with the job at every change, and a comment where none came for a while."""
    number = 0
    async with aclosing(job_changes(shared.jobs, job_id, silence_s=PING_S)) as changes:
        async for job in changes:
            if job is None:
                yield ": still here\n\n"
                continue
            number += 1
            name = job.state if job.finished else "progress"
            data = json.dumps(await asyncio.to_thread(_payload, shared, job, trusted), ensure_ascii=False)
            yield f"id: {number}\nevent: {name}\ndata: {data}\n\n"


def _payload(shared: Shared, job: Job, trusted: bool) -> dict[str, object]:
    return job_payload(job, position=shared.jobs.position(job.id), trusted=trusted)
