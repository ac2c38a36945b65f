"""Lines of the logs: what was requested, and what people said of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, FiniteFloat

from .base import Name, Unit, Value
from .request import Features
from .result import Action

__all__ = ["Judgement", "Mood", "RequestRecord"]


class RequestRecord(Value):
    """One line of the request log."""

    id: str
    created_at: datetime
    command: str
    key: str
    context_sha256: str
    query: str
    summary: str
    prompt: str
    style: str
    role: str
    quality: str
    action: Action
    rule: str
    reason: str
    similarity: float | None
    score: float | None
    threshold: float
    track_id: str | None
    backend: str
    choices: dict[str, Any]
    timings_s: dict[str, float]
    listener: Name = ""
    """Who heard it; "" where the caller did not say."""
    theme: Name = ""
    """The recurring theme it was asked for; "" for none."""
    probability: FiniteFloat | None = None
    """How likely the track was to fit, where a calibrated decision served or refused it."""
    features: Features | None = None
    """How the context was read, without who read it; None where a call ended before, and in earlier lines."""


class Mood(Value):
    """How a request felt."""

    valence: Unit
    energy: Unit
    mood_tags: tuple[str, ...] = ()


class Judgement(Value):
    """What a person said of a track, or of a track in answer to a request. The newest one counts."""

    id: str
    created_at: datetime
    verdict: Literal["rated", "rejected", "allowed"]
    """Rated with `rating`; rejected for the request; allowed takes a rejection back."""
    track_id: str
    request_id: str = ""
    """The call it answers; "" when the track was judged by itself."""
    key: str = ""
    """The request key of that call."""
    rating: int | None = Field(default=None, ge=1, le=5)
    """1 to 5; None takes a rating back."""
    mood: Mood | None = None
    """That of the call; None where it is not known."""
