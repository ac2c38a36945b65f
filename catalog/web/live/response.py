"""The answer that sends the sound of a job while it makes a track: chunked, at the pace of who listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from ...errors import CatalogError, NotFound
from ...generator import Audio
from ...service.jobs import Job
from ...service.streaming.encoding import MEDIA_TYPES, GrowingFile, StreamFormat
from ...service.streaming.live import Listener, LiveSound
from ..state import Shared

__all__ = ["SOUND_TYPES", "Format", "live_response"]


SOUND_TYPES = tuple(MEDIA_TYPES.values())
Format = Annotated[
    StreamFormat,
    Query(description="wav states no length; opus is Ogg Opus, an eighth of its size, a page a second."),
]
LOOK_S = 0.05
"""How often it is looked for a new part, and whether anybody still listens."""
SILENT = "no sound of this was heard while it was made"


async def live_response(
    shared: Shared, job: Job, request: Request, root: str, form: StreamFormat, *, ours: bool = False
) -> Response:
    """Wait for the first part of a job and answer with the sound; lead to the track of a job that is done.

    With `ours` the job was asked for by this very request: it is cancelled where its caller goes and no other has
    joined it. Raises the error of a job that failed, NotFound where nothing is or was to be heard.
    """
    gone = request.is_disconnected
    parts: list[Audio] = []
    try:
        sound = await asyncio.to_thread(shared.jobs.sound, job.id)
        listener = (sound or LiveSound()).listen()
        while not parts and not (job := shared.jobs.get(job.id)).finished:
            if await gone():
                raise asyncio.CancelledError
            await asyncio.sleep(LOOK_S)
            parts = listener.take()
    except asyncio.CancelledError:
        await _left(shared, job, ours)
        raise
    headers = {"X-Catalog-Job": job.id, "X-Accel-Buffering": "no"}
    if parts:
        content = _content(shared, job, listener, parts, form, gone, ours)
        return StreamingResponse(content, media_type=MEDIA_TYPES[form], headers=headers)
    if isinstance(job.error, CatalogError):
        raise job.error
    if job.result is None or job.result.track is None:
        raise NotFound(SILENT)
    kind = "ogg" if form == "opus" else "wav"
    address = f"{root}/api/tracks/{job.result.track.id}/audio?format={kind}"
    return RedirectResponse(address, status_code=303, headers=headers)


async def _content(
    shared: Shared,
    job: Job,
    listener: Listener,
    parts: list[Audio],
    form: StreamFormat,
    gone: Callable[[], Awaitable[bool]],
    ours: bool,
) -> AsyncIterator[bytes]:
    file, heard = GrowingFile(form), False
    try:
        while parts or not listener.over:
            for part in parts:
                yield await asyncio.to_thread(file.add, part)
            if not parts:
                await asyncio.sleep(LOOK_S)
                if await gone():
                    return
            parts = listener.take()
        yield await asyncio.to_thread(file.end)
        heard = True
    finally:
        if not heard:
            await _left(shared, job, ours)


async def _left(shared: Shared, job: Job, ours: bool) -> None:
    """Cancel a job that was asked for only to be heard, once its one listener has gone."""
    # In a thread, for it waits for the log. Shielded, for this task may be cancelled as well.
    cancelling = asyncio.get_running_loop().run_in_executor(None, _cancel, shared, job, ours)
    await asyncio.shield(cancelling)


def _cancel(shared: Shared, job: Job, ours: bool) -> None:
    with suppress(CatalogError):
        if ours and shared.jobs.get(job.id).requests == 1:
            shared.jobs.cancel(job.id)
