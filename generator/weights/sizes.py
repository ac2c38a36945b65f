"""MusicGen's checkpoints in one table: size in bytes, rank, which stands in for which, which follow a melody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = [
    "CHECKPOINTS",
    "MODELS",
    "MODEL_RANKS",
    "Checkpoint",
    "choices_for",
    "melody_size",
    "needed_bytes",
    "rank_of",
]


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


_SHARED_BYTES = 0.67e9
"""Of the text encoder and the codec, in float32."""
_BYTES_OF = {None: 2.0, 8: 1.0625, 4: 0.5625}
"""Of a weight of the decoder, by bits; with a scale and a bias in float16 for each 64 of them."""
_SHAPES = {1: (24, 1024), 2: (48, 1536), 3: (48, 2048)}
"""Blocks and width by rank."""
_COLUMNS = {False: 1536, True: 1792}
"""Of a cache for 30 s, without and with a melody before the music."""


def needed_bytes(name: str, *, bits: int | None = None, gpu: bool = True) -> int:
    """Return what 30 s of music take with a checkpoint: weights, keys and values; reckoned from its configuration.

    On a GPU in float16, or in `bits`; on a processor in float32.
    """
    one = next(each for each in CHECKPOINTS if each.name == name)
    blocks, width = _SHAPES[one.rank]
    weights = (one.size_bytes - _SHARED_BYTES) / 4 * (_BYTES_OF[bits] if gpu or bits else 4)
    # Keys and values, for the two rows of guidance.
    cache = 2 * 2 * blocks * width * _COLUMNS["melody" in name] * (2 if gpu else 4)
    return int(weights + _SHARED_BYTES + cache)


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
