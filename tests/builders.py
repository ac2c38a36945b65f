"""Values for tests, each valid as it is; keyword arguments change what a test is about."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from music_catalog.models import Choices, Context, Features, Request, Track

CONFIG: dict[str, Any] = {
    "backend": "procedural",
    "size": "small",
    "duration_s": 10.0,
    "loopable": False,
    "steps_per_second": 50.0,
    "seed": None,
}


def a_track(**changes: Any) -> Track:
    values: dict[str, Any] = {
        "id": "a",
        "created_at": datetime(2026, 1, 2, tzinfo=timezone.utc),
        "key": "k",
        "context": "calm rain",
        "context_sha256": "0" * 64,
        "summary": "calm rain",
        "tone": "calm",
        "prompt": "ambient. calm rain. calm.",
        "mood_tags": ("calm",),
        "valence": 0.4,
        "energy": -0.6,
        "style": "ambient_lofi",
        "role": "background_bed",
        "quality": "standard",
        "duration_s": 10.0,
        "sample_rate": 32_000,
        "channels": 2,
        "backend": "procedural",
        "model": "procedural-1",
        "model_rank": 0,
        "weights_license": "none",
        "seed": 1,
        "audio_path": "audio/00/" + "0" * 64 + ".wav",
        "audio_sha256": "0" * 64,
        "audio_bytes": 100,
        "encoder": "word-hash",
    }
    return Track.model_validate({**values, **changes})


def some_features(**changes: Any) -> Features:
    values: dict[str, Any] = {
        "summary_of_topic": "calm rain",
        "emotional_tone_description": "calm",
        "valence": 0.4,
        "energy": -0.6,
        "mood_tags": ("calm",),
    }
    return Features.model_validate({**values, **changes})


def a_request(
    *,
    context: Context | None = None,
    features: Features | None = None,
    choices: Choices | None = None,
    config: dict[str, Any] | None = None,
    **changes: Any,
) -> Request:
    values: dict[str, Any] = {
        "key": "k",
        "context": context or Context(text="calm rain"),
        "features": features or some_features(),
        "choices": choices or Choices(),
        "style": "ambient_lofi",
        "role": "background_bed",
        "quality": "standard",
        "why": {},
        "prompt": "ambient. calm rain. calm.",
        "config": {**CONFIG, **(config or {})},
        "config_sources": {},
    }
    return Request.model_validate({**values, **changes})
