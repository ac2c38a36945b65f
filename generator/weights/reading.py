"""Read the weights of networks into memory, without more memory than they need."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from ..device import require
from ..networks.bundle import Networks
from .files import PARTS

if TYPE_CHECKING:
    import mlx.core as mx

__all__ = ["LOADING", "compute_weights", "read_weights", "size_bytes"]


LOADING = "load this model", "a smaller one, or load it with bits=4"
"""For an error about memory: what the memory is needed for, and what to ask for instead."""


def size_bytes(networks: Networks) -> int:
    """Return the bytes of all weights, in memory or in files."""
    parts = networks.text_encoder, networks.codec, networks.decoder
    return sum(_bytes_of(part.parameters()) for part in parts)


def read_weights(networks: Networks, *, read: Collection[str] = ()) -> None:
    """Read and convert all weights but those of `networks.in_files`; raise GeneratorError where they do not fit.

    `read`: the networks that are in memory already.

    Weights are read layer by layer: only one layer at a time is in memory both as it is stored and as it is used.
    Weights that stay in files count as read, because every step needs them in memory as well.
    """
    import mlx.core as mx

    waiting = [getattr(networks, part) for part in PARTS if part not in read]
    left = sum(_bytes_of(network.parameters()) for network in waiting)
    for network in waiting:
        in_files = {id(layer.weight) for layer in network.modules() if id(layer) in networks.in_files}
        rest = _bytes_of(network.parameters())
        for layer in getattr(network, "layers", ()):
            # Check before each layer: threads and fragments take memory too.
            require(left, *LOADING)
            mx.eval(_arrays(layer.parameters(), but=in_files))
            left -= (part := _bytes_of(layer.parameters()))
            rest -= part
        require(left, *LOADING)
        mx.eval(_arrays(network.parameters(), but=in_files))
        left -= rest


def compute_weights(networks: Networks) -> None:
    """Compute what was not read yet: another thread cannot go on with arrays that this one has begun."""
    import mlx.core as mx

    for network in (networks.text_encoder, networks.codec, networks.decoder):
        in_files = {id(layer.weight) for layer in network.modules() if id(layer) in networks.in_files}
        mx.eval(_arrays(network.parameters(), but=in_files))


def _arrays(parameters: Any, *, but: Collection[int] = ()) -> list[mx.array]:
    from mlx.utils import tree_flatten

    return [array for _, array in tree_flatten(parameters) if id(array) not in but]


def _bytes_of(parameters: Any) -> int:
    return sum(array.nbytes for array in _arrays(parameters))
