"""The keyword arguments of calls, as typed dictionaries, so that an editor knows the names and types of them.

They have the fields of `Context`, `Choices`, `Audience`, `Takes` and `Filter`; these models check the values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# pydantic and Python 3.10 need this one; pydantic brings it.
from typing_extensions import TypedDict

from ..presets import Environment, TimeOfDay
from .brief import StatedBrief
from .filter import Condition
from .request import Backend, QualityName, Use
from .track import State

__all__ = ["FilterArguments", "LogArguments", "MusicArguments", "RequestArguments", "SceneArguments"]


class MusicArguments(TypedDict, total=False):
    """What a caller may state about the music of a whole story; None leaves it to the text and the presets."""

    query: str | None
    application: str | None
    summary_of_topic: str | None
    emotional_tone_description: str | None
    valence: float | None
    energy: float | None
    mood_tags: str | Sequence[str] | None
    language: str | None
    brief: StatedBrief | Mapping[str, Any] | None
    preset: str | None
    role: str | None
    quality: QualityName | None
    backend: Backend | None
    license: Use | None
    loopable: bool | None
    seed: int | None
    continue_from: str | None
    melody: str | Path | None
    generation: Mapping[str, Any]


class SceneArguments(MusicArguments, total=False):
    """What a caller may state about the music of a scene, but for its place, time of day and length."""

    listener: str | None
    theme: str | None
    takes: int | None
    retakes: int | None
    keep_takes: bool | None


class RequestArguments(SceneArguments, total=False):
    """The fields of `Context` but its text, of `Choices`, of `Audience` and of `Takes`."""

    environment: Environment | None
    time_of_day: TimeOfDay | None
    duration_s: float | None


class FilterArguments(TypedDict, total=False):
    """The fields of `Filter`."""

    style: str | None
    role: str | None
    min_quality: QualityName | None
    min_model_rank: int | None
    environment: Environment | None
    time_of_day: TimeOfDay | None
    mood: str | Sequence[str]
    loopable: bool | None
    min_duration_s: float | None
    max_duration_s: float | None
    min_tempo_bpm: float | None
    max_tempo_bpm: float | None
    min_rating: int | None
    whole_pieces: bool
    backend: str | None
    license: Use | None
    language: str | None
    state: State | None
    conditions: Sequence[Condition]


class LogArguments(TypedDict, total=False):
    """The columns of the request log by which it is narrowed."""

    id: str
    command: str
    key: str
    context_sha256: str
    style: str
    role: str
    quality: str
    action: str
    rule: str
    track_id: str
    backend: str
    listener: str
    theme: str
