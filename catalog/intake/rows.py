"""From what is known of a file to the track that stands for it."""

from __future__ import annotations

import hashlib
import platform
from datetime import datetime, timezone
from typing import Any

from ..generator.weights.sizes import MODEL_RANKS
from ..models import IMPORTED, Features, Track
from ..version import package_version
from .decoding import RATE
from .impressions import Impression
from .words import Words

__all__ = ["RANK", "ROLE", "UNKNOWN", "summary_of", "track_of"]


ROLE = "background_bed"
"""The role of music that nobody gave one."""
UNKNOWN = "unknown"
"""The licence of music of which nobody knows it, and the maker of music that names none."""
RANK = max(MODEL_RANKS.values())
"""Music that somebody made counts as much as what the largest model makes."""
OCTAVES = (0.5, 1.0, 2.0)
SAME_TEMPO = 0.04


def track_of(
    words: Words,
    known: dict[str, Any],
    impression: Impression,
    features: Features | None,
    *,
    text: str,
    encoder: str,
    batch: str,
    track_id: str,
    name: str,
    original: tuple[str, str, int],
    audio_path: str,
) -> Track:
    """Return the track of a file, `known` as `preparing.prepare` returns it.

    `text` is what the words say, `name` the path that the file was found at, `original` the path below the home, the
    sha256 and the size of the file as it came.
    """
    original_path, original_sha256, original_bytes = original
    tempo, tempo_by = _tempo(words, known["tempo_bpm"])
    key, key_by = _key(words, known["musical_key"])
    said = {
        field: value for field, value in words.model_dump(mode="json").items() if field in _KEPT and value
    }
    config = said | {
        "original": original_path,
        "original_sha256": original_sha256,
        "original_bytes": original_bytes,
        "original_name": name,
        "decoded_from": known["described"],
        "gain_db": known["gain_db"],
        "batch": batch,
        "style_by": impression.by,
        "style_sure": impression.sure,
        "style_chances": impression.styles,
    }
    sources = {
        field: by for field, by in words.said_by.items() if field in (*_KEPT, "title", "license", "role")
    }
    sources |= {"tempo_bpm": tempo_by, "musical_key": key_by, "style": impression.by}
    return Track(
        id=track_id,
        created_at=datetime.now(timezone.utc),
        key=f"{IMPORTED}/{original_sha256}",
        context=text,
        context_sha256=hashlib.sha256(text.encode("utf-8")).hexdigest(),
        summary=summary_of(words),
        tone=impression.tone,
        prompt="",
        mood_tags=impression.mood_tags,
        valence=impression.valence,
        energy=impression.energy,
        style=impression.style,
        role=words.role or ROLE,
        quality=words.quality or "final",
        environment=impression.environment,
        time_of_day=impression.time_of_day,
        language=features.language if features else "und",
        duration_s=known["duration_s"],
        loopable=bool(words.loopable),
        sample_rate=RATE,
        channels=known["channels"],
        tempo_bpm=tempo,
        musical_key=key,
        loudness_lufs=known["loudness_lufs"],
        measured=known["measured"],
        true_peak_db=known["true_peak_db"],
        backend=IMPORTED,
        model=words.made_by or words.artist or UNKNOWN,
        model_rank=RANK if words.model_rank is None else words.model_rank,
        weights_license=words.license or UNKNOWN,
        ai_generated=bool(words.ai_generated),
        seed=0,
        config=config,
        config_sources={field: by for field, by in sources.items() if by},
        versions={"music-catalog": package_version(), "python": platform.python_version()},
        audio_path=audio_path,
        audio_sha256=known["copy_sha256"],
        audio_bytes=known["copy_bytes"],
        encoder=encoder,
        tags=tuple(tag[:60] for tag in words.tags[:32]),
        title=words.title[:200],
    )


_KEPT = (
    "artist",
    "album",
    "genres",
    "moods",
    "comment",
    "description",
    "folder",
    "source",
    "rights",
    "made_by",
)


def summary_of(words: Words) -> str:
    """Return what a piece is in a line: its description, else its genres, else its title."""
    return (words.description or ", ".join(words.genres) or words.title)[:300]


def _tempo(words: Words, measured: float | None) -> tuple[float | None, str]:
    """Return the tempo and who says it: the tags where the measurement agrees but for an octave, or found none."""
    if words.tempo_bpm is None:
        return measured, "measured" if measured else ""
    by = words.said_by.get("tempo_bpm", "")
    if measured is None:
        return words.tempo_bpm, by
    agree = any(abs(words.tempo_bpm * octave / measured - 1.0) < SAME_TEMPO for octave in OCTAVES)
    return (words.tempo_bpm, by) if agree else (measured, f"measured; {by} said {words.tempo_bpm:g}")


def _key(words: Words, measured: str | None) -> tuple[str | None, str]:
    if words.musical_key:
        return words.musical_key, words.said_by.get("musical_key", "")
    return measured, "measured" if measured else ""
