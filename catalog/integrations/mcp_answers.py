"""The structured content of the MCP tools' answers; each tool's output schema is made of these."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from ..history.suggestions import PresetSuggestion
from ..models import Action, Outcome
from ..service.jobs import JobState

__all__ = [
    "Added",
    "AddedMusic",
    "Answer",
    "FoundTrack",
    "FoundTracks",
    "Rated",
    "Rejected",
    "Steps",
    "Suggestions",
]


class FoundTrack(BaseModel):
    """A track; beside these it states all of its facts."""

    model_config = ConfigDict(extra="allow")

    track_id: str
    uri: str
    audio_uri: str
    path: str
    summary: str
    style: str
    role: str
    mood_tags: list[str]
    duration_s: float
    loopable: bool
    score: float | None = None


class FoundTracks(BaseModel):
    """Tracks, best first, and how many there are in all."""

    total: int
    tracks: list[FoundTrack]


class Added(BaseModel):
    """What became of one file."""

    path: str
    outcome: Outcome
    track_id: str | None = None
    title: str = ""
    style: str = ""
    license: str = ""
    detail: str = ""


class AddedMusic(BaseModel):
    """What became of each file; the batch can be undone as a whole."""

    batch: str
    files: list[Added]


class Suggestions(BaseModel):
    """Presets, the best first."""

    presets: list[PresetSuggestion]


class Rated(BaseModel):
    """A track as it is rated now."""

    track: FoundTrack
    rating: int | None


class Rejected(BaseModel):
    """What is not served again, and for which request."""

    track_id: str
    request_id: str


class Steps(BaseModel):
    """How far a make is."""

    done: int
    total: int


class Answer(BaseModel):
    """What find_or_make came to, or where its job stands."""

    state: JobState
    job_id: str | None = None
    action: Action | None = None
    track: FoundTrack | None = None
    similarity: float | None = None
    reason: str = ""
    request_id: str | None = None
    warnings: list[str] = []
    progress: Steps | None = None
    ahead: int = 0
    """How many makes come first."""
    error: str | None = None
