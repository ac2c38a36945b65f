"""Jobs that make music one after the other in the background: a bounded queue with progress, cancel and events.

The HTTP service and the MCP adapter share it, so it knows no web framework.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal

from generator import Cancelled, Progress

from .. import report
from ..errors import Busy, CatalogError, NotFound
from ..models import Result

if TYPE_CHECKING:
    from .service import MusicService

__all__ = ["Job", "JobState", "Jobs", "QueueFull", "job_json"]


JobState = Literal["queued", "running", "done", "failed", "cancelled"]

KEPT, KEPT_S = 200, 3600.0
"""How many finished jobs are remembered, and for how long."""
DECISIVE = ("listener", "theme", "min_similarity", "max_false_reuse", "reach", "fit", "variety")
"""Arguments outside the request's key that decide which track is served; jobs that are joined agree on them."""
CANCEL_S = 5.0
"""How long closing waits for a running job after cancelling it."""
REST_S = 0.5
"""How long the worker may take to end after its last job."""

_log = logging.getLogger(__name__)


class QueueFull(Busy):
    """The queue holds as many jobs as it may."""


@dataclass(frozen=True)
class Job:
    """The state of one make at a moment."""

    id: str
    created_at: datetime
    request: Mapping[str, Any] = field(default_factory=dict)
    """The arguments of the request, as plain JSON values."""
    state: JobState = "queued"
    progress: tuple[int, int] | None = None
    """Steps done, and steps in all, as the generator counts them."""
    result: Result | None = None
    error: Exception | None = None
    requests: int = 1
    """How many callers wait for it: the same request joins it instead of queueing."""
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def finished(self) -> bool:
        """Whether the job is done, failed or cancelled."""
        return self.state in ("done", "failed", "cancelled")


Work = Callable[[Progress], Result]
OnChange = Callable[[Job], None]


@dataclass
class _Entry:
    """A job with the values that the worker needs to run it."""

    job: Job
    work: Work
    dropped: Callable[[], None]
    """Records that the work was cancelled before it could record that itself."""
    key: tuple[object, ...] | None
    cancelling: bool = False
    over_at: float = 0.0


class Jobs:
    """A queue of at most `limit` waiting jobs. One thread, started with the first, runs them one at a time."""

    def __init__(self, service: MusicService, *, limit: int = 8) -> None:
        self.service = service
        self.limit = limit
        self._entries: dict[str, _Entry] = {}
        self._queue: deque[_Entry] = deque()
        self._listeners: dict[object, tuple[str | None, OnChange]] = {}
        self._changed = threading.Condition()
        self._worker: threading.Thread | None = None
        self._closed = False

    # Submitting

    def find_or_make(
        self, text_context: Any, *, request: Mapping[str, Any] | None = None, **arguments: Any
    ) -> Job:
        """Queue `MusicService.find_or_make(text_context, **arguments)` and return its job.

        It joins a job under way for the same request, listener and theme, held to the same `reuse`, `min_similarity`
        and `max_false_reuse`; with `reuse` "never" it joins none. `request` is shown in the job instead of the
        arguments. Raises InputError for arguments that cannot be used, QueueFull when `limit` jobs wait, Busy once the
        service stops.
        """
        key = self.service.key_of(text_context, **arguments)
        reuse = arguments.get("reuse", "auto")
        decisive = (reuse, *(arguments.get(name) for name in DECISIVE))
        return self.submit(
            lambda on_progress: self.service.find_or_make(text_context, on_progress=on_progress, **arguments),
            request={"context": text_context, **arguments} if request is None else request,
            key=None if reuse == "never" else (key, *decisive),
            dropped=lambda: self.service.log_cancelled(text_context, **arguments),
        )

    def submit(
        self,
        work: Work,
        *,
        request: Mapping[str, Any],
        key: tuple[object, ...] | None = None,
        dropped: Callable[[], None] = lambda: None,
    ) -> Job:
        """Queue `work(on_progress)` and return its job; a job under way with the same `key` is joined.

        `dropped` is called when the work is cancelled before it could record that itself. Raises QueueFull, and Busy
        once closed.
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
            entry = _Entry(job, work, dropped, key)
            self._entries[job.id] = entry
            self._queue.append(entry)
            if self._worker is None:
                self._worker = threading.Thread(target=self._run, name="catalog-jobs", daemon=True)
                self._worker.start()
            self._changed.notify_all()
            self._tell(job)
            return job

    # Looking and steering

    def get(self, job_id: str) -> Job:
        """Return the job of that id. Raises NotFound."""
        with self._changed:
            return self._entry(job_id).job

    def list(self) -> list[Job]:
        """Return the unfinished jobs and the last finished ones, newest first."""
        with self._changed:
            self._forget()
            return [entry.job for entry in reversed(self._entries.values())]

    @property
    def waiting(self) -> int:
        """How many jobs wait to run."""
        return len(self._queue)

    def position(self, job_id: str) -> int:
        """Return how many jobs run before this one; 0 for a running or finished one. Raises NotFound."""
        with self._changed:
            entry = self._entry(job_id)
            running = any(one.job.state == "running" for one in self._entries.values())
            return self._queue.index(entry) + running if entry in self._queue else 0

    def cancel(self, job_id: str) -> Job:
        """Cancel a job and return it: a waiting one at once, a running one at its next step. Raises NotFound.

        A finished job stays as it is.
        """
        with self._changed:
            entry = self._entry(job_id)
            waited = entry.job.state == "queued"
            if waited:
                self._queue.remove(entry)
                self._over(entry, state="cancelled")
            entry.cancelling = True
        if waited:
            self._dropped(entry)
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

    def close(self, grace_s: float = 10.0) -> None:
        """Take no more jobs: cancel those that wait, and the running one if it is not finished in `grace_s` seconds.

        Every cancelled job is in the log of requests on return.
        """
        with self._changed:
            self._closed = True
            waiting = [*self._queue]
            self._queue.clear()
            for entry in waiting:
                self._over(entry, state="cancelled")
            self._changed.notify_all()
        for entry in waiting:
            self._dropped(entry)
        if self._worker is None:
            return
        with self._changed:
            running = [entry for entry in self._entries.values() if not entry.job.finished]
            self._changed.wait_for(lambda: all(entry.job.finished for entry in running), grace_s)
            for entry in running:
                entry.cancelling = True
            self._changed.wait_for(lambda: all(entry.job.finished for entry in running), CANCEL_S)
            stuck = [entry for entry in running if not entry.job.finished]
            for entry in stuck:
                self._over(entry, state="cancelled")
        for entry in stuck:
            self._dropped(entry)

    @property
    def at_rest(self) -> bool:
        """Whether no job runs. After `close` it is False only while a job ignores that it was cancelled."""
        if self._worker is not None and self._closed:
            self._worker.join(REST_S)
        return self._worker is None or not self._worker.is_alive()

    # The worker

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    return
                entry = self._queue.popleft()
                self._set(entry, state="running", started_at=_now())
            self._make(entry)

    def _make(self, entry: _Entry) -> None:
        def on_progress(done: int, total: int) -> None:
            if entry.cancelling:
                raise Cancelled("the job was cancelled")
            with self._changed:
                if not entry.job.finished:
                    self._set(entry, progress=(done, total))

        changes: dict[str, Any]
        try:
            changes = {"state": "done", "result": entry.work(on_progress)}
        except Cancelled:
            changes = {"state": "cancelled"}
        except CatalogError as error:
            changes = {"state": "failed", "error": error}
        except Exception as error:
            _log.exception("job %s failed", entry.job.id)
            changes = {"state": "failed", "error": error}
        with self._changed:
            if not entry.job.finished:
                self._over(entry, **changes)

    # Inside, with the queue locked

    def _entry(self, job_id: str) -> _Entry:
        if job_id not in self._entries:
            raise NotFound(f"there is no job {job_id!r}; jobs are remembered for an hour after they end")
        return self._entries[job_id]

    def _under_way(self, key: tuple[object, ...] | None) -> _Entry | None:
        if key is None:
            return None
        same = (entry for entry in self._entries.values() if entry.key == key and not entry.cancelling)
        return next((entry for entry in same if not entry.job.finished), None)

    def _set(self, entry: _Entry, **changes: Any) -> Job:
        entry.job = replace(entry.job, **changes)
        self._tell(entry.job)
        return entry.job

    def _over(self, entry: _Entry, **changes: Any) -> None:
        entry.over_at = time.monotonic()
        self._set(entry, finished_at=_now(), **changes)
        self._changed.notify_all()

    def _tell(self, job: Job) -> None:
        for job_id, on_change in [*self._listeners.values()]:
            if job_id in (None, job.id):
                on_change(job)

    def _forget(self) -> None:
        over = [entry for entry in self._entries.values() if entry.job.finished]
        late = time.monotonic() - KEPT_S
        for place, entry in enumerate(over):
            if entry.over_at < late or place < len(over) - KEPT:
                del self._entries[entry.job.id]

    def _dropped(self, entry: _Entry) -> None:
        try:
            entry.dropped()
        except CatalogError as error:
            _log.warning("the cancelled job %s is not in the log of requests: %s", entry.job.id, error)


def job_json(job: Job) -> dict[str, Any]:
    """Return a job as plain JSON; its result is that of `report.result_json` with the request and the decision."""
    result = job.result
    return {
        "id": job.id,
        "state": job.state,
        "progress": {"done": job.progress[0], "total": job.progress[1]} if job.progress else None,
        "created_at": job.created_at.isoformat(),
        "started_at": job.started_at.isoformat() if job.started_at else None,
        "finished_at": job.finished_at.isoformat() if job.finished_at else None,
        "requests": job.requests,
        "request": dict(job.request),
        "result": report.result_json(result, result.path, explain=True) if result else None,
        "error": _error_json(job.error) if job.error else None,
    }


def _error_json(error: Exception) -> dict[str, Any]:
    if isinstance(error, CatalogError):
        return {"type": type(error).__name__, "detail": str(error), "exit_code": error.exit_code}
    return {
        "type": "Failure",
        "detail": "the make failed unexpectedly; the service's log says why",
        "exit_code": 1,
    }


def _now() -> datetime:
    return datetime.now(timezone.utc)
