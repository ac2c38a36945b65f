"""A track as text for a model to read, and as plain values for an application to use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..models import Track

__all__ = ["FACTS", "track_metadata", "track_text"]


FACTS = frozenset(
    {
        "title",
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
"""The fields of a retrieved track. The context it was made for is left out: it may be private."""


def track_text(track: Track) -> str:
    """Return a track in five or six lines of text: what it was made for, its mood, style and sound."""
    sound = [f"{track.duration_s:.0f} s"]
    if track.loopable:
        sound.append("loops")
    if track.tempo_bpm:
        sound.append(f"{track.tempo_bpm:.0f} BPM")
    if track.musical_key:
        sound.append(track.musical_key)
    where = [word for word in (track.environment, track.time_of_day) if word]
    parts = [
        *([f"Title: {track.title}"] if track.title else []),
        f"Music for: {track.summary}",
        f"Mood: {', '.join(track.mood_tags) or track.tone}",
        *([f"Place and time: {', '.join(where)}"] if where else []),
        f"Style: {track.style.replace('_', ' ')}, as {track.role.replace('_', ' ')}",
        f"Sound: {', '.join(sound)}",
    ]
    return "\n".join(parts)


def track_metadata(track: Track, path: Path, score: float | None = None) -> dict[str, Any]:
    """Return the facts of a track as plain JSON values, with its file, and its score where there is one."""
    scored = {} if score is None else {"score": score}
    place = {"track_id": track.id, "path": str(path), "source": path.resolve().as_uri()}
    return {**place, **scored, **track.model_dump(mode="json", include=set(FACTS))}
