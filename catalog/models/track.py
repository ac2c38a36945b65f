"""A track, and lists of tracks."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat

from .base import Label, Line, Unit, Value
from .request import Environment, QualityName, TimeOfDay

__all__ = ["Hit", "Page", "State", "Track"]

State = Literal["ready", "trashed"]


class Track(Value):
    """One track of the catalog: a row, and the file it points to."""

    id: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    created_at: datetime
    key: str
    context: str
    """The first 32,000 characters of the context that it was made for; `context_sha256` covers the whole."""
    context_sha256: str
    query: str = ""
    summary: str
    tone: str
    prompt: str
    mood_tags: tuple[str, ...] = ()
    valence: Unit
    energy: Unit
    style: str
    role: str
    quality: QualityName
    environment: Environment | None = None
    time_of_day: TimeOfDay | None = None
    language: str = "und"
    duration_s: FiniteFloat = Field(gt=0)
    loopable: bool = False
    sample_rate: int = Field(gt=0)
    channels: int = Field(ge=1, le=2)
    tempo_bpm: FiniteFloat | None = None
    musical_key: str | None = None
    loudness_lufs: FiniteFloat | None = None
    """Integrated loudness (ITU-R BS.1770); None when the clip is silent."""
    true_peak_db: FiniteFloat | None = None
    """dBTP; None when the clip is silent."""
    backend: str
    model: str
    model_rank: int = Field(ge=0)
    weights_license: str
    ai_generated: bool = True
    seed: int
    config: dict[str, Any] = Field(default_factory=dict)
    config_sources: dict[str, str] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    audio_path: str
    """Relative to the home folder, with forward slashes."""
    audio_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    audio_bytes: int = Field(gt=0)
    encoder: str
    """Identity of the encoder that made the row's vector."""
    generation_s: FiniteFloat = Field(default=0.0, ge=0)
    state: State = "ready"
    trashed_at: datetime | None = None
    rating: int | None = Field(default=None, ge=1, le=5)
    tags: Annotated[tuple[Label, ...], Field(max_length=64)] = ()
    """Labels that a person put on it."""
    note: Annotated[Line, Field(max_length=2_000)] = ""
    """A person's note on it."""
    seam: FiniteFloat | None = None
    """How much the join of the loop stands out; None where it was not measured."""
    variant_of: str | None = None
    """The id of another track for the same request, of which this is a variant with another seed."""


class Hit(Value):
    """One search result."""

    track: Track
    path: Path
    score: float
    """Cosine similarity for a search by meaning. For words or both, scores compare within one search only."""


class Page(Value):
    """A page of tracks that meet a query."""

    query: str
    """The query as it was parsed; it parses to the same query again."""
    tracks: tuple[Track, ...]
    scores: dict[str, float]
    """By track id, for a search; empty for a list. See `Hit`."""
    total: int
    """How many tracks meet the query, on all pages."""
    facets: dict[str, dict[str, int]]
    """For mood, style, role, quality, environment, backend and rating: how many of these tracks have each value, most
    frequent first; "none" counts those without a value."""
