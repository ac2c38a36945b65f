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
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ..disk.journal import Line, TakenOver
from ..disk.remote.journal import journal_of
from ..errors import Busy, CatalogError, Damage, Interrupted, NotFound
from ..generator import Cancelled
from ..generator.thread.line import LINE
from ..generator.thread.orders import MOST_ROWS
from ..models import Result
from ..models.job import Job, JobState
from ..report import job_json
from ..request.context import read_context
from .streaming.live import LiveSound
from .work import Entry, HandedOver, Kind, OnChange, QueueFull, Work, no_work, planned

if TYPE_CHECKING:
    from .service import MusicService

__all__ = ["Job", "JobState", "Jobs", "Kind", "QueueFull", "job_json"]


KEPT, KEPT_S = 200, 3600.0
"""How many finished jobs are remembered, and for how long."""
MOST_STARTS = 3
"""A job is begun so often; one that the process never survived then fails, lest it brings down each next one."""
CANCEL_S = 5.0
"""How long closing waits for a running job after cancelling it."""
REST_S = 0.5
"""How long the worker may take to end after its last job."""

_log = logging.getLogger(__name__)


class Jobs:
    """A queue of at most `limit` waiting jobs. One runs at a time, or as many as the generators make together or apart.

    `kinds` are what rooms above this one queue beside makes, by name.
    """

    def __init__(
        self, service: MusicService, *, limit: int = 8, kinds: Mapping[str, Kind] | None = None
    ) -> None:
        self.service, self._flow = service, service.flow
        self._kinds = kinds or {}
        self.limit = limit
        self._entries: dict[str, Entry] = {}
        self._queue: deque[Entry] = deque()
        self._listeners: dict[object, tuple[str | None, OnChange]] = {}
        self._changed = threading.Condition()
        self._workers: list[threading.Thread] = []
        self._idle = self._busy = 0
        self._closed = False
        self._journal = journal_of(service.store.blobs, service.store.home)
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
        context = read_context(text_context).model_dump(mode="json", exclude_defaults=True)
        call = {"context": context, "arguments": arguments}
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
            self._forget()
            if self._closed:
                raise Busy("the service is stopping and takes no new work; try again when it is back")
            if joined := self._under_way(key):
                return self._set(joined, requests=joined.job.requests + 1)
            if len(self._queue) >= self.limit:
                raise QueueFull(
                    f"{len(self._queue)} makes are waiting, as many as are accepted; try again when one has finished"
                )
            job = Job(id=uuid.uuid4().hex[:16], created_at=_now(), request=request)
            entry = Entry(job, work, dropped, key, call, sound=sound)
            self._keep(entry, job)
            self._wait_in_line(entry)
            self._tell(job)
            return job

    # Looking and steering

    def get(self, job_id: str) -> Job:
        """Return the job of that id, one of another process as that last wrote it. Raises NotFound."""
        # Without the lock: the queue holds it while it writes a file or an object, and an event loop asks here.
        if not self.has(job_id) and (elsewhere := self._journal.find(job_id)):
            return elsewhere
        return self._entry(job_id).job

    def has(self, job_id: str) -> bool:
        """Return whether the job is one of this process, which tells of its changes."""
        return job_id in self._entries

    def list(self) -> list[Job]:
        """Return the unfinished jobs and the last finished ones, newest first."""
        with self._changed:
            self._forget()
            return [entry.job for entry in reversed(self._entries.values())]

    def sound(self, job_id: str) -> LiveSound | None:
        """Return what is heard of a job that makes a track; None for another job. Raises NotFound."""
        return self._entry(job_id).sound

    @property
    def waiting(self) -> int:
        """How many jobs wait to run."""
        return len(self._queue)

    def position(self, job_id: str) -> int:
        """Return how many jobs run before this one; 0 for a running or finished one. Raises NotFound."""
        if not self.has(job_id) and self._journal.find(job_id):
            return 0
        with self._changed:
            entry = self._entry(job_id)
            return self._queue.index(entry) + len(self._running()) if entry in self._queue else 0

    def cancel(self, job_id: str) -> Job:
        """Cancel a job and return it: a waiting one at once, a running one at its next step. Raises NotFound.

        A finished job stays as it is. In a remote home the process of a job is asked, and looks every few seconds.
        """
        elsewhere = None if self.has(job_id) else self._journal.find(job_id)
        if elsewhere and (elsewhere.finished or self._journal.ask_to_cancel(job_id)):
            return elsewhere
        with self._changed:
            entry = self._entry(job_id)
            waited = entry.job.state == "queued"
            if waited:
                self._queue.remove(entry)
                self._over(entry, state="cancelled")
            entry.cancelling = True
        # What is prepared is recorded where that stops.
        self._record([entry] if waited and not entry.prepared else [])
        return entry.job

    def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """Wait until the job is finished, `timeout_s` seconds at the most, and return it."""
        with self._changed:
            entry = self._entry(job_id)
            self._changed.wait_for(lambda: entry.job.finished, timeout_s)
            return entry.job

    def subscribe(self, on_change: OnChange, job_id: str | None = None) -> Callable[[], None]:
        """Call `on_change(job)` at every change of one job, or of all; return the function that ends it.

        It runs in the thread that made the change, with the queue locked, so it should only pass the job on.
        """
        token = object()
        with self._changed:
            self._listeners[token] = (job_id, on_change)

        def unsubscribe() -> None:
            with self._changed:
                self._listeners.pop(token, None)

        return unsubscribe

    def close(self, grace_s: float = 10.0, *, hand_over: bool = False) -> None:
        """Take no more jobs: cancel those that wait, and the running one if it is not finished in `grace_s` seconds.

        Every cancelled job is in the log of requests on return. With `hand_over` jobs that are kept are left to the
        next process that queues jobs in the home, and not cancelled.
        """
        self._ending.set()
        if self._watcher.is_alive():
            self._watcher.join(CANCEL_S)
        with self._changed:
            self._closed = True
            waiting, running = [*self._queue], self._running()
            self._queue.clear()
            for entry in (*waiting, *running):
                entry.leaving = hand_over and entry.call is not None and not entry.cancelling
            for entry in waiting:
                self._stopped(entry)
                entry.cancelling = True
            self._changed.notify_all()
        self._record([entry for entry in waiting if not entry.prepared])
        with self._changed:
            self._changed.wait_for(lambda: not self._running(), grace_s)
            for entry in running:
                entry.cancelling = True
            self._changed.wait_for(lambda: not self._running(), CANCEL_S)
            for entry in (stuck := self._running()):
                self._stopped(entry)
            self._changed.wait_for(lambda: self._busy <= len(stuck), CANCEL_S)
        self._record(stuck)
        self._journal.close()

    @property
    def at_rest(self) -> bool:
        """Whether no job runs. After `close` it is False only while a job ignores that it was cancelled."""
        for worker in self._workers if self._closed else ():
            worker.join(REST_S)
        return not any(worker.is_alive() for worker in self._workers)

    # Jobs of processes that died

    def _take_over(self) -> None:
        """Queue the jobs that a process left when it died, and remember those that it had finished."""
        try:
            lines = self._journal.take_over()
        except CatalogError as error:
            _log.warning("%s", error)
            return
        with self._changed:
            for line in () if self._closed else lines:
                self._take(line)
            self._forget()

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
        over = self._entries[job.id] = Entry(job, no_work, **kept)
        if job.finished_at is not None:
            over.over_at = time.monotonic() - max(0.0, (_now() - job.finished_at).total_seconds())
            if isinstance(job.error, Damage):
                self._set(over, kept=True)  # its file was set aside
            return
        if line.starts >= MOST_STARTS:
            reason = f"the service ended {line.starts} times while it made this; ask again to try once more"
            self._over(over, state="failed", error=Interrupted(reason))
            return
        waiting = replace(job, state="queued", progress=None, started_at=None)
        try:
            self._wait_in_line(Entry(waiting, **self._plan(line.call), **kept))
        except CatalogError as error:
            self._over(over, state="failed", error=error)

    def _plan(self, call: Mapping[str, Any]) -> dict[str, Any]:
        return planned(self.service, call, self._kinds)

    # The worker

    def _wait_in_line(self, entry: Entry) -> None:
        self._entries[entry.job.id] = entry
        self._queue.append(entry)
        self._call_a_worker()

    def _call_a_worker(self) -> None:
        """Have a worker take the next job, if there is one that may be taken."""
        if self._next() is None:
            return
        if not self._idle and len(self._workers) < self._flow.at_once + MOST_ROWS:
            self._workers.append(threading.Thread(target=self._run, name="catalog-jobs", daemon=True))
            self._workers[-1].start()
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                self._changed.wait_for(lambda: self._closed or self._next() is not None)
                self._idle -= 1
                if (entry := self._next()) is None:
                    return
                if self._may_begin():
                    self._begin(entry)
                else:
                    entry.prepared = True
                self._busy += 1
                self._call_a_worker()
            try:
                self._make(entry)
            finally:
                with self._changed:
                    self._busy -= 1
                    self._changed.notify_all()

    def _make(self, entry: Entry) -> None:
        def on_progress(done: int, total: int) -> None:
            if entry.cancelling:
                raise HandedOver("the job is left") if entry.leaving else Cancelled("the job was cancelled")
            with self._changed:
                if LINE.here and entry in self._queue:
                    self._begin(entry)  # its turn has come
                if entry.job.state == "running":
                    self._set(entry, progress=(done, total))
                self._call_a_worker()

        changes: dict[str, Any]
        try:
            made = entry.work(on_progress)
            changes = {"state": "done", "result" if isinstance(made, Result) else "outcome": made}
        except Cancelled:
            changes = {}
        except CatalogError as error:
            changes = {"state": "failed", "error": error}
        except Exception as error:
            _log.exception("job %s failed", entry.job.id)
            changes = {"state": "failed", "error": error}
        with self._changed:
            if entry in self._queue:
                self._begin(entry)  # it was over before its turn
            if entry.job.state == "running":
                self._over(entry, **changes) if changes else self._stopped(entry)

    # Inside, with the queue locked

    def _next(self) -> Entry | None:
        """Return the first waiting job that no worker has, where it may begin, or be prepared as a make may."""
        entry = next((entry for entry in self._queue if not entry.prepared), None)
        if entry is None or self._closed or self._may_begin():
            return None if self._closed else entry
        prepared = sum(entry.prepared for entry in self._queue)
        makes = entry.sound is not None  # other work, such as a mix, would be done beside the making
        return entry if makes and self._flow.joins and prepared < MOST_ROWS else None

    def _may_begin(self) -> bool:
        prepared = sum(entry.prepared for entry in self._queue)
        return prepared + len(self._running()) < self._flow.at_once

    def _begin(self, entry: Entry) -> None:
        self._queue.remove(entry)
        entry.prepared = False
        entry.starts += 1
        self._set(entry, kept=True, state="running", started_at=_now())

    def _entry(self, job_id: str) -> Entry:
        if (entry := self._entries.get(job_id)) is None:
            if self._journal.find(job_id):
                raise Busy(f"the job {job_id} is one of another process; ask that one")
            raise NotFound(f"there is no job {job_id!r}; jobs are remembered for an hour after they end")
        return entry

    def _under_way(self, key: tuple[object, ...] | None) -> Entry | None:
        if key is None:
            return None
        same = (entry for entry in self._entries.values() if entry.key == key and not entry.cancelling)
        return next((entry for entry in same if not entry.job.finished), None)

    def _set(self, entry: Entry, *, kept: bool = False, **changes: Any) -> Job:
        """Change a job and tell of it; with `kept` the change first goes to the disk, as far as that takes it."""
        job = replace(entry.job, **changes)
        if kept:
            try:
                self._keep(entry, job)
            except TakenOver as error:
                entry.call = None  # the job that is kept is the other process's, to write and to forget
                _log.warning("%s", error)
            except CatalogError as error:
                _log.warning("after a crash the job %s would be made again: %s", job.id, error)
        entry.job = job
        self._tell(job)
        return job

    def _keep(self, entry: Entry, job: Job) -> None:
        if entry.call is not None:
            self._journal.write(Line(job, entry.call, entry.starts))

    def _over(self, entry: Entry, **changes: Any) -> None:
        entry.over_at = time.monotonic()
        self._set(entry, kept=True, finished_at=_now(), **changes)
        self._changed.notify_all()

    def _stopped(self, entry: Entry) -> None:
        """Cancel a job that waits or runs, or leave it to the next process as if it had not begun."""
        if not entry.leaving:
            self._over(entry, state="cancelled")
            return
        entry.starts -= entry.job.state == "running"
        self._set(entry, kept=True, state="queued", progress=None, started_at=None)
        self._changed.notify_all()

    def _running(self) -> Sequence[Entry]:
        return [entry for entry in self._entries.values() if entry.job.state == "running"]

    def _tell(self, job: Job) -> None:
        for job_id, on_change in [*self._listeners.values()]:
            if job_id in (None, job.id):
                on_change(job)

    def _forget(self) -> None:
        over = [entry for entry in self._entries.values() if entry.job.finished]
        for place, entry in enumerate(over):
            if entry.over_at < time.monotonic() - KEPT_S or place < len(over) - KEPT:
                del self._entries[entry.job.id]
                if entry.call is not None:
                    self._journal.delete(entry.job.id)

    def _record(self, stopped: Sequence[Entry]) -> None:
        """Record those of the jobs in the log that were cancelled before they could do that themselves."""
        for entry in stopped:
            try:
                if not entry.leaving:
                    entry.dropped()
            except CatalogError as error:
                _log.warning("the cancelled job %s is not in the log of requests: %s", entry.job.id, error)


def _now() -> datetime:
    return datetime.now(timezone.utc)
