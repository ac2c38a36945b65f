"""A stock planned and made by workers: the texts are read and the tracks made side by side, the rows go in at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from ..errors import CatalogError
from ..generator import Progress
from ..models import PlannedTrack, Stock, StockPlan, Track
from ..request.corpus import Corpus
from ..service.batches import BATCH
from ..service.call import record_of
from ..service.outcome import Outcome
from ..service.service import MusicService
from ..service.stages import Flow
from ..service.stock import DECISION
from ..service.stock_plan import arguments_of
from ..store.requests import STOCKING
from .kept import KeptTracks, MadeTrack
from .reading import read_calls
from .workers import Workers, in_parts, opener_of

__all__ = ["list_kept", "make_part", "make_stock", "plan_stock"]

MOST_ROWS = 10_000
"""Rows of one commit: 150 MB of memory."""


def plan_stock(
    service: MusicService, workers: Workers, corpus: Corpus, tracks: int, **arguments: Any
) -> StockPlan:
    """Return the plan that `MusicService.plan_stock` makes, its texts read by `workers`."""
    return service.plan_stock(corpus, tracks, read_calls=partial(read_calls, workers), **arguments)


def make_stock(
    service: MusicService, workers: Workers, plan: StockPlan, *, on_progress: Progress | None = None
) -> Stock:
    """Have the tracks of a plan that are not there made, and write their rows in one commit; return the tracks.

    What was made is kept until it has its row: where this process or a worker dies, the same call again makes only
    what is missing. Where making fails, what was made is written before the error is raised.
    """
    flow = service.flow
    kept = KeptTracks(flow.store.home)
    waiting = [one for one in plan.missing if kept.get(one.key) is None]
    done, total = len(plan.missing) - len(waiting), len(plan.missing)
    try:
        for _, made in workers.run(make_part, opener_of(flow), _groups(waiting, workers.count), makes=True):
            kept.put(made)
            done += len(made)
            if on_progress is not None:
                on_progress(done, total)
    except CatalogError as error:
        written = list_kept(flow)
        raise type(error)(
            f"{error} ({len(written)} of {total} tracks are made; run the same again to go on)"
        ) from error
    except Exception:
        list_kept(flow)
        raise
    return Stock(plan=plan, tracks=tuple(list_kept(flow)))


def make_part(flow: Flow, planned: Sequence[PlannedTrack]) -> list[MadeTrack]:
    """Make planned tracks together, those aside that are there; their audio is stored, their rows are not."""
    calls = [flow.begin(STOCKING, one.context, arguments_of(one.choices)) for one in planned]
    with ExitStack() as claims:
        # In one order everywhere, so that two workers never wait for each other.
        for call in sorted(calls, key=lambda call: call.key):
            claims.enter_context(flow.store.claim(call.key))
        missing = [call for call in calls if next(flow.store.tracks.made_for(call.key), None) is None]
        looked = [(call, Outcome(flow.understand(call)[0], DECISION)) for call in missing]
        return [
            MadeTrack(new, record_of(call, flow.result(call, outcome)))
            for call, (new, outcome) in zip(missing, flow.make_unlisted(looked, None), strict=True)
        ]


def list_kept(flow: Flow) -> list[Track]:
    """Write the rows of all tracks that are kept, and their lines in the log; return the tracks.

    Both writes pass over what is there, so that doing it again adds nothing. A track whose request got another one
    meanwhile gets no row.
    """
    kept, written = KeptTracks(flow.store.home), list[Track]()
    for keys in in_parts(sorted(kept.keys()), MOST_ROWS):
        made = [one for one in map(kept.get, keys) if one is not None]
        listed = flow.store.tracks.insert_all([one.new for one in made], unmade=True) if made else []
        ids = {track.id for track in listed}
        wanted = [one for one in made if one.new.track.id in ids]
        if wanted:
            vectors = {one.line.id: one.new.vector for one in wanted}
            flow.store.requests.absorb([one.line for one in wanted], vectors)
        kept.drop(keys)
        written += [one.new.track for one in wanted]
    return written


def _groups(waiting: Sequence[PlannedTrack], workers: int) -> Iterable[Sequence[PlannedTrack]]:
    """Return tracks in groups that are made together: the misses of one generator, none left idle by the others."""
    size = max(1, min(BATCH, -(-len(waiting) // workers)))
    for backend in dict.fromkeys(one.backend for one in waiting):
        alike = [one for one in waiting if one.backend == backend]
        yield from in_parts(alike, size if backend == "mlx" else 1)
