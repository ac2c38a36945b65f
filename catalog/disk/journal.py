"""Jobs that were accepted, each in a checked file of its own, so that they outlive the process that accepted them.

A file belongs to one process, which its name tells; that process holds a lock file for as long as it lives. Once it has
died, the next process that opens the journal takes its jobs over.
"""

from __future__ import annotations

import logging
import re
import secrets
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .. import errors
from ..errors import CatalogError, Damage, InputError, StorageError
from ..models import Result, ServedResult, Value
from ..models.job import Job
from .checksummed import from_checked, to_checked
from .files import check_writable, inside, set_aside, storing, sync, write_file
from .locks import hold, is_held

__all__ = ["Journal", "Line", "TakenOver", "line_from_json", "line_to_json", "plain"]


LOCK_S = 10.0
"""How long to wait for a lock that is held for a moment only."""
_NAME = re.compile(r"([0-9a-f]{16})-([0-9a-f]{8})\.json")
"""The id of a job, and the process that it belongs to."""

_log = logging.getLogger(__name__)


class TakenOver(StorageError):
    """The job is one of another process now, which counted this one as dead."""


@dataclass(frozen=True)
class Line:
    """A job, the call that does its work, as plain JSON values, and how often that was begun."""

    job: Job
    call: dict[str, Any] = field(default_factory=dict)
    starts: int = 0


class Journal:
    """The jobs of one process in `jobs/` of a home; nothing is written before there is a job."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._folder = home / "jobs"
        self._owner = secrets.token_hex(4)
        self._alive: ExitStack | None = None

    watch_s: float | None = None
    """Processes that die are noticed at the start of the next one."""

    def write(self, line: Line) -> None:
        """Keep a job as it stands; it is on the disk on return.

        Failpoints `job.written`, `job.synced`, `job.renamed`. Raises StorageError, and InputError for a call that
        holds other than plain values.
        """
        job = line.job
        try:
            data = to_checked(line_to_json(line), default=plain)
        except (TypeError, ValueError) as error:
            raise InputError(f"the request cannot be kept until it is made: {error}") from None
        check_writable(self._home, "the job cannot be kept on the disk")
        with storing("the job cannot be kept on the disk"):
            self._live()
            write_file(self._path(job.id), data, point="job")

    def delete(self, job_id: str) -> None:
        """Forget a job of this process. Where the disk refuses, the next process forgets it."""
        with suppress(OSError):
            self._path(job_id).unlink()

    def find(self, job_id: str) -> Job | None:
        """Return the job of that id as its process last wrote it, None without."""
        for path in self._files():
            if path.name.startswith(f"{job_id}-"):
                with suppress(OSError, Damage):
                    return line_from_json(self._home, from_checked(path.read_bytes())).job
        return None

    def ask_to_cancel(self, job_id: str) -> bool:
        """Ask the process of a job to cancel it; return whether that can be asked."""
        del job_id
        return False

    def asked_to_cancel(self) -> list[str]:
        """Return the ids of jobs of this process that others asked to cancel."""
        return []

    def take_over(self) -> list[Line]:
        """Make the jobs of processes that died those of this process, and return them, the oldest first.

        A job whose file is damaged is returned as failed; the file goes to `lost/`. Raises StorageError.
        """
        if not any(self._is_orphan(path) for path in self._files()):
            return []
        with storing("the jobs of an earlier run cannot be taken over"):
            self._live()
            with hold(self._home / "locks" / "jobs.lock", LOCK_S, "the jobs of an earlier run"):
                taken = [self._take(path) for path in self._files() if self._is_orphan(path)]
                sync([], [self._folder])
        return sorted(taken, key=lambda line: line.job.created_at)

    def close(self) -> None:
        """Leave the jobs to the next process."""
        if self._alive is not None:
            self._alive.close()
            self._alive = None

    # Inside

    def _live(self) -> None:
        """Hold the lock that tells that this process lives."""
        if self._alive is not None:
            return
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700, exist_ok=True)
            sync([], [self._home])
        alive = ExitStack()
        alive.enter_context(hold(self._lock(self._owner), LOCK_S, "the journal of jobs", remove=True))
        self._alive = alive

    def _take(self, path: Path) -> Line:
        job_id, owner = _NAME.fullmatch(path.name).groups()  # type: ignore[union-attr]
        self._lock(owner).unlink(missing_ok=True)
        mine = self._path(job_id)
        path.rename(mine)
        try:
            return line_from_json(self._home, from_checked(mine.read_bytes()))
        except Damage:
            made_at = datetime.fromtimestamp(mine.stat().st_mtime, timezone.utc)
            aside = set_aside(self._home, mine.relative_to(self._home).as_posix())
            _log.warning("the file of job %s is damaged and is set aside as %s", job_id, aside)
            lost = Damage("what the disk held of this job is damaged, so it was not made; ask again")
            return Line(Job(job_id, made_at, state="failed", error=lost, finished_at=_now()))

    def _is_orphan(self, path: Path) -> bool:
        owner = path.stem.rpartition("-")[2]
        return owner != self._owner and not is_held(self._lock(owner))

    def _files(self) -> list[Path]:
        with suppress(OSError):
            return [path for path in self._folder.iterdir() if _NAME.fullmatch(path.name)]
        return []

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{job_id}-{self._owner}.json"

    def _lock(self, owner: str) -> Path:
        return self._home / "locks" / f"jobs-{owner}.lock"


def line_to_json(line: Line) -> dict[str, Any]:
    """Return what a file keeps of a job."""
    job = line.job
    return {
        "id": job.id,
        "state": job.state,
        "created_at": job.created_at.isoformat(),
        "started_at": job.started_at.isoformat() if job.started_at else None,
        "finished_at": job.finished_at.isoformat() if job.finished_at else None,
        "request": dict(job.request),
        "call": line.call,
        "starts": line.starts,
        "progress": job.progress,
        "result": job.result,
        "outcome": job.outcome,
        "error": None if job.error is None else _error_to_json(job.error),
    }


def line_from_json(home: Path, kept: dict[str, Any]) -> Line:
    """Return what a file keeps. Raises Damage for one that an earlier version or another program wrote."""
    try:
        result = None
        if kept["result"] is not None:
            model: type[Result] = ServedResult if kept["result"]["track"] else Result
            result = model.model_validate(kept["result"])
        if result is not None and result.track is not None:
            # The home may have been moved since.
            path, track = inside(home, result.track.audio_path), result.track.at_home(home)
            result = result.model_copy(update={"path": path, "track": track})
        job = Job(
            id=kept["id"],
            created_at=datetime.fromisoformat(kept["created_at"]),
            request=kept["request"],
            state=kept["state"],
            progress=kept["progress"] and tuple(kept["progress"]),
            result=result,
            outcome=kept.get("outcome"),  # earlier versions knew of none
            error=None if kept["error"] is None else _error_from_json(kept["error"]),
            started_at=kept["started_at"] and datetime.fromisoformat(kept["started_at"]),
            finished_at=kept["finished_at"] and datetime.fromisoformat(kept["finished_at"]),
        )
        return Line(job, kept["call"], kept["starts"])
    except (KeyError, TypeError, ValueError) as error:
        raise Damage(f"the file of a job cannot be read: {error}") from None


def _error_to_json(error: Exception) -> dict[str, str]:
    known = isinstance(error, CatalogError)
    return {"type": type(error).__name__ if known else "", "detail": str(error) if known else ""}


def _error_from_json(kept: dict[str, str]) -> Exception:
    kind = getattr(errors, kept["type"], None)
    return kind(kept["detail"]) if kind else RuntimeError("the make failed unexpectedly")


def plain(value: Any) -> Any:
    """Return a plain value for one of pydantic, a path, or a number or array of numpy."""
    if isinstance(value, Value):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"it holds a {type(value).__name__}; pass plain JSON values")


def _now() -> datetime:
    return datetime.now(timezone.utc)
