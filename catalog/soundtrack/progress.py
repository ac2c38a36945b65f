"""The progress of work that has several stages, as one."""

from __future__ import annotations

from collections.abc import Sequence

from ..generator import Progress

__all__ = ["stages"]


WHOLE = 1000
"""Steps in all, whatever the stages count."""


def stages(on_progress: Progress | None, shares: Sequence[float]) -> list[Progress]:
    """Return one function a stage, each of which takes (done, total) of its own stage and reports how far the whole is.

    `shares` are the parts of the whole that the stages take, in any unit. The last step of all is left to the caller,
    who reports it once what is made is in its place.
    """
    before, reports = 0.0, []
    for share in shares:
        reports.append(_stage(on_progress, before / sum(shares), share / sum(shares)))
        before += share
    return reports


def _stage(on_progress: Progress | None, first: float, share: float) -> Progress:
    def report(done: int, total: int) -> None:
        if on_progress is not None:
            part = first + share * min(1.0, done / total if total else 0.0)
            on_progress(min(WHOLE - 1, round(WHOLE * part)), WHOLE)

    return report
