"""Layers of the decoder and the text encoder, computed by compiled loops over the weights of the network."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from numpy.typing import NDArray

from .kernels import normalize
from .matrices import BFLOAT16, FLOAT16, FLOAT32, Weights
from .products import SET, product

__all__ = ["Floats", "Matrix", "Norm", "copied"]


Floats: TypeAlias = NDArray[np.float32]


class Norm:
    """A layer norm."""

    def __init__(self, layer: nn.LayerNorm) -> None:
        """Use the weight and bias of a layer of the network."""
        self.weight, self.bias = _viewed(layer.weight), _viewed(layer.bias)

    def __call__(self, x: Floats) -> Floats:
        """Return x (rows, size), normalized."""
        out = np.empty_like(x)
        normalize(x, self.weight, self.bias, out)
        return out


class Matrix:
    """A linear layer without bias, in any type or quantized."""

    def __init__(
        self,
        layer: nn.Linear | nn.QuantizedLinear,
        in_files: Mapping[int, NDArray[Any]] = MappingProxyType({}),
    ) -> None:
        """Use the weights where they are: in the memory of MLX, or in a file if `in_files` has the layer's id."""
        self.outputs, dtype = layer.weight.shape[0], layer.weight.dtype
        stored = in_files.get(id(layer))
        if isinstance(layer, nn.QuantizedLinear):
            codes = np.asarray(layer.weight).view(np.uint8) if stored is None else stored
            self.weights = Weights.of(codes, layer.bits, _viewed(layer.scales), _viewed(layer.biases))
        elif dtype == mx.float32:
            self.weights = Weights.of(np.asarray(layer.weight) if stored is None else stored, FLOAT32)
        else:
            # numpy has no bfloat16, so the loops get both half types as integers of 16 bits.
            halves = np.asarray(layer.weight.view(mx.uint16)) if stored is None else stored
            self.weights = Weights.of(halves, BFLOAT16 if dtype == mx.bfloat16 else FLOAT16)

    def __call__(self, x: Floats, finish: int = SET, out: Floats | None = None) -> Floats:
        """Return the product with x (rows, inputs); `finish` is SET, GELU, or ADD to add it to `out`."""
        if out is None:
            out = np.empty((len(x), self.outputs), np.float32)
        product(x, *self.weights, finish, out)
        return out


def copied(array: mx.array) -> Floats:
    """Return a copy of an MLX array as float32."""
    return np.array(array.astype(mx.float32))


def _viewed(array: mx.array) -> Floats:
    """Return an MLX array as float32, without a copy if it is float32 already."""
    return np.asarray(array.astype(mx.float32))
