"""How many connections and how much work the service takes on, by the files that its process may open."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from dataclasses import dataclass

__all__ = ["Limits", "limits_for", "raise_descriptor_limit"]


WANTED_DESCRIPTORS = 4096
"""More are of no use; some systems refuse much higher limits."""
AT_REST = 64
"""Descriptors that stay free for what is open at rest (libraries, models, locks) and for the job that runs."""
PER_WORKER = 32
"""Descriptors that the answer to one request may need: a query opens every fragment of a table, and index files."""
MOST_CONNECTIONS = 512
LEAST_CONNECTIONS = 8
LEAST_WORKERS = 2


@dataclass(frozen=True)
class Limits:
    """What the service takes on at the same time."""

    connections: int
    """Connections that are served."""
    spare: int
    """Further connections that are told that the service is full; only its health is served on them."""
    workers: int
    """Requests that are worked on; others wait their turn, the first first."""

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
    useful = max(8, 2 * (os.cpu_count() or 1))
    workers = max(LEAST_WORKERS, min(useful, (free - total) // PER_WORKER))
    return Limits(connections=total - spare, spare=spare, workers=workers)
