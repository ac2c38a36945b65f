"""Make the tracks of a plan ahead of requests; what was made stays, so that a second run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from typing_extensions import Unpack

from ..errors import CatalogError
from ..generator import Cancelled, Progress, load_generator
from ..models import Decision, PlannedTrack, Result, Stock, StockPlan, Track
from ..presets import Library
from ..request.corpus import SAMPLE, Corpus
from ..reuse import certificate, music_certificate
from ..reuse.music_certificate import Fit
from ..reuse.terms import Reach, Reuse, Terms, checked_terms
from ..store.requests import STOCKING
from ..store.store import Store
from ..text.encoder import Encoder
from ..validation import checked
from .batches import BATCH
from .call import StockArguments, StockOptions
from .making import Generators
from .open_catalog import OpenCatalog
from .outcome import Outcome
from .stages import Flow
from .stock_plan import ReadCalls, arguments_of, plan_stock

__all__ = ["StockedCatalog", "make_stock"]


DECISION = Decision(action="make", rule="stock", reason="made ahead for a corpus", threshold=0.0)
PROGRESS_STEPS = 1_000
"""Into how many steps the progress of one track is divided."""


class StockedCatalog(OpenCatalog):
    """The part of `MusicService` that makes tracks ahead of requests."""

    def __init__(
        self,
        store: Store,
        library: Library,
        encoder: Encoder,
        generators: Generators = load_generator,
        min_similarity: float | None = None,
    ) -> None:
        super().__init__(store, library, encoder)
        self._stages = Flow(store, library, encoder, generators)
        self._min_similarity = min_similarity

    @property
    def flow(self) -> Flow:
        """The stages of a call, for work on many texts at once. Raises InputError once the service is closed."""
        self._require_open()
        return self._stages

    @property
    def _flow(self) -> Flow:
        return self.flow

    def close(self) -> None:
        """Close the store and drop the loaded models; what is called after that is refused."""
        self._stages.close()
        self._closed = True

    def plan_stock(
        self,
        corpus: Corpus,
        tracks: int,
        *,
        table: str | None = None,
        column: str | None = None,
        sample: int = SAMPLE,
        sample_seed: int = 0,
        on_progress: Progress | None = None,
        read_calls: ReadCalls | None = None,
        **options: Unpack[StockOptions],
    ) -> StockPlan:
        """Return up to `tracks` tracks that together serve most of `corpus`, with what they cover and cost.

        `corpus` is a file of JSON Lines, a folder of text files, the folder of a LanceDB database with `table`, or the
        texts; `column` names where its texts stand. Of a larger corpus `sample` texts are read, drawn by
        `sample_seed`. `options` are role, quality, backend, duration_s, loopable and generation, as for
        `find_or_make`. The tracks of the catalog cover first. `read_calls` reads the texts in place of this process
        (see `music_catalog.bulk`). Makes nothing. Raises InputError, ConfigError, or
        Unavailable for an encoder without a brief model.
        """
        return plan_stock(
            self._flow,
            corpus,
            tracks,
            options,
            self._terms("auto", None, None, None, None, None),
            table=table,
            column=column,
            sample=sample,
            sample_seed=sample_seed,
            on_progress=on_progress,
            read_calls=read_calls,
        )

    def make_stock(self, plan: StockPlan, *, on_progress: Progress | None = None) -> Stock:
        """Make those tracks of a plan that are not there, and return them. What was made before an error stays."""
        return make_stock(self._flow, plan, on_progress)

    def stock(
        self,
        corpus: Corpus,
        tracks: int,
        *,
        dry_run: bool = False,
        on_progress: Progress | None = None,
        **arguments: Unpack[StockArguments],
    ) -> Stock:
        """Plan as `plan_stock` does, and make what is missing unless `dry_run`.

        The same call again makes nothing twice: it goes on where an earlier one stopped. Raises as `plan_stock` and
        `find_or_make` do.
        """
        plan = self.plan_stock(corpus, tracks, **arguments)
        return Stock(plan=plan) if dry_run else self.make_stock(plan, on_progress=on_progress)

    @checked
    def _terms(
        self,
        reuse: Reuse,
        min_similarity: float | None,
        max_false_reuse: float | None,
        reach: Reach | None,
        fit: Fit | None,
        variety: int | None,
    ) -> Terms:
        standing = certificate.standing(self.store.home, self.encoder.identity)
        terms = checked_terms(
            standing,
            reuse,
            min_similarity,
            max_false_reuse,
            music=music_certificate.standing(self.store.home, self.encoder.identity),
            reach=reach,
            fit=fit,
            variety=variety,
        )
        if min_similarity is None and max_false_reuse is None:
            return replace(terms, min_similarity=self._min_similarity)
        return terms


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
