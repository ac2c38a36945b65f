"""A track in words for a model to read, and in plain values for an application to use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..models import Track

__all__ = ["FACTS", "described", "facts"]


FACTS = frozenset(
    {
        "summary",
        "tone",
        "mood_tags",
        "valence",
        "energy",
        "style",
        "role",
        "quality",
        "environment",
        "time_of_day",
        "duration_s",
        "loopable",
        "sample_rate",
        "channels",
        "tempo_bpm",
        "musical_key",
        "loudness_lufs",
        "backend",
        "model",
        "weights_license",
        "ai_generated",
        "seed",
        "rating",
        "tags",
        "note",
        "created_at",
    }
)
"""What a retrieved track states about itself. The context it was made for stays in the catalog: it may be private."""


def described(track: Track) -> str:
    """Return a track in one paragraph: what it was made for, how it feels, what it is."""
    heard = [f"{track.duration_s:.0f} s"]
    if track.loopable:
        heard.append("loops")
    if track.tempo_bpm:
        heard.append(f"{track.tempo_bpm:.0f} BPM")
    if track.musical_key:
        heard.append(track.musical_key)
    where = [word for word in (track.environment, track.time_of_day) if word]
    parts = [
        f"Music for: {track.summary}",
        f"Mood: {', '.join(track.mood_tags) or track.tone}",
        *([f"Place and time: {', '.join(where)}"] if where else []),
        f"Style: {track.style.replace('_', ' ')}, as {track.role.replace('_', ' ')}",
        f"Sound: {', '.join(heard)}",
    ]
    return "\n".join(parts)


def facts(track: Track, path: Path, score: float | None = None) -> dict[str, Any]:
    """Return what is known of a track as plain JSON values, with its file and, where it was searched for, its score."""
    found = {} if score is None else {"score": score}
    place = {"track_id": track.id, "path": str(path), "source": path.resolve().as_uri()}
    return {**place, **found, **track.model_dump(mode="json", include=set(FACTS))}
