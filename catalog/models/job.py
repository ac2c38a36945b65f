"""The state of one job in the queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from .result import Result

__all__ = ["Job", "JobState"]


JobState = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class Job:
    """The state of one job at a moment: the making of a track, or of more than that."""

    id: str
    created_at: datetime
    request: Mapping[str, Any] = field(default_factory=dict)
    """The arguments of the request, as plain JSON values."""
    state: JobState = "queued"
    progress: tuple[int, int] | None = None
    """Steps done, and steps in all, as the generator counts them."""
    result: Result | None = None
    outcome: Mapping[str, Any] | None = None
    """What work that makes more than a track gave, as plain JSON values."""
    error: Exception | None = None
    requests: int = 1
    """How many callers wait for it: the same request joins it instead of queueing."""
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def finished(self) -> bool:
        """Whether the job is done, failed or cancelled."""
        return self.state in ("done", "failed", "cancelled")
