"""The vectors of the ear: a track is heard in windows, and its vector is the mean of theirs.

The model hears 10 seconds at a time. A window is as long as the model hears; the windows of a track follow each other
without a gap, and the last one ends with the track. A shorter track is one window, which the model repeats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["BATCH", "DIMENSION", "RULE", "mean_vector", "windows"]

Array = NDArray[np.float32]

DIMENSION = 512
"""Of the vectors of every CLAP checkpoint that LAION published."""
RULE = "windows-1"
"""Version of the rule by which a track is cut and its windows are pooled; raise it when the rule changes."""
BATCH = 4
"""Windows that the network hears at once."""


def windows(samples: Array, length: int) -> list[Array]:
    """Return the windows of `length` samples that cover `samples`, float32 of shape (frames,), in their order.

    Samples that are shorter than a window are returned as the one window.
    """
    if len(samples) <= length:
        return [samples]
    starts = [*range(0, len(samples) - length, length), len(samples) - length]
    return [samples[start : start + length] for start in starts]


def mean_vector(parts: Sequence[Array], hear: Callable[[Sequence[Array]], Array]) -> Array | None:
    """Return the mean of the unit vectors that `hear` gives for windows, brought to length 1; None without a direction.

    `hear` gets up to `BATCH` windows and returns shape (windows, DIMENSION).
    """
    total = np.zeros(DIMENSION, dtype=np.float64)
    for start in range(0, len(parts), BATCH):
        total += hear(parts[start : start + BATCH]).sum(axis=0, dtype=np.float64)
    length = float(np.linalg.norm(total))
    if not np.isfinite(length) or length == 0.0:
        return None
    return np.asarray(total / length, dtype=np.float32)
