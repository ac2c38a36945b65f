"""Matrices in the type they are stored in, as the compiled loops read them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["BFLOAT16", "FLOAT16", "FLOAT32", "Weights"]


BFLOAT16, FLOAT16, FLOAT32 = 16, 17, 32
"""Kinds of weights in whole numbers of a type; a kind of 8 or 4 is quantized: code * scale + bias of its group."""


class Weights(NamedTuple):
    """A matrix (outputs, inputs) in the type it is stored in; the number of outputs is a multiple of four."""

    stored: NDArray[Any]
    """(outputs, inputs) as float32, as uint16 for both half types, or as uint8; one byte holds two codes of 4 bits."""
    kind: int
    """BFLOAT16, FLOAT16, FLOAT32, or 8 or 4 bits."""
    scales: NDArray[np.float32]
    """(outputs, groups) for 8 or 4 bits; all groups have equally many inputs."""
    biases: NDArray[np.float32]
    """The same shape as `scales`."""

    @classmethod
    def of(
        cls,
        stored: NDArray[Any],
        kind: int = FLOAT32,
        scales: NDArray[np.float32] | None = None,
        biases: NDArray[np.float32] | None = None,
    ) -> Weights:
        """Return weights without a copy, or a copy with outputs of zeros added to make a multiple of four."""
        none = np.zeros((1, 1), np.float32)
        whole = _fours(stored).view()
        whole.flags.writeable = False  # as weights in files are: the loops are compiled for one type of array
        return cls(
            whole,
            kind,
            none if scales is None else _fours(scales),
            none if biases is None else _fours(biases),
        )


def _fours(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array with rows of zeros added to make a multiple of four."""
    missing = -len(array) % 4
    return np.pad(array, [(0, missing), (0, 0)]) if missing else np.ascontiguousarray(array)
