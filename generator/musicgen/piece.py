"""One piece of music to make, read from a prompt and a configuration."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..audio.loop import extra_s
from ..protocol import Audio
from .settings import Settings

if TYPE_CHECKING:
    from ..networks.sampling import Sampling

__all__ = ["LoopSettings", "Piece", "batches"]


@dataclass(frozen=True)
class LoopSettings:
    """The length of the loop to cut from a piece, and whether it must be exactly that long."""

    duration_s: float
    exact: bool


@dataclass(frozen=True, eq=False)
class Piece:
    """One piece to make: words, settings, the melody it follows, and the loop that is cut from it."""

    prompt: str
    settings: Settings
    melody: Audio | None = None
    loop: LoopSettings | None = None

    @classmethod
    def read(cls, prompt: str, config: Mapping[str, Any], melody: Audio | None, frame_rate: int) -> Piece:
        """Read a configuration; a piece for a loop is longer than the loop. Raises GeneratorError."""
        settings = Settings.read(config, frame_rate)
        if not config.get("loopable"):
            return cls(prompt, settings, melody)
        duration_s = settings.frames / frame_rate
        frames = settings.frames + math.ceil(extra_s(duration_s) * frame_rate)
        exact = config.get("normalize_duration") == "strict"
        return cls(prompt, replace(settings, frames=frames), melody, LoopSettings(duration_s, exact))


def batches(pieces: list[Piece], max_batch: int) -> list[list[int]]:
    """Return the indices of pieces that can be made together: those of the same length and sampling."""
    groups: dict[tuple[int, Sampling], list[int]] = {}
    for row, piece in enumerate(pieces):
        groups.setdefault((piece.settings.frames, piece.settings.sampling), []).append(row)
    return [
        rows[start : start + max_batch]
        for rows in groups.values()
        for start in range(0, len(rows), max_batch)
    ]
