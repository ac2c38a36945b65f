"""Make the tracks of a plan ahead of requests; what was made stays, so that a second run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from ..errors import CatalogError
from ..generator import Cancelled, Progress
from ..models import Decision, PlannedTrack, Result, Stock, StockPlan, Track
from ..store.requests import STOCKING
from .batches import BATCH
from .stages import Flow, Outcome
from .stock_plan import arguments_of

__all__ = ["make_stock"]


DECISION = Decision(action="make", rule="stock", reason="made ahead for a corpus", threshold=0.0)
PROGRESS_STEPS = 1_000
"""Into how many steps the progress of one track is divided."""


def make_stock(flow: Flow, plan: StockPlan, on_progress: Progress | None = None) -> Stock:
    """Make the tracks of a plan that are not there, the most useful first, and return them.

    Each is stored before the next is begun; MusicGen makes up to `BATCH` together. Where making fails the tracks made
    by then stay, and the same plan, or a new one for the same corpus, goes on from there. Raises what `find_or_make`
    raises.
    """
    waiting, made = plan.missing, list[Track]()
    while waiting:
        size = BATCH if waiting[0].backend == "mlx" else 1
        group, waiting = waiting[:size], waiting[size:]
        report = _part_of(
            on_progress, len(plan.missing) - len(waiting) - len(group), len(group), len(plan.missing)
        )
        try:
            made += _make(flow, group, report)
        except CatalogError as error:
            if not made:
                raise
            raise type(error)(
                f"{error} ({len(made)} of {len(plan.missing)} tracks are made; run the same again to go on)"
            ) from error
    return Stock(plan=plan, tracks=tuple(made))


def _make(flow: Flow, group: Sequence[PlannedTrack], on_progress: Progress | None) -> list[Track]:
    """Make a group of planned tracks together, those aside that another process made meanwhile."""
    calls = [flow.begin(STOCKING, one.context, arguments_of(one.choices)) for one in group]
    with ExitStack() as claims:
        # In one order everywhere, so that two batches never wait for each other.
        for call in sorted(calls, key=lambda call: call.key):
            claims.enter_context(flow.store.claim(call.key))
        missing = [call for call in calls if next(flow.store.tracks.made_for(call.key), None) is None]
        results: list[Result] = []
        try:
            looked = [(call, Outcome(flow.understand(call)[0], DECISION)) for call in missing]
            for call, outcome in zip(missing, flow.make(looked, on_progress), strict=True):
                results.append(flow.finish(call, outcome))
        except (CatalogError, Cancelled) as error:
            for call in missing[len(results) :]:
                flow.log_failure(call, error)
            raise
    return [result.track for result in results if result.track]


def _part_of(on_progress: Progress | None, before: int, count: int, total: int) -> Progress | None:
    """Return what turns the progress of `count` tracks into that of `total`, of which `before` are done."""
    if on_progress is None:
        return None

    def report(done: int, steps: int) -> None:
        part = PROGRESS_STEPS * count * done // max(1, steps)
        on_progress(PROGRESS_STEPS * before + part, PROGRESS_STEPS * total)

    return report
