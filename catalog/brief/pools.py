"""Weighted means of the tokens of a text: what the mean of all tokens, its vector, levels out.

A text's vector is the mean of its tokens, so one telling word among many counts little. Here several means are taken,
each with weights of its own (Lin and others 2017, a structured self-attentive sentence embedding): a token weighs
exp(q·t) for a fitted query q and its state t, and of each mean a few values are kept. Queries and values were fitted
together with a network like that of the brief by `tests/benchmarks/catalog/fit_pools.py`; the model of the brief holds
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..text.minilm import single_threaded_blas

__all__ = ["Pools", "TextVectors", "vectors_of"]

Array = NDArray[np.float32]


class TextVectors(NamedTuple):
    """What the brief reads of a text's vectors."""

    layers: Array
    """Unit vectors after each layer of the encoder, shape (layers, dimension)."""
    pooled: Array
    """The values of `Pools.read`, shape (values,); empty for a model that has no pools."""


@dataclass(frozen=True, eq=False)
class Pools:
    """Fitted queries, and the values that are kept of each mean."""

    queries: Array
    """One row for each mean, shape (means, dimension)."""
    values: Array
    """Shape (means, values, dimension)."""

    @property
    def width(self) -> int:
        """Number of values of a text."""
        return int(self.values.shape[0] * self.values.shape[1])

    @single_threaded_blas()
    def read(self, tokens: NDArray[np.floating]) -> Array:
        """Return the values of all means, float32 of shape (means * values,).

        `tokens` are the states of a text's tokens as `encoder.embed_tokens` gives them, shape (tokens, dimension).
        """
        scores = tokens @ self.queries.T
        weights = np.exp(scores - scores.max(axis=0))
        means = (weights / weights.sum(axis=0)).T @ tokens
        return np.asarray((self.values @ means[:, :, None]).ravel(), dtype=np.float32)


def vectors_of(pools: Pools | None, layers: Array, tokens: Array | None) -> TextVectors:
    """Return what the brief reads of what `encoder.embed_tokens` gave of a text."""
    if pools is None or tokens is None:
        return TextVectors(layers, np.zeros(0, dtype=np.float32))
    return TextVectors(layers, pools.read(tokens))
