"""Jobs that replicas share: each is an object, so that every replica can tell its state and take it over.

A job belongs to one process, which the object names; that process holds a lease for as long as it lives. Others watch
that lease, and once it has run out one of them makes the job its own by a conditional write.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ...errors import CatalogError, Damage, InputError, StorageError
from ...models.job import Job
from ...objects.blobs import Blob, Blobs, Mark
from ...objects.lease import Watch, lease
from ..journal import Journal, Line, TakenOver, line_from_json, line_to_json, plain

__all__ = ["SharedJournal", "journal_of"]


ALIVE_S = 15.0
"""How long a process may be silent until its jobs are taken over."""
WATCH_S = 5.0
"""How often each process looks for jobs of others that died, and for jobs of its own to cancel."""
LOCK_S = 5.0
_FOLDER = "jobs"
_CANCEL = ".cancel"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Seen:
    """What was read of an object in an earlier look, which holds until the object changes."""

    changed_at: datetime
    size_bytes: int
    owner: str


class SharedJournal:
    """The jobs of one process in `jobs/` of a remote home; nothing is written before there is a job.

    It has the methods of `Journal`. `folder` is the local folder with the caches of the home.
    """

    watch_s: float | None = WATCH_S

    def __init__(self, blobs: Blobs, folder: Path) -> None:
        self._blobs, self._folder = blobs, folder
        self._owner = secrets.token_hex(8)
        self._alive: ExitStack | None = None
        self._lives: Callable[[], bool] = lambda: False
        """Tells whether the lease is held that tells that this process lives."""
        self._marks: dict[str, Mark] = {}
        """The objects of the jobs of this process, as it last wrote them."""
        self._watches: dict[str, Watch] = {}
        self._seen: dict[str, _Seen] = {}
        self._asked: list[str] = []
        self._lock = threading.Lock()

    def write(self, line: Line) -> None:
        """Keep a job as it stands; the store has it on return.

        Raises StorageError, TakenOver where the job is one of another process now, and InputError for a call that
        holds other than plain values.
        """
        job_id = line.job.id
        try:
            data = json.dumps({**line_to_json(line), "owner": self._owner}, default=plain).encode()
        except (TypeError, ValueError) as error:
            raise InputError(f"the request cannot be kept until it is made: {error}") from None
        self._live()
        path, seen = _path(job_id), self._marks.get(job_id)
        mark = self._blobs.swap(path, data, seen) if seen else self._blobs.create(path, data)
        mark = self._blobs.settled(mark, path, data)
        if mark is None and (
            found := self._mine(job_id)
        ):  # a write before this one was done without an answer
            mark = self._blobs.settled(self._blobs.swap(path, data, found), path, data)
        if mark is None:
            self._marks.pop(job_id, None)
            raise TakenOver(f"the job {job_id} is one of another process now")
        self._marks[job_id] = mark

    def delete(self, job_id: str) -> None:
        """Forget a job of this process. Where the store refuses, the next process forgets it."""
        if self._marks.pop(job_id, None):
            try:
                if self._mine(job_id):
                    self._blobs.delete(_path(job_id))
            except StorageError as error:
                _log.warning("the job %s is not forgotten yet: %s", job_id, error)

    def find(self, job_id: str) -> Job | None:
        """Return the job of that id as its process last wrote it, None without."""
        data = self._blobs.get(_path(job_id))
        return None if data is None else self._read(job_id, data)[0].job

    def ask_to_cancel(self, job_id: str) -> bool:
        """Ask the process of a job to cancel it, which it does within some seconds; return True."""
        self._blobs.put(f"{_FOLDER}/{job_id}{_CANCEL}", b"{}")
        return True

    def asked_to_cancel(self) -> list[str]:
        """Return the ids of jobs of this process that others had asked to cancel at the last look of `take_over`."""
        mine = [job_id for job_id in self._asked if job_id in self._marks]
        for job_id in mine:
            self._blobs.delete(f"{_FOLDER}/{job_id}{_CANCEL}")
        self._asked = []
        return mine

    def take_over(self) -> list[Line]:
        """Make jobs of processes that died those of this process, and return them, the oldest first.

        A process counts as dead once its lease did not change between looks for as long as it holds. Raises
        StorageError.
        """
        listed = [*self._blobs.list(_FOLDER)]
        self._asked = [Path(blob.path).stem for blob in listed if blob.path.endswith(_CANCEL)]
        blobs = [blob for blob in listed if blob.path.endswith(".json")]
        owners = {blob.path: self._owner_of(blob) for blob in blobs}
        self._seen = {path: seen for path, seen in self._seen.items() if path in owners}
        free = {owner for owner in {*owners.values()} - {self._owner, ""} if self._is_free(owner)}
        taken = [line for path, owner in owners.items() if owner in free and (line := self._take(path))]
        return sorted(taken, key=lambda line: line.job.created_at)

    def close(self) -> None:
        """Leave the jobs to the other processes."""
        if self._alive is not None:
            self._alive.close()
            self._alive = None

    # Inside

    def _live(self) -> None:
        """Hold the lease that tells that this process lives."""
        with self._lock:
            if self._alive is not None and self._lives():
                return
            self.close()
            alive, name, what = ExitStack(), f"jobs-{self._owner}", "the journal of jobs"
            held = lease(self._blobs, name, LOCK_S, what, lease_s=ALIVE_S, holder=self._owner)
            claim = alive.enter_context(held)
            self._alive, self._lives = alive, claim.confirm

    def _is_free(self, owner: str) -> bool:
        return self._watches.setdefault(owner, Watch(self._blobs, f"jobs-{owner}")).is_free()

    def _owner_of(self, blob: Blob) -> str:
        """Return the process that a job belongs to; "" where the object went meanwhile."""
        seen = self._seen.get(blob.path)
        if seen is None or (seen.changed_at, seen.size_bytes) != (blob.changed_at, blob.size_bytes):
            data = self._blobs.get(blob.path)
            if data is None:
                return ""
            _, owner = self._read(Path(blob.path).stem, data)
            seen = self._seen[blob.path] = _Seen(blob.changed_at, blob.size_bytes, owner)
        return seen.owner

    def _take(self, path: str) -> Line | None:
        """Make a job one of this process; return None where another was quicker."""
        job_id = Path(path).stem
        try:
            found = self._blobs.get_marked(path)
            if found is None:
                return None
            line, owner = self._read(job_id, found[0])
            if owner == self._owner or not self._is_free(owner):
                return None  # another process took it since it was listed
            self._marks[job_id] = found[1]
            self.write(line)
        except CatalogError as error:  # those that were taken before it are made all the same
            self._marks.pop(job_id, None)
            _log.info("the job %s is not taken over now: %s", job_id, error)
            return None
        return line

    def _mine(self, job_id: str) -> Mark | None:
        """Return the mark of the object of a job where it names this process."""
        found = self._blobs.get_marked(_path(job_id))
        return found[1] if found and self._read(job_id, found[0])[1] == self._owner else None

    def _read(self, job_id: str, data: bytes) -> tuple[Line, str]:
        """Return a job, as failed where its object holds nothing that can be read, and its owner."""
        kept: dict[str, Any] = {}
        try:
            kept = json.loads(data)
            return line_from_json(self._folder, kept), str(kept["owner"])
        except (Damage, ValueError, KeyError, TypeError) as error:
            _log.warning("the job %s cannot be read: %s", job_id, error)
            now = datetime.now(timezone.utc)
            lost = Damage("what the store holds of this job cannot be read, so it was not made; ask again")
            owner = str(kept.get("owner", "")) if isinstance(kept, dict) else ""
            return Line(Job(job_id, now, state="failed", error=lost, finished_at=now)), owner


def journal_of(blobs: Blobs | None, folder: Path) -> Journal | SharedJournal:
    """Return the journal of a new process: in the home `folder`, or in `blobs` where the home is remote."""
    return Journal(folder) if blobs is None else SharedJournal(blobs, folder)


def _path(job_id: str) -> str:
    return f"{_FOLDER}/{job_id}.json"
