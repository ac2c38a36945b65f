"""MusicGen's checkpoints in one table: size in bytes, rank, which stands in for which, which follow a melody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["CHECKPOINTS", "MODELS", "MODEL_RANKS", "Checkpoint", "choices_for", "melody_size", "rank_of"]


@dataclass(frozen=True)
class Checkpoint:
    """One of Meta's checkpoints."""

    name: str
    rank: int
    """A track made by a lower rank than the request would use is not offered."""
    size_bytes: float
    """In float32, computed from its configuration."""


CHECKPOINTS = (
    Checkpoint("small", rank=1, size_bytes=2.36e9),
    Checkpoint("medium", rank=2, size_bytes=8.03e9),
    Checkpoint("large", rank=3, size_bytes=13.7e9),
    Checkpoint("melody", rank=2, size_bytes=6.21e9),
    Checkpoint("melody-large", rank=3, size_bytes=10.5e9),
    Checkpoint("stereo-small", rank=1, size_bytes=2.43e9),
    Checkpoint("stereo-medium", rank=2, size_bytes=8.13e9),
    Checkpoint("stereo-large", rank=3, size_bytes=13.9e9),
    Checkpoint("stereo-melody", rank=2, size_bytes=6.31e9),
    Checkpoint("stereo-melody-large", rank=3, size_bytes=10.7e9),
)
MODELS: Mapping[str, float] = {one.name: one.size_bytes for one in CHECKPOINTS}
MODEL_RANKS: Mapping[str, int] = {"procedural": 0, **{one.name: one.rank for one in CHECKPOINTS}}


def rank_of(config: Mapping[str, Any]) -> int:
    """Return the rank of what a merged configuration makes music with: a plugin's own `rank`, else by its model."""
    if "rank" in config:
        return int(config["rank"])
    return MODEL_RANKS[config["size"] if config["backend"] == "mlx" else "procedural"]


def choices_for(size: str, *, melody: bool = False) -> Iterator[str]:
    """Yield `size`, then what can stand in for it: nothing larger, the nearest rank and kind first.

    With `melody` only checkpoints that follow one are yielded.
    """
    yield size
    others = [
        one
        for one in MODELS
        if one != size and MODEL_RANKS[one] <= MODEL_RANKS[size] and ("melody" in one or not melody)
    ]
    yield from sorted(others, key=lambda one: (-MODEL_RANKS[one], _unlike(one, size)))


def melody_size(size: str) -> str:
    """Return the checkpoint nearest to `size` that follows a melody; there is none as small as `small`."""
    if "melody" in size:
        return size
    stereo = "stereo-" if size.startswith("stereo-") else ""
    return f"{stereo}melody-large" if size.endswith("large") else f"{stereo}melody"


def _unlike(one: str, other: str) -> int:
    """Return in how much two differ, what they follow before how many channels they have."""
    melody = ("melody" in one) != ("melody" in other)
    return 2 * melody + (one.startswith("stereo-") != other.startswith("stereo-"))
