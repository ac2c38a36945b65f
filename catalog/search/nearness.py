"""How near two texts must be for their nearness to mean anything: nearer than nonsense comes to ordinary sentences.

Encoders differ: unrelated texts have a cosine around 0 with one and around 0.7 with another. So the line is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["least_cosine"]

NONSENSE = ("xyzzyqq plugh", "qwx zvb", "asdfghjkl", "blorf", "frobnicate quux", "hgfd jjkk", "wibble wobble")
ORDINARY = (
    "Waves roll onto an empty beach at dusk.",
    "The heroes storm the gate in a furious battle.",
    "The tavern fills with laughter and a merry song.",
    "The quarterly report shows revenue up by twelve percent.",
    "Astronauts drift past the window of the station.",
    "The detective lights a cigarette under the neon sign.",
    "A monk sweeps the temple courtyard before sunrise.",
    "Fresh croissants and coffee in a small cafe.",
    "A lullaby for a child who is afraid of the dark.",
    "Something breathes behind the door of the abandoned ward.",
    "To reset your password open the settings.",
    "The wolf pack hunts through the frozen forest.",
)


def least_cosine(encode: Callable[[Sequence[str]], NDArray[np.float32]]) -> float:
    """Return the highest cosine that a nonsense text has to an ordinary one; `encode` returns unit vectors."""
    vectors = encode([*NONSENSE, *ORDINARY])
    return float((vectors[: len(NONSENSE)] @ vectors[len(NONSENSE) :].T).max())
