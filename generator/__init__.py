"""Everything that makes or shapes samples. Knows no preset, role or row; `synth.prompt` reads words of a prompt."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .errors import AudioError, Cancelled, GeneratorError, WeightsError
from .loading import load_generator
from .protocol import Audio, Generator, Progress

if TYPE_CHECKING:
    from .musicgen.adapter import MusicgenAdapter
    from .synth.generator import ProceduralGenerator

__all__ = [
    "Audio",
    "AudioError",
    "Cancelled",
    "Generator",
    "GeneratorError",
    "MusicgenAdapter",
    "ProceduralGenerator",
    "Progress",
    "WeightsError",
    "load_generator",
]


_HOMES = {"MusicgenAdapter": ".musicgen.adapter", "ProceduralGenerator": ".synth.generator"}


def __getattr__(name: str) -> Any:
    """Import a generator when it is first used; the networks bring mlx with them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value
