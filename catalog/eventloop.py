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
_running: asyncio.AbstractEventLoop | None = None


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
        if _running is None:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="catalog-queries", daemon=True).start()
            _running = loop
        return _running


def _forget() -> None:
    """Begin anew in the child of a fork, which has neither the thread nor whoever held the lock."""
    global _alone, _running
    _alone, _running = threading.Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
