"""Several calls at once: reuse what there is, and make the misses together, as many as a generator takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any

from ..errors import CatalogError, InputError
from ..generator import Cancelled, Progress
from ..models import Context, ServedResult
from ..request.context import ContextSource, read_context
from ..reuse.terms import Terms
from ..validation import check_type
from .call import Call
from .checking.made import TOGETHER
from .choice.under_way import alike
from .stages import Flow

__all__ = ["BATCH", "begun", "serve"]


BATCH = TOGETHER
"""How many tracks this process makes together at the most."""


def begun(flow: Flow, sources: Iterable[ContextSource], arguments: Mapping[str, Any]) -> list[Call]:
    """Return a call of find-or-make for each source. Raises InputError, with the place of a source that is refused."""
    if isinstance(sources, str | bytes | Mapping | Context):
        kind = type(sources).__name__
        raise InputError(f"the contexts are one {kind}; pass a list of them, or call find_or_make for one")
    check_type("text_contexts", Iterable, sources)
    calls = []
    for place, source in enumerate(sources, 1):
        try:
            calls.append(flow.begin("find-or-make", source, arguments))
        except InputError:
            try:
                read_context(source)
            except InputError as error:
                raise InputError(f"context {place}: {error}") from None
            raise  # what is wrong is an argument of all of them
    return calls


def serve(flow: Flow, calls: list[Call], terms: Terms, on_progress: Progress | None) -> list[ServedResult]:
    """Return a result for each call; contexts near one another share a track as one after the other would.

    Where one fails, is cancelled or interrupted, every call without a result by then is logged with that error.
    """
    results: dict[str, ServedResult] = {}
    waiting = calls
    with flow.unended.noted():
        try:
            while waiting:
                waiting = _round(flow, waiting, terms, results, on_progress)
        except (CatalogError, Cancelled, KeyboardInterrupt) as error:
            for call in calls:
                if call.id not in results:
                    flow.log_failure(call, error)
            raise
    return [results[call.id] for call in calls]


def _round(
    flow: Flow,
    waiting: list[Call],
    terms: Terms,
    results: dict[str, ServedResult],
    on_progress: Progress | None,
) -> list[Call]:
    """Reuse what can be reused, make one batch of the rest, and return the calls that still wait.

    A miss that is near another one of the batch waits, since that one's track may fit it.
    """
    missing: list[Call] = []
    later: list[Call] = []
    for call in waiting:
        outcome = flow.look(call, terms)
        if outcome.track:
            results[call.id] = flow.served(call, outcome)
        elif len(missing) == flow.together or any(alike(call, other, terms) for other in missing):
            later.append(call)
        else:
            missing.append(call)
    with ExitStack() as claims:
        # In one order everywhere, so that two batches never wait for each other.
        for call in sorted(missing, key=lambda call: call.key):
            claims.enter_context(flow.store.claim(call.key))
        looked = [(call, flow.look(call, terms)) for call in missing]
        made = flow.make([(call, outcome) for call, outcome in looked if not outcome.track], on_progress)
        for call, outcome in looked:
            results[call.id] = flow.served(call, outcome if outcome.track else next(made))
    return later
