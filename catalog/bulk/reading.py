"""Texts read by workers: the request that each one makes, and its vector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..generator import Progress
from ..models import Request
from ..service.call import Call
from ..service.stages import Flow
from .workers import Workers, in_parts, opener_of

__all__ = ["read_calls", "read_part"]

MOST_TEXTS = 64
"""Texts of one part: about a second of work, so that progress is told and a death costs little."""


def read_part(flow: Flow, calls: Sequence[Call]) -> list[tuple[Request, NDArray[np.float32]]]:
    """Return the request of each call and the vector of its text, float32 of shape (dimension,)."""
    return [flow.understand(call) for call in calls]


def read_calls(
    workers: Workers, flow: Flow, calls: Sequence[Call], on_progress: Progress | None = None
) -> None:
    """Have the texts of `calls` read; each call then knows its request and its vector. Raises as reading does."""
    waiting = [call for call in calls if call.understood is None]
    # Few texts are shared out evenly.
    size = max(1, min(MOST_TEXTS, -(-len(waiting) // (4 * workers.count))))
    parts, done = in_parts(waiting, size), 0
    for number, read in workers.run(read_part, opener_of(flow), parts):
        for call, understood in zip(parts[number], read, strict=True):
            call.understood = understood
        done += len(read)
        if on_progress is not None:
            on_progress(done, len(waiting))
