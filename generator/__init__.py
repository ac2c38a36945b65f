"""Everything that makes or shapes samples. Knows no mood, preset or row."""

from __future__ import annotations

from generator.errors import AudioError, Cancelled, GeneratorError, WeightsError
from generator.protocol import Audio, Generator, Progress

__all__ = [
    "Audio",
    "AudioError",
    "Cancelled",
    "Generator",
    "GeneratorError",
    "Progress",
    "WeightsError",
]
