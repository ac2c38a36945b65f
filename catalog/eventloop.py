"""One event loop in a thread of its own, for asking LanceDB's asynchronous tables from ordinary code.

Through LanceDB's synchronous tables a query reads the schema three times, each in a turn of its own of such a loop:
together a fifth of the time of a search.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["run"]

_Answer = TypeVar("_Answer")
_alone = threading.Lock()
_running: tuple[int, asyncio.AbstractEventLoop] | None = None
"""The process that the loop runs in, and the loop; the child of a fork has no thread that would turn it."""


def run(asked: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Return what the coroutine returns, or raise what it raises; any thread without a loop of its own may call."""
    future = asyncio.run_coroutine_threadsafe(asked, _loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def _loop() -> asyncio.AbstractEventLoop:
    global _running
    with _alone:
        if _running is None or _running[0] != os.getpid():
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="catalog-queries", daemon=True).start()
            _running = os.getpid(), loop
        return _running[1]
