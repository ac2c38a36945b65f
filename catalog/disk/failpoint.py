"""Named points where a test can kill the process, to prove that a crash there loses nothing."""

from __future__ import annotations

import os
import signal
from collections import Counter

__all__ = ["VARIABLE", "failpoint"]


VARIABLE = "CATALOG_FAILPOINT"
_hits: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """Kill this process with SIGKILL when the environment asks for it at this point.

    `CATALOG_FAILPOINT=name` kills at the first hit of `name`, `name:n` at the n-th. Anything else costs one look
    at the environment.
    """
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    point, _, nth = wanted.partition(":")
    if point != name:
        return
    _hits[name] += 1
    if _hits[name] >= int(nth or 1):
        os.kill(os.getpid(), signal.SIGKILL)
