"""The closed words for moods, places and times of day: the one table of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

__all__ = ["ENVIRONMENTS", "INSTRUMENTS", "MOODS", "TIMES_OF_DAY", "Environment", "TimeOfDay"]

MOODS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "calm": (0.4, -0.7),
        "peaceful": (0.6, -0.7),
        "dreamy": (0.4, -0.5),
        "cozy": (0.6, -0.5),
        "tender": (0.5, -0.4),
        "romantic": (0.6, -0.2),
        "nostalgic": (0.1, -0.4),
        "melancholic": (-0.5, -0.5),
        "sad": (-0.7, -0.5),
        "grieving": (-0.9, -0.4),
        "lonely": (-0.6, -0.5),
        "solemn": (-0.2, -0.4),
        "mysterious": (-0.1, -0.2),
        "focused": (0.1, -0.1),
        "neutral": (0.0, 0.0),
        "curious": (0.4, 0.2),
        "hopeful": (0.6, 0.1),
        "wondrous": (0.6, 0.3),
        "determined": (0.3, 0.5),
        "happy": (0.8, 0.4),
        "funny": (0.7, 0.4),
        "playful": (0.7, 0.5),
        "joyful": (0.9, 0.6),
        "triumphant": (0.8, 0.8),
        "exciting": (0.6, 0.8),
        "energetic": (0.5, 0.9),
        "epic": (0.3, 0.8),
        "dark": (-0.6, 0.0),
        "ominous": (-0.6, 0.1),
        "tense": (-0.5, 0.5),
        "anxious": (-0.6, 0.4),
        "scary": (-0.8, 0.6),
        "angry": (-0.8, 0.8),
        "aggressive": (-0.6, 0.9),
        "chaotic": (-0.4, 0.9),
    }
)
"""Mood -> (valence, energy), each in [-1, 1]; placed by hand on the circumplex of affect (Russell 1980)."""

INSTRUMENTS: tuple[str, ...] = (
    "piano",
    "felt piano",
    "electric piano",
    "organ",
    "harpsichord",
    "accordion",
    "music box",
    "vibraphone",
    "marimba",
    "bells",
    "acoustic guitar",
    "electric guitar",
    "distorted guitar",
    "harp",
    "banjo",
    "sitar",
    "double bass",
    "bass guitar",
    "synth bass",
    "violin",
    "cello",
    "string orchestra",
    "trumpet",
    "brass section",
    "saxophone",
    "flute",
    "clarinet",
    "whistle",
    "choir",
    "vocals",
    "drum kit",
    "drum machine",
    "orchestral drums",
    "hand percussion",
    "synth lead",
    "synth pad",
)
"""Instruments that may be heard in a track."""

Environment = Literal[
    "forest",
    "rain",
    "ocean",
    "city",
    "night",
    "cave",
    "desert",
    "tavern",
    "storm",
    "snow",
    "space",
    "fireside",
]
TimeOfDay = Literal["dawn", "morning", "day", "dusk", "evening", "night"]

ENVIRONMENTS: tuple[str, ...] = get_args(Environment)
TIMES_OF_DAY: tuple[str, ...] = get_args(TimeOfDay)
