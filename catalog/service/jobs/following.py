"""Follow a job of the queue from an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from ...models.job import Job
from .jobs import Jobs

__all__ = ["job_changes"]


ELSEWHERE_S = 2.0
"""How often a job of another process is looked at, which tells this one of no change."""


async def job_changes(
    jobs: Jobs, job_id: str, *, silence_s: float | None = None
) -> AsyncGenerator[Job | None, None]:
    """Yield the job as it stands and after each change, until it is over; None after `silence_s` without a change.

    Changes that come faster than the caller takes them are yielded as one. Raises NotFound.
    """
    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def wake(_: Job) -> None:
        # The loop may have closed in the meantime; then nobody follows the job any more.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(changed.set)

    unsubscribe = jobs.subscribe(wake, job_id)
    try:
        before = None
        while True:
            # Cleared before the job is read: a change after the reading sets it again.
            changed.clear()
            mine = jobs.has(job_id)
            job = jobs.get(job_id) if mine else await asyncio.to_thread(jobs.get, job_id)
            if job != before:
                before = job
                yield job
            if job.finished:
                return
            try:
                await asyncio.wait_for(changed.wait(), silence_s if mine else ELSEWHERE_S)
            except asyncio.TimeoutError:
                yield None
    finally:
        unsubscribe()
