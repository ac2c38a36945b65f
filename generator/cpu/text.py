"""The text encoder on a processor: MLX computes it, but for its matrix products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_map
from numpy.typing import NDArray

from ..networks.t5 import T5Encoder
from .layers import Matrix, copied
from .threads import cores

__all__ = ["with_loops"]


class ProcessorLinear(nn.Module):  # type: ignore[misc]
    """A linear layer without bias within a network that MLX computes."""

    def __init__(self, layer: nn.Linear, in_files: Mapping[int, NDArray[Any]]) -> None:
        """Use the weights of a layer of the network."""
        super().__init__()
        self.matrix = Matrix(layer, in_files)

    def __call__(self, x: mx.array) -> mx.array:
        """Map (..., inputs) to (..., outputs), float32."""
        rows = copied(x).reshape(-1, x.shape[-1])
        with cores(rows.size * rows.shape[1]):
            outputs = self.matrix(rows)
        return mx.array(outputs.reshape(*x.shape[:-1], -1))


def with_loops(network: T5Encoder, in_files: Mapping[int, NDArray[Any]]) -> T5Encoder:
    """Return a text encoder with the same weights whose matrix products run in loops; itself where they do already."""
    if any(isinstance(module, ProcessorLinear) for module in network.modules()):
        return network
    twin = T5Encoder(network.config)
    twin.update(network.parameters())
    twin.update_modules(
        tree_map(
            lambda module: ProcessorLinear(module, in_files) if isinstance(module, nn.Linear) else module,
            network.leaf_modules(),
            is_leaf=nn.Module.is_module,
        )
    )
    return twin
