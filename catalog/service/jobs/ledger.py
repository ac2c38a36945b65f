"""The jobs that are remembered: how each stands, kept in the journal and told to those who listen."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from ...disk.journal import Line, TakenOver
from ...disk.remote.journal import journal_of
from ...errors import Busy, CatalogError, NotFound
from ...models.job import Job
from ...store.store import Store
from .work import Entry, OnChange

__all__ = ["Ledger", "now"]


KEPT, KEPT_S = 200, 3600.0
"""How many finished jobs are remembered, and for how long."""

_log = logging.getLogger(__package__)


class Ledger:
    """Jobs by id, in the order in which they came. Whoever changes one holds `changed`, the lock of the queue."""

    def __init__(self, store: Store) -> None:
        self.entries: dict[str, Entry] = {}
        self.changed = threading.Condition()
        self.journal = journal_of(store.blobs, store.home)
        self._listeners: dict[object, tuple[str | None, OnChange]] = {}

    # Looking

    def entry(self, job_id: str) -> Entry:
        """Return the entry of a job of this process. Raises Busy for one of another process, NotFound for none."""
        if (entry := self.entries.get(job_id)) is None:
            if self.journal.find(job_id):
                raise Busy(f"the job {job_id} is one of another process; ask that one")
            raise NotFound(f"there is no job {job_id!r}; jobs are remembered for an hour after they end")
        return entry

    def running(self) -> Sequence[Entry]:
        """Return the entries of the jobs that run."""
        return [entry for entry in self.entries.values() if entry.job.state == "running"]

    def under_way(self, key: tuple[object, ...] | None) -> Entry | None:
        """Return an unfinished job of the same key that nobody cancels; None without one, and without a key."""
        if key is None:
            return None
        same = (entry for entry in self.entries.values() if entry.key == key and not entry.cancelling)
        return next((entry for entry in same if not entry.job.finished), None)

    # Changing

    def set(self, entry: Entry, *, kept: bool = False, **changes: Any) -> Job:
        """Change a job and tell of it; with `kept` the change first goes to the disk, as far as that takes it."""
        job = replace(entry.job, **changes)
        if kept:
            try:
                self.keep(entry, job)
            except TakenOver as error:
                entry.call = None  # the job that is kept is the other process's, to write and to forget
                _log.warning("%s", error)
            except CatalogError as error:
                _log.warning("after a crash the job %s would be made again: %s", job.id, error)
        entry.job = job
        self.tell(job)
        return job

    def keep(self, entry: Entry, job: Job) -> None:
        """Write the job to the journal, where its call is kept. Raises StorageError where the disk does not take it."""
        if entry.call is not None:
            self.journal.write(Line(job, entry.call, entry.starts))

    def over(self, entry: Entry, **changes: Any) -> None:
        """Finish a job with its last changes."""
        entry.over_at = time.monotonic()
        self.set(entry, kept=True, finished_at=now(), **changes)
        self.changed.notify_all()

    def stopped(self, entry: Entry) -> None:
        """Cancel a job that waits or runs, or leave it to the next process as if it had not begun."""
        if not entry.leaving:
            self.over(entry, state="cancelled")
            return
        entry.starts -= entry.job.state == "running"
        self.set(entry, kept=True, state="queued", progress=None, started_at=None)
        self.changed.notify_all()

    def forget(self) -> None:
        """Drop finished jobs that are too old or too many, here and in the journal."""
        over = [entry for entry in self.entries.values() if entry.job.finished]
        for place, entry in enumerate(over):
            if entry.over_at < time.monotonic() - KEPT_S or place < len(over) - KEPT:
                del self.entries[entry.job.id]
                if entry.call is not None:
                    self.journal.delete(entry.job.id)

    # Telling

    def subscribe(self, on_change: OnChange, job_id: str | None) -> Callable[[], None]:
        """Call `on_change(job)` at every change of one job, or of all; return the function that ends it."""
        token = object()
        with self.changed:
            self._listeners[token] = (job_id, on_change)

        def unsubscribe() -> None:
            with self.changed:
                self._listeners.pop(token, None)

        return unsubscribe

    def tell(self, job: Job) -> None:
        """Call those who listen to the job."""
        for job_id, on_change in [*self._listeners.values()]:
            if job_id in (None, job.id):
                on_change(job)


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(timezone.utc)
