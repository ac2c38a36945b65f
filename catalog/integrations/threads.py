"""Calls of the service from an event loop: in threads, so that the loop goes on, and stopped when their task is."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from generator import Cancelled

__all__ = ["making", "reading"]


Value = TypeVar("Value")

# Apart from each other and from the loop's own: a call that makes waits for its turn in its thread, possibly for
# minutes, and no search may wait behind it.
_READING = ThreadPoolExecutor(8, thread_name_prefix="catalog-read")
_MAKING = ThreadPoolExecutor(64, thread_name_prefix="catalog-make")


async def reading(call: Callable[..., Value], *args: Any, **options: Any) -> Value:
    """Return what a call that only reads returns."""
    return await _run(_READING, functools.partial(call, *args, **options))


async def making(call: Callable[..., Value], *args: Any, **options: Any) -> Value:
    """Return what a call that may make returns; it takes `on_progress`, and stops when its task is cancelled."""
    stopped = threading.Event()

    def on_progress(done: int, total: int) -> None:
        if stopped.is_set():
            raise Cancelled(f"the caller stopped waiting after {done} of {total} steps")

    try:
        return await _run(_MAKING, functools.partial(call, *args, on_progress=on_progress, **options))
    except asyncio.CancelledError:
        stopped.set()
        raise


async def _run(pool: ThreadPoolExecutor, call: Callable[[], Value]) -> Value:
    # Tracers of the frameworks keep their spans in context variables.
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(pool, context.run, call)
