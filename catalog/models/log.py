"""Lines of the logs: requests, and how people judged the answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import FiniteFloat

from .base import Name, Rating, Unit, Value
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
    """For whom the music played; "" where the caller named nobody."""
    theme: Name = ""
    """The recurring theme of the request; "" for none."""
    probability: FiniteFloat | None = None
    """How likely the track was to fit, where a calibrated decision served or refused it."""
    features: Features | None = None
    """How the context was read, without sources; None where the call ended before that, and in old lines."""


class Mood(Value):
    """How a request felt."""

    valence: Unit
    energy: Unit
    mood_tags: tuple[str, ...] = ()


class Judgement(Value):
    """A person's verdict on a track, or on a track as the answer to a request. The newest one counts."""

    id: str
    created_at: datetime
    verdict: Literal["rated", "rejected", "allowed"]
    """`rated` with `rating`; `rejected` for the request; `allowed` takes a rejection back."""
    track_id: str
    request_id: str = ""
    """The request that the track answered; "" when the track was judged by itself."""
    key: str = ""
    """The key of that request."""
    rating: Rating | None = None
    """1 to 5; None takes a rating back."""
    mood: Mood | None = None
    """The mood of that request; None where it is not known."""
