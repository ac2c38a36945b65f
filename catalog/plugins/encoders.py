"""A plugin's encoder as the catalog uses it: set up when it is named, and its vectors checked before they are taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Unavailable
from .installed import Plugin, load, one_line

__all__ = ["PluginEncoder"]

UNIT = 1e-3
"""How far the length of a vector may be from 1."""


class PluginEncoder:
    """The encoder of a plugin; its identity says how the catalog pools the vectors of a long text (`pooling`)."""

    def __init__(self, plugin: Plugin, pooling: str) -> None:
        """Set the encoder up. Raises Unavailable in one sentence."""
        self._name = plugin.name
        make: Callable[[], Any] = load(plugin)
        try:
            self._encoder = make()
            identity, dimension = self._encoder.identity, self._encoder.dimension
        except (Exception, SystemExit) as error:  # a plugin may raise anything
            raise Unavailable(f"the encoder {self._name} cannot be set up: {one_line(error)}") from error
        if (
            not isinstance(identity, str)
            or not identity.strip()
            or type(dimension) is not int
            or dimension < 1
        ):
            raise Unavailable(
                f"the encoder {self._name} states the identity {identity!r:.60} and the dimension {dimension!r:.20}; "
                "they must be a text and a whole number"
            )
        self.identity = f"{identity}/{dimension}/{pooling}"
        self.dimension = dimension

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors, shape (len(texts), dimension). Raises Unavailable for any fault of the plugin."""
        try:
            vectors = np.asarray(self._encoder.encode(list(texts)), dtype=np.float32)
        except (Exception, SystemExit) as error:  # a plugin may raise anything
            raise Unavailable(f"the encoder {self._name} failed: {one_line(error)}") from error
        if vectors.shape != (len(texts), self.dimension):
            raise Unavailable(
                f"the encoder {self._name} gave vectors of shape {vectors.shape} for {len(texts)} texts, "
                f"and must give ({len(texts)}, {self.dimension})"
            )
        if len(texts) and not np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=UNIT):
            raise Unavailable(f"the encoder {self._name} gave vectors whose length is not 1")
        return vectors
