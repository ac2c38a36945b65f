"""One call of the service while it runs, and the line it leaves in the log."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from ..errors import CatalogError, InputError
from ..generator import Audio, Cancelled, Progress
from ..generator.thread.orders import OnAudio
from ..models import (
    Audience,
    Backend,
    Choices,
    Context,
    Features,
    QualityName,
    Request,
    RequestArguments,
    RequestRecord,
    Result,
    SceneArguments,
    Takes,
    Use,
)
from ..reuse.terms import TermArguments
from ..validation import nearest

__all__ = [
    "Call",
    "CallArguments",
    "FindArguments",
    "HandedOver",
    "SceneCallArguments",
    "ServeArguments",
    "StockArguments",
    "StockOptions",
    "failure_of",
    "of_request",
    "parts_of",
    "record_of",
]


class FindArguments(RequestArguments, TermArguments, total=False):
    """The keyword arguments of `MusicService.find`."""

    log: bool


class ServeArguments(RequestArguments, TermArguments, total=False):
    """The keyword arguments of `MusicService.find_or_make` but `dry_run`."""

    explain: bool
    on_progress: Progress | None
    on_audio: OnAudio | None


class CallArguments(ServeArguments, total=False):
    """The keyword arguments of `MusicService.find_or_make`."""

    dry_run: bool


OPTIONS = {"find": FindArguments, "find-or-make": CallArguments, "dry-run": CallArguments}
"""The keyword arguments of the calls that take more than a request, by the command of their line in the log."""


class SceneCallArguments(SceneArguments, TermArguments, total=False):
    """The further keyword arguments of `MusicService.scene` but `dry_run`."""

    explain: bool
    on_progress: Progress | None


class StockOptions(TypedDict, total=False):
    """The choices that hold for a whole stock."""

    role: str | None
    quality: QualityName | None
    backend: Backend | None
    license: Use | None
    duration_s: float | None
    loopable: bool | None
    generation: Mapping[str, Any]


class StockArguments(StockOptions, total=False):
    """The keyword arguments of `MusicService.plan_stock` but `on_progress`."""

    table: str | None
    column: str | None
    sample: int
    sample_seed: int


@dataclass
class Call:
    """One call on its way through the stages, with its request once known and the seconds each stage took."""

    command: str
    context: Context
    choices: Choices
    key: str
    audience: Audience = field(default_factory=Audience)
    takes: Takes = field(default_factory=Takes)
    melody: Audio | None = None
    """The recording whose melody the music follows."""
    notes: tuple[str, ...] = ()
    """Warnings about how the context was read."""
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    understood: tuple[Request, NDArray[np.float32]] | None = None
    """The request and the vector of its context; None until they are needed."""
    unanswered_at: int | None = None
    """A version of the log in which no line answers the request; see `Repeats`."""
    timings_s: dict[str, float] = field(default_factory=dict)

    @property
    def vector(self) -> NDArray[np.float32] | None:
        """The vector of the context; None until it is needed."""
        return self.understood[1] if self.understood else None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the seconds that the body takes to the stage `name`."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.timings_s[name] = round(self.timings_s.get(name, 0.0) + time.perf_counter() - began, 4)


class HandedOver(Cancelled):
    """The work stops here, and the next process that queues jobs in the home does it: what it needs must stay."""


def of_request(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return those arguments of `find_or_make` that are part of the request, not of how it is served."""
    models = (Context, Choices, Audience, Takes)
    parts = {name for model in models for name in model.model_fields}
    return {name: value for name, value in arguments.items() if name in parts}


def parts_of(
    arguments: Mapping[str, Any], command: str = ""
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return the fields of `Context`, `Choices`, `Audience` and `Takes` among the arguments, in this order.

    Those of `Audience` and `Takes` are there in any case. Raises InputError for an argument of none of them, with all
    that `command` takes, and for a text, since a call is given its own.
    """
    if "text" in arguments:
        raise InputError("text is given beside the text of the call; give the text once")
    known = {name: value for name, value in arguments.items() if name in Context.model_fields}
    chosen = {name: value for name, value in arguments.items() if name in Choices.model_fields}
    audience = {name: arguments.get(name) or "" for name in Audience.model_fields}
    wanted = {name: arguments.get(name) for name in Takes.model_fields}
    stated = known.keys() | chosen.keys() | audience.keys() | wanted.keys()
    if unknown := sorted(arguments.keys() - stated):
        name = {"style": "preset"}.get(unknown[0], unknown[0])  # as the command line calls it
        raise InputError(
            f"unknown option {unknown[0]!r}; {nearest(name, OPTIONS.get(command, RequestArguments).__annotations__)}"
        )
    return known, chosen, audience, wanted


def record_of(call: Call, result: Result) -> RequestRecord:
    """Return the log line of a finished call."""
    decision, track = result.decision, result.track
    return _record(
        call,
        result.request,
        action=result.action,
        rule=decision.rule,
        reason=result.reason,
        similarity=result.similarity,
        score=decision.score,
        threshold=decision.threshold,
        probability=decision.probability,
        track_id=track.id if track else None,
        timings_s=result.timings_s,
        **({"backend": track.backend} if track else {}),
    )


def failure_of(call: Call, error: CatalogError | Cancelled | KeyboardInterrupt) -> RequestRecord:
    """Return the log line of a call that ended in an error, with the fields that were known by then."""
    interrupted = isinstance(error, KeyboardInterrupt)
    return _record(
        call,
        call.understood[0] if call.understood else None,
        action="none",
        rule="cancelled" if interrupted or isinstance(error, Cancelled) else "failed",
        reason="interrupted" if interrupted else f"{type(error).__name__}: {error}",
        similarity=None,
        score=None,
        threshold=0.0,
        track_id=None,
        timings_s=call.timings_s,
    )


def _record(call: Call, request: Request | None, **outcome: Any) -> RequestRecord:
    """Return the line of a call, with fields of its request where there is one, else of the caller's choices."""
    known = {
        "features": _reading(request.features) if request else None,
        "summary": request.features.summary_of_topic if request else "",
        "prompt": request.prompt if request else "",
        "style": request.style if request else call.choices.preset or "",
        "role": request.role if request else call.choices.role or "",
        "quality": request.quality if request else call.choices.quality or "",
        "backend": request.config["backend"] if request else call.choices.backend or "",
    }
    return RequestRecord(
        id=call.id,
        created_at=call.started,
        command=call.command,
        key=call.key,
        context_sha256=call.context.sha256,
        query=call.context.query,
        choices=call.choices.model_dump(mode="json", exclude_none=True),
        listener=call.audience.listener,
        theme=call.audience.theme,
        **{**known, **outcome},
    )


def _reading(features: Features) -> Features:
    """Return the features without their sources and confidences."""
    return features.model_copy(update={"sources": {}, "confidences": {}})
