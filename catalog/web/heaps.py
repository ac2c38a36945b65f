"""The heaps of the C library in a service: few of them, and what is free in them goes back to the system.

glibc makes up to eight heaps a processor core, one for each thread, and keeps what was once used in each. Threads of
Lance, of the encoder and of the requests come and go, so the memory of a service grew for as long as it was used.
"""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["limit_arenas", "share_with_arrow", "trimming"]


MOST_ARENAS = 4
M_ARENA_MAX = -8
"""The number of that limit in glibc's malloc.h."""
TRIM_EVERY_S = 10.0


def limit_arenas() -> bool:
    """Limit the heaps of the C library, and tell whether it can; only glibc has this limit.

    It counts when it is set before the process has many threads. `MALLOC_ARENA_MAX` in the environment comes first.
    """
    if "MALLOC_ARENA_MAX" in os.environ or not _is_glibc():
        return False
    return bool(ctypes.CDLL(None).mallopt(M_ARENA_MAX, MOST_ARENAS))


def share_with_arrow() -> None:
    """Have Arrow take its memory from the C library: its own allocator keeps a heap for each thread.

    It counts before Arrow is imported. `ARROW_DEFAULT_MEMORY_POOL` in the environment comes first.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")


@contextmanager
def trimming(every_s: float = TRIM_EVERY_S) -> Iterator[None]:
    """Give the free pages of every heap back to the system while the body runs; only glibc has to be told.

    By itself glibc gives back the end of a heap, and one block that is still in use there keeps all the free ones.
    """
    stop = threading.Event()

    def trim() -> None:
        malloc_trim = ctypes.CDLL(None).malloc_trim
        while not stop.wait(every_s):
            malloc_trim(0)

    thread = threading.Thread(target=trim, name="catalog-trim", daemon=True)
    if _is_glibc():
        thread.start()
    try:
        yield
    finally:
        stop.set()


def _is_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"
