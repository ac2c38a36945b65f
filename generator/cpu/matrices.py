"""Matrices in the type they are stored in, as the loops for a processor take them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["BFLOAT16", "FLOAT16", "FLOAT32", "Weights"]


BFLOAT16, FLOAT16, FLOAT32 = 16, 17, 32
"""How whole bytes hold a weight; fewer bits hold it as a multiple of its group's scale, above its group's bias."""


class Weights(NamedTuple):
    """A matrix (outputs, inputs) as it is stored; its outputs are a multiple of four."""

    stored: NDArray[Any]
    """(outputs, numbers): float32 or, of two bytes, uint16; in fewer bits uint8, of two inputs each if they are 4."""
    kind: int
    """BFLOAT16, FLOAT16, FLOAT32, or 8 or 4 bits."""
    scales: NDArray[np.float32]
    """(outputs, groups) of 8 or 4 bits; groups are of 256 inputs or a whole part of that."""
    biases: NDArray[np.float32]
    """The same."""

    @classmethod
    def of(
        cls,
        stored: NDArray[Any],
        kind: int = FLOAT32,
        scales: NDArray[np.float32] | None = None,
        biases: NDArray[np.float32] | None = None,
    ) -> Weights:
        """Return weights where they are, or with outputs added to make fours."""
        none = np.zeros((1, 1), np.float32)
        whole = _fours(stored).view()
        whole.flags.writeable = False  # as in files: loops are compiled for that alone
        return cls(
            whole,
            kind,
            none if scales is None else _fours(scales),
            none if biases is None else _fours(biases),
        )


def _fours(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array with a multiple of four rows."""
    missing = -len(array) % 4
    return np.pad(array, [(0, missing), (0, 0)]) if missing else np.ascontiguousarray(array)
