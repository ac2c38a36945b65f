"""Context to features: what the text is about, how it feels, where and when it takes place.

The mood has two readers: the words that name it (`mood`), and for the rest the heads fitted to the encoder's vectors
(`heads`), or, with an encoder that none were fitted to, cosine to prototype sentences (`prototypes`) and VADER (Hutto
and Gilbert 2014). The more mood words there are, the more they decide. A value that the caller states is never
overruled. docs/FEATURES.md holds the figures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..models import Context, Features, Source
from . import confidence, feeling, setting
from .encoder import Encoder
from .parsed import ParsedText, parse
from .summary import summarize

__all__ = ["VERSION", "extract", "features_of", "tone_of"]


VERSION = "features-4"
"""Raise it when texts are read in another way: a calibration on the old readings is void then."""


def extract(context: Context, encoder: Encoder | None = None, *, cache_dir: Path | None = None) -> Features:
    """Return the features of `context`, whose text is parsed first (see `parse`).

    Deterministic. Raises Unavailable when the encoder cannot be had.
    """
    return features_of(context, parse(context, encoder, cache_dir))


def features_of(context: Context, text: ParsedText) -> Features:
    """Return the features of `context`, whose text was parsed; the fields that it states are taken as they are."""
    encoded = text.layers is not None
    sources: dict[str, Source] = {}
    by: Source = "encoder" if encoded else "text"

    def choose(name: str, reading: Any, source: Source) -> Any:
        """Return the field as the caller states it, else as it was read, and note the source."""
        value = getattr(context, name)
        stated = value not in (None, "", ())
        sources[name] = "caller" if stated else source
        return value if stated else reading

    mood = feeling.stated_mood(context)
    felt_by: Source = "caller" if mood else "text" if text.named else text.reader
    read_valence, read_energy = mood or feeling.valence_and_energy(text)
    valence = float(choose("valence", round(read_valence, 3), felt_by))
    energy = float(choose("energy", round(read_energy, 3), felt_by))
    tags = feeling.clean_tags(choose("mood_tags", None, felt_by))
    tags = tags or feeling.mood_tags(text, valence, energy, mood)
    place = setting.environment(text.plain, text.whole, text.prototypes)
    environment = choose("environment", place.environment, by)
    time = setting.time_of_day(text.plain, staged=environment is not None)
    time_of_day = choose("time_of_day", time.time_of_day, "text")
    spoken = choose("language", text.language, "default" if text.language == "und" else "text")
    confidences = {
        "valence": confidence.of_side("valence", valence, 0.0, text.reader),
        "energy": confidence.of_side("energy", energy, feeling.ENERGY_REST, text.reader),
        "mood_tags": feeling.confidence_of_tags(text, tags[0]),
        "environment": confidence.of_environment(place, encoded=encoded),
        "time_of_day": confidence.of_time_of_day(time),
        "language": text.language_confidence,
    }
    topic = summarize(text.pieces) or context.text[:80]
    values = {
        "summary_of_topic": choose("summary_of_topic", topic, "text"),
        "emotional_tone_description": choose("emotional_tone_description", tone_of(tags, energy), "text"),
        "valence": valence,
        "energy": energy,
        "mood_tags": tags,
        "environment": environment,
        "time_of_day": time_of_day,
        "language": spoken,
        "glossed": text.glossed,
    }
    return Features(
        **values,
        sources=sources,
        confidences={
            name: 1.0 if sources[name] == "caller" else round(value, 3) for name, value in confidences.items()
        },
    )


def tone_of(tags: tuple[str, ...], energy: float) -> str:
    """Return the mood in words: "calm and hopeful, low energy"; without tags the energy alone."""
    named = tags[:3]
    moods = f"{', '.join(named[:-1])} and {named[-1]}" if len(named) > 1 else "".join(named)
    levels = ((-0.6, "very low"), (-0.2, "low"), (0.2, "moderate"), (0.6, "high"))
    level = next((word for bound, word in levels if energy < bound), "very high")
    return f"{moods}, {level} energy" if moods else f"{level} energy"
