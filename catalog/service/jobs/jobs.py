"""Jobs that make music in the background, in the order in which they came: a bounded queue with progress and cancel.

Where the generator makes requests together that wait for it at the same time, the first jobs in the queue are prepared
while others are made: their texts are read, and they stand in the generator's line. They still count as waiting.

A job that was accepted is on the disk, in `music_catalog.disk.journal`. After a crash the next queue of the home makes
it, under its id. The HTTP service and the MCP adapter share the queue, so it knows no web framework.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...disk.journal import Line
from ...errors import Busy, CatalogError, Damage, Interrupted
from ...models.job import Job
from ...request.context import as_payload
from ..streaming.live import LiveSound
from .ledger import Ledger, now
from .work import Entry, Kind, OnChange, QueueFull, Work, no_work, planned
from .workers import Workers

if TYPE_CHECKING:
    from ..service import MusicService

__all__ = ["Jobs"]


MOST_STARTS = 3
"""A job is begun so often; one that the process never survived then fails, lest it brings down each next one."""
CANCEL_S = 5.0
"""How long closing waits for a running job after cancelling it."""

_log = logging.getLogger(__package__)


class Jobs:
    """A queue of at most `limit` waiting jobs. One runs at a time, or as many as the generators make together or apart.

    `kinds` are what rooms above this one queue beside makes, by name.
    """

    def __init__(
        self, service: MusicService, *, limit: int = 8, kinds: Mapping[str, Kind] | None = None
    ) -> None:
        self.service = service
        self._kinds = kinds or {}
        self.limit = limit
        self._ledger = Ledger(service.store)
        self._changed, self._journal = self._ledger.changed, self._ledger.journal
        self._workers = Workers(self._ledger, service.flow)
        self._take_over()
        self._ending = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="catalog-jobs-watch", daemon=True)
        if self._journal.watch_s:
            self._watcher.start()

    # Submitting

    def find_or_make(
        self, text_context: Any, *, request: Mapping[str, Any] | None = None, **arguments: Any
    ) -> Job:
        """Queue `MusicService.find_or_make(text_context, **arguments)` and return its job.

        It joins a job under way for the same request, audience and terms of reuse; with `reuse` "never" it joins none.
        `request` is shown in the job instead of the arguments. Raises InputError for bad arguments, and as `submit`.
        """
        call = {"context": as_payload(text_context), "arguments": arguments}
        shown = {"context": text_context, **arguments} if request is None else request
        return self.do(call, request=shown)

    def again(self, track_id: str, *, variation: bool = False, request: Mapping[str, Any]) -> Job:
        """Queue `MusicService.again` and return its job. Raises as `submit` does."""
        call = {"again": track_id, "variation": variation}
        return self.submit(**self._plan(call), request=request, call=call)

    def do(self, call: dict[str, Any], *, request: Mapping[str, Any]) -> Job:
        """Queue a call of the kind that it names; return its job, which shows `request`. Raises as `submit` does."""
        return self.submit(**self._plan(call), request=request, call=call)

    def submit(
        self,
        work: Work,
        *,
        request: Mapping[str, Any],
        key: tuple[object, ...] | None = None,
        dropped: Callable[[], None] = lambda: None,
        call: dict[str, Any] | None = None,
        sound: LiveSound | None = None,
    ) -> Job:
        """Queue `work(on_progress)`, heard by `sound`, and return its job; one under way of the same `key` is joined.

        `dropped` is called when the work is cancelled before it could record that. `call` is what `_plan` makes the
        work of after a crash. Raises QueueFull, Busy once closed, StorageError where the disk does not take the job.
        """
        with self._changed:
            self._ledger.forget()
            if self._workers.closed:
                raise Busy("the service is stopping and takes no new work; try again when it is back")
            if joined := self._ledger.under_way(key):
                return self._ledger.set(joined, requests=joined.job.requests + 1)
            if self.waiting >= self.limit:
                raise QueueFull(
                    f"{self.waiting} makes are waiting, as many as are accepted; try again when one has finished"
                )
            job = Job(id=uuid.uuid4().hex[:16], created_at=now(), request=request)
            entry = Entry(job, work, dropped, key, call, sound=sound)
            self._ledger.keep(entry, job)
            self._workers.take(entry)
            self._ledger.tell(job)
            return job

    # Looking and steering

    def get(self, job_id: str) -> Job:
        """Return the job of that id, one of another process as that last wrote it. Raises NotFound."""
        # Without the lock: the queue holds it while it writes a file or an object, and an event loop asks here.
        if not self.has(job_id) and (elsewhere := self._journal.find(job_id)):
            return elsewhere
        return self._ledger.entry(job_id).job

    def has(self, job_id: str) -> bool:
        """Return whether the job is one of this process, which tells of its changes."""
        return job_id in self._ledger.entries

    def list(self) -> list[Job]:
        """Return the unfinished jobs and the last finished ones, newest first."""
        with self._changed:
            self._ledger.forget()
            return [entry.job for entry in reversed(self._ledger.entries.values())]

    def sound(self, job_id: str) -> LiveSound | None:
        """Return what is heard of a job that makes a track; None for another job. Raises NotFound."""
        return self._ledger.entry(job_id).sound

    @property
    def waiting(self) -> int:
        """How many jobs wait to run."""
        return len(self._workers.waiting)

    def position(self, job_id: str) -> int:
        """Return how many jobs run before this one; 0 for a running or finished one. Raises NotFound."""
        if not self.has(job_id) and self._journal.find(job_id):
            return 0
        with self._changed:
            entry, waiting = self._ledger.entry(job_id), self._workers.waiting
            return waiting.index(entry) + len(self._ledger.running()) if entry in waiting else 0

    def cancel(self, job_id: str) -> Job:
        """Cancel a job and return it: a waiting one at once, a running one at its next step. Raises NotFound.

        A finished job stays as it is. In a remote home the process of a job is asked, and looks every few seconds.
        """
        elsewhere = None if self.has(job_id) else self._journal.find(job_id)
        if elsewhere and (elsewhere.finished or self._journal.ask_to_cancel(job_id)):
            return elsewhere
        with self._changed:
            entry = self._ledger.entry(job_id)
            waited = entry.job.state == "queued"
            if waited:
                if entry in self._workers.waiting:  # a stop has taken it out already
                    self._workers.waiting.remove(entry)
                entry.leaving = False
                self._ledger.over(entry, state="cancelled")
            entry.cancelling = True
        # What is prepared is recorded where that stops.
        self._record([entry] if waited and not entry.prepared else [])
        return entry.job

    def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """Wait until the job is finished, `timeout_s` seconds at the most, and return it."""
        with self._changed:
            entry = self._ledger.entry(job_id)
            self._changed.wait_for(lambda: entry.job.finished, timeout_s)
            return entry.job

    def subscribe(self, on_change: OnChange, job_id: str | None = None) -> Callable[[], None]:
        """Call `on_change(job)` at every change of one job, or of all; return the function that ends it.

        It runs in the thread that made the change, with the queue locked, so it should only pass the job on.
        """
        return self._ledger.subscribe(on_change, job_id)

    def close(self, grace_s: float = 10.0, *, hand_over: bool = False) -> None:
        """Take no more jobs: cancel those that wait, and the running one if it is not finished in `grace_s` seconds.

        Every cancelled job is in the log of requests on return. With `hand_over` jobs that are kept are left to the
        next process that queues jobs in the home, and not cancelled.
        """
        self._ending.set()
        if self._watcher.is_alive():
            self._watcher.join(CANCEL_S)
        with self._changed:
            self._workers.closed = True
            waiting, running = [*self._workers.waiting], self._ledger.running()
            self._workers.waiting.clear()
            for entry in (*waiting, *running):
                entry.leaving = hand_over and entry.call is not None and not entry.cancelling
            for entry in waiting:
                self._ledger.stopped(entry)
                entry.cancelling = True
            self._changed.notify_all()
        self._record([entry for entry in waiting if not entry.prepared])
        with self._changed:
            self._changed.wait_for(lambda: not self._ledger.running(), grace_s)
            for entry in running:
                entry.cancelling = True
            self._changed.wait_for(lambda: not self._ledger.running(), CANCEL_S)
            for entry in (stuck := self._ledger.running()):
                self._ledger.stopped(entry)
            self._changed.wait_for(lambda: self._workers.busy <= len(stuck), CANCEL_S)
        self._record(stuck)
        self._journal.close()

    @property
    def at_rest(self) -> bool:
        """Whether no job runs. After `close` it is False only while a job ignores that it was cancelled."""
        return self._workers.at_rest

    # Jobs of processes that died

    def _take_over(self) -> None:
        """Queue the jobs that a process left when it died, and remember those that it had finished."""
        try:
            lines = self._journal.take_over()
        except CatalogError as error:
            _log.warning("%s", error)
            return
        with self._changed:
            for line in () if self._workers.closed else lines:
                self._take(line)
            self._ledger.forget()

    def _watch(self) -> None:
        """Take over jobs of processes that die, and cancel those that others ask to cancel, until the queue closes."""
        while not self._ending.wait(self._journal.watch_s):
            self._take_over()
            try:
                for job_id in self._journal.asked_to_cancel():
                    self.cancel(job_id)
            except CatalogError as error:
                _log.warning("a job that is to be cancelled goes on: %s", error)

    def _take(self, line: Line) -> None:
        job = line.job
        kept: dict[str, Any] = {"call": line.call, "starts": line.starts}
        over = self._ledger.entries[job.id] = Entry(job, no_work, **kept)
        if job.finished_at is not None:
            over.over_at = time.monotonic() - max(0.0, (now() - job.finished_at).total_seconds())
            if isinstance(job.error, Damage):
                self._ledger.set(over, kept=True)  # its file was set aside
            return
        if line.starts >= MOST_STARTS:
            reason = f"the service ended {line.starts} times while it made this; ask again to try once more"
            self._ledger.over(over, state="failed", error=Interrupted(reason))
            return
        waiting = replace(job, state="queued", progress=None, started_at=None)
        try:
            self._workers.take(Entry(waiting, **self._plan(line.call), **kept))
        except CatalogError as error:
            self._ledger.over(over, state="failed", error=error)

    # Inside

    def _plan(self, call: Mapping[str, Any]) -> dict[str, Any]:
        return planned(self.service, call, self._kinds)

    def _record(self, stopped: Sequence[Entry]) -> None:
        """Record those of the jobs in the log that were cancelled before they could do that themselves."""
        for entry in stopped:
            try:
                if not entry.leaving:
                    entry.dropped()
            except CatalogError as error:
                _log.warning("the cancelled job %s is not in the log of requests: %s", entry.job.id, error)
