"""Calls of the service from an event loop. They run in threads, so that the loop goes on, and stop with their task."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from ..generator import Cancelled

__all__ = ["make_in_thread", "read_in_thread"]


Value = TypeVar("Value")

# Two pools beside the loop's own: a call that makes waits for its turn in its thread, possibly for minutes, and no
# search may wait behind it.
_READING = ThreadPoolExecutor(8, thread_name_prefix="catalog-read")
_MAKING = ThreadPoolExecutor(64, thread_name_prefix="catalog-make")


async def read_in_thread(call: Callable[..., Value], *args: Any, **options: Any) -> Value:
    """Call in a thread something that only reads, and return its result."""
    return await _run(_READING, functools.partial(call, *args, **options))


async def make_in_thread(call: Callable[..., Value], *args: Any, **options: Any) -> Value:
    """Call in a thread something that may make, and return its result.

    `call` takes `on_progress`; when the task is cancelled the making stops at its next step.
    """
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
