"""The care of a home by a worker: compaction, indexes and old trash, away from the processes that serve."""

from __future__ import annotations

from ..service.stages import Flow
from ..upkeep.rounds import Round, care_once, only_carer
from .workers import Workers, opener_of

__all__ = ["care_by", "care_part"]


def care_part(flow: Flow, purge_after_days: float | None) -> Round:
    """Compact and index what grew, and empty old trash; return what was done. Raises Busy where another does it."""
    with only_carer(flow.store):
        return care_once(flow.store, purge_after_days=purge_after_days)


def care_by(workers: Workers, flow: Flow, *, purge_after_days: float | None = None) -> Round:
    """Have a worker make one round of care."""
    ((_, done),) = workers.run(care_part, opener_of(flow), [purge_after_days])
    assert isinstance(done, Round)
    return done
