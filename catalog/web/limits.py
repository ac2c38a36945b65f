"""How many connections and how much work the service takes on, by the files that its process may open; its heaps."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

__all__ = [
    "Limits",
    "limit_arenas",
    "limits_for",
    "raise_descriptor_limit",
    "share_interpreter",
    "share_with_arrow",
    "trimming",
]


WANTED_DESCRIPTORS = 4096
"""More are of no use; some systems refuse much higher limits."""
AT_REST = 64
"""Descriptors that stay free for what is open at rest (libraries, models, locks) and for the job that runs."""
PER_WORKER = 32
"""Descriptors that the answer to one request may need: a query opens every fragment of a table, and index files."""
MOST_ARENAS = 4
"""Heaps of the C library. It makes up to eight a processor core, one for each thread, and keeps what was once used in
each; threads of Lance, of the encoder and of the requests come and go, so memory grew with time."""
M_ARENA_MAX = -8
"""The number of that limit in glibc's malloc.h."""
TRIM_EVERY_S = 10.0
SWITCH_S = 0.0005
MOST_CONNECTIONS = 512
LEAST_CONNECTIONS = 8
LEAST_WORKERS = 2
LOGGED_PER_WORKER = 8
"""One commit takes the lines of all that wait, so that more of them cost hardly more."""


@dataclass(frozen=True)
class Limits:
    """What the service takes on at the same time."""

    connections: int
    """Connections that are served."""
    spare: int
    """Further connections that are told that the service is full; only its health is served on them."""
    workers: int
    """Requests that are worked on; others wait their turn, the first first."""
    logged: int = 0
    """Beside those, requests that leave a line in the log and mostly wait for the disk; 0: they are among `workers`."""

    @property
    def one_address(self) -> int:
        """Connections of one client address that is not loopback, so that no machine takes all."""
        return self.connections // 2


def raise_descriptor_limit() -> int:
    """Raise the limit of files that this process may open as far as it may, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    infinite = resource.RLIM_INFINITY
    wanted = WANTED_DESCRIPTORS if hard == infinite else min(hard, WANTED_DESCRIPTORS)
    if soft != infinite and soft < wanted:
        with suppress(OSError, ValueError):  # some systems refuse what they state as the hard limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return WANTED_DESCRIPTORS if soft == infinite else soft


def limits_for(descriptors: int) -> Limits:
    """Return the limits for a process that may open `descriptors` files: two fifths of them for connections."""
    free = max(0, descriptors - AT_REST)
    total = min(MOST_CONNECTIONS, max(LEAST_CONNECTIONS, free * 2 // 5))
    spare = max(2, total // 8)
    # More threads than this make no answer faster, since they share the processors and Python's lock.
    useful = max(4, 2 * (os.cpu_count() or 1))
    possible = (free - total) // PER_WORKER
    workers = max(LEAST_WORKERS, min(useful, possible))
    logged = max(0, min(LOGGED_PER_WORKER * useful, possible - workers))
    return Limits(connections=total - spare, spare=spare, workers=workers, logged=logged)


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


def share_interpreter() -> None:
    """Have threads hand Python's lock on sooner.

    A commit gives the lock up at each of its many file operations, and waits for it after each as long as a busy thread
    may keep it: 5 ms by default.
    """
    sys.setswitchinterval(SWITCH_S)


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
