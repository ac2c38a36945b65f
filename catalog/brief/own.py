"""Styles of the user's own: scored by what their presets say of themselves.

The model of the brief has weights for the styles that it was fitted to. Any other style gets its weights from a small
network over its name, description, topics, moods, valence and energy. The network says how much of each fitted style
it is, and what the wanted mood adds:

    z = a·s + m·v + b + g·c

s are the scores of the fitted styles for the text, v the valence and energy wanted, and c what `compare` says of text
and style. `tests/benchmarks/catalog/brief_own.py` fitted the network to styles that language models invented as users
write them, and to judgements of these styles under labelled texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..presets.vocabulary import MOODS
from ..text.encoder import Encoder

__all__ = ["OwnStyles", "StyleLike", "all_of", "inputs", "said"]

Array = NDArray[np.float32]

VECTOR_SCALE, TOPICS_SCALE, MOOD_SCALE = 4.0, 3.0, 0.7
"""Bring the inputs to a size at which one penalty on the weights suits all."""
LARGEST_SCORE = 4.0
"""Above this score one fitted style is as sure as another, and below its negative as hopeless."""


class StyleLike(Protocol):
    """What is read of a style preset."""

    @property
    def description(self) -> str: ...
    @property
    def valence(self) -> float: ...
    @property
    def energy(self) -> float: ...
    @property
    def moods(self) -> tuple[str, ...]: ...
    @property
    def topics(self) -> tuple[str, ...]: ...
    @property
    def environment(self) -> str | None: ...


@dataclass(frozen=True, eq=False)
class OwnStyles:
    """The fitted network."""

    hidden: Array
    """Weights and bias of the hidden layer, shape (hidden, inputs + 1)."""
    out: Array
    """Shape (fitted styles + 3, hidden + 1): weights of the fitted scores, of valence, of energy, and the bias."""
    compared: Array
    """The weights of `compare`, shape (comparisons,)."""

    def weights(self, inputs: Array) -> Array:
        """Return the weights of styles, shape (styles, fitted styles + 3), from their `inputs`."""
        hidden = np.maximum(inputs @ self.hidden[:, :-1].T + self.hidden[:, -1], 0)
        return np.asarray(hidden @ self.out[:, :-1].T + self.out[:, -1])


def all_of(style: StyleLike) -> tuple[Any, ...]:
    """Return all that is read of a style, to know it again by."""
    declared = style.moods, style.topics, style.environment
    return style.description, style.valence, style.energy, *declared


def said(fitted: NDArray[Any], mood: NDArray[Any]) -> NDArray[Any]:
    """Return what the weights of a style apply to: the fitted scores, kept within bounds, the wanted mood, and 1.

    `fitted` has the shape (..., fitted styles), `mood` (..., 2).
    """
    kept = np.clip(fitted, -LARGEST_SCORE, LARGEST_SCORE)
    return np.concatenate([kept, mood, np.ones((*kept.shape[:-1], 1))], axis=-1, dtype=np.float32)


def inputs(names: Sequence[str], styles: Sequence[StyleLike], encoder: Encoder) -> Array:
    """Return what the network reads of styles, float32 of shape (styles, inputs)."""
    named = [
        f"{name.replace('_', ' ')}. {style.description}" for name, style in zip(names, styles, strict=True)
    ]
    topics = [", ".join(style.topics) or style.description for style in styles]
    vectors = encoder.encode([*named, *topics])
    declared = [
        (
            *(MOOD_SCALE * (mood in style.moods) for mood in MOODS),
            style.valence,
            style.energy,
            style.environment is not None,
        )
        for style in styles
    ]
    parts = [
        VECTOR_SCALE * vectors[: len(styles)],
        TOPICS_SCALE * vectors[len(styles) :],
        np.asarray(declared),
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)
