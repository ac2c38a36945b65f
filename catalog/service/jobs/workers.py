"""The threads that do the work of jobs, in the order in which the jobs came."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from ...errors import CatalogError
from ...generator.errors import Cancelled, drop_locals
from ...generator.thread.orders import MOST_ROWS
from ...models import Result
from ..call import HandedOver
from .ledger import Ledger, now
from .work import Entry

if TYPE_CHECKING:
    from ..stages import Flow

__all__ = ["Workers"]


REST_S = 0.5
"""How long a worker may take to end after its last job."""

_log = logging.getLogger(__package__)


class Workers:
    """Threads that take the first waiting job: one runs at a time, or as many as the generators make at once."""

    def __init__(self, ledger: Ledger, flow: Flow) -> None:
        self.waiting: deque[Entry] = deque()
        self.closed = False
        self.busy = 0
        """How many threads have a job."""
        self._ledger, self._flow = ledger, flow
        self._changed = ledger.changed
        self._threads: list[threading.Thread] = []
        self._idle = 0

    def take(self, entry: Entry) -> None:
        """Have a job wait for its turn, with the queue locked."""
        self._ledger.entries[entry.job.id] = entry
        self.waiting.append(entry)
        self._call_a_worker()

    @property
    def at_rest(self) -> bool:
        """Whether no thread lives; once closed, it waits a moment for each to end."""
        for thread in self._threads if self.closed else ():
            thread.join(REST_S)
        return not any(thread.is_alive() for thread in self._threads)

    def _call_a_worker(self) -> None:
        """Have a worker take the next job, if there is one that may be taken."""
        if self._next() is None:
            return
        if not self._idle and len(self._threads) < self._flow.at_once + MOST_ROWS:
            self._threads.append(threading.Thread(target=self._run, name="catalog-jobs", daemon=True))
            self._threads[-1].start()
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                self._changed.wait_for(lambda: self.closed or self._next() is not None)
                self._idle -= 1
                if (entry := self._next()) is None:
                    return
                if self._may_begin():
                    self._begin(entry)
                else:
                    entry.prepared = True
                self.busy += 1
                self._call_a_worker()
            try:
                self._make(entry)
            finally:
                with self._changed:
                    self.busy -= 1
                    self._changed.notify_all()

    def _make(self, entry: Entry) -> None:
        def on_progress(done: int, total: int) -> None:
            if entry.cancelling:
                raise HandedOver("the job is left") if entry.leaving else Cancelled("the job was cancelled")
            with self._changed:
                if entry in self.waiting and self._flow.makes:
                    self._begin(entry)  # its turn has come
                if entry.job.state == "running":
                    self._ledger.set(entry, progress=(done, total))
                self._call_a_worker()

        changes: dict[str, Any]
        try:
            made = entry.work(on_progress)
            changes = {"state": "done", "result" if isinstance(made, Result) else "outcome": made}
        except Cancelled:
            changes = {}
        except Exception as error:
            if not isinstance(error, CatalogError):
                _log.exception("job %s failed", entry.job.id)
            drop_locals(error)  # the job is remembered for an hour
            changes = {"state": "failed", "error": error}
        with self._changed:
            if entry in self.waiting:
                self._begin(entry)  # it was over before its turn
            if entry.job.state == "running":
                self._ledger.over(entry, **changes) if changes else self._ledger.stopped(entry)

    # With the queue locked

    def _next(self) -> Entry | None:
        """Return the first waiting job that no worker has, where it may begin, or be prepared as a make may.

        What a process has died of once is made alone.
        """
        entry = next((entry for entry in self.waiting if not entry.prepared), None)
        if entry is None or self.closed or self._may_begin():
            return None if self.closed else entry
        prepared = sum(entry.prepared for entry in self.waiting)
        makes = entry.sound is not None  # other work, such as a mix, would be done beside the making
        # A make would overtake a story, which asks for its scenes one after the other.
        beside = all(one.sound is not None and one.starts < 2 for one in self._ledger.running())
        joins = makes and not entry.starts and beside and self._flow.joins
        return entry if joins and prepared < MOST_ROWS else None

    def _may_begin(self) -> bool:
        prepared = sum(entry.prepared for entry in self.waiting)
        return prepared + len(self._ledger.running()) < self._flow.at_once

    def _begin(self, entry: Entry) -> None:
        self.waiting.remove(entry)
        entry.prepared = False
        entry.starts += 1
        self._ledger.set(entry, kept=True, state="running", started_at=now())
