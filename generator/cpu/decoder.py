"""MusicGen on a processor: the networks as they are, their large parts computed by compiled loops.

MLX hands a decoding step to a processor as some thousand small operations, and multiplies half precision and quantized
weights there at a hundredth of the memory's speed. Here a block of the decoder is a dozen calls. Weights are those of
the network, in place; activations and the cache are float32, whatever the weights' type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_map
from numpy.typing import NDArray

from ..networks.bundle import Networks
from ..networks.musicgen import Condition, DecoderLayer, DecoderState, MusicgenDecoder
from ..networks.t5 import T5Encoder
from .codec import ProcessorCodec
from .kernels import attend, normalize
from .matrices import BFLOAT16, FLOAT16, FLOAT32, Weights
from .products import ADD, GELU, SET, product
from .threads import cores
from .warmup import start_loops

__all__ = ["ProcessorDecoder", "for_device", "on_processor"]


Floats: TypeAlias = NDArray[np.float32]


def on_processor(networks: Networks) -> Networks:
    """Return the networks with their large parts in loops; the codec gives up the weights that these hold otherwise."""
    start_loops(networks.dtype, networks.bits)
    return replace(
        networks,
        text_encoder=_text_encoder(networks.text_encoder, networks.in_files),
        codec=ProcessorCodec(networks.codec),
        decoder=ProcessorDecoder(networks.decoder, networks.in_files),
    )


@dataclass(eq=False)
class Cache:
    """Keys and values of one layer, (rows, heads, columns, head_dim), and those of the text."""

    keys: Floats
    values: Floats
    text: tuple[Floats, Floats] | None


@dataclass(eq=False)
class ProcessorState(DecoderState):
    """A state whose keys and values the kernels write."""

    caches: list[Cache] = field(default_factory=list)
    hidden: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), np.bool_))
    """Columns that may not be seen, (rows, columns), or (rows, 0) where all may."""
    text_hidden: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), np.bool_))
    """The same of the text."""


class ProcessorDecoder(MusicgenDecoder):
    """The decoder with its blocks in kernels."""

    def __init__(self, network: MusicgenDecoder, in_files: Mapping[int, NDArray[Any]] | None = None) -> None:
        """Share the network's weights, which must not change afterwards, or read those `in_files` there."""
        nn.Module.__init__(self)
        self.config = network.config
        for name, module in network.children().items():
            setattr(self, name, module)
        self.kernels = Kernels(
            [Block(layer, in_files or {}) for layer in network.layers],
            Norm(network.out_norm),
            Matrix(network.heads, in_files or {}),
        )

    def start(
        self, condition: Condition, columns: int, *, conditional: bool = True, unconditional: bool = False
    ) -> ProcessorState:
        """Prepare forward passes as `MusicgenDecoder.start` does."""
        plan, text = self.plan(condition, columns, conditional=conditional, unconditional=unconditional)
        columns = plan.position_table.shape[0]
        shape = (plan.rows, self.config.num_attention_heads, columns, self.config.head_dim)
        state = ProcessorState(
            **vars(plan),
            hidden=_hidden(plan.column_mask, plan.rows),
            text_hidden=_hidden(plan.text_mask, plan.rows),
        )
        states = None if text is None else _copied(text)
        with cores(plan.rows * self.config.hidden_size**2):
            for block in self.kernels.blocks:
                told = None if states is None else block.project(states)
                state.caches.append(Cache(np.zeros(shape, np.float32), np.zeros(shape, np.float32), told))
        return state

    def logits(self, hidden: mx.array) -> mx.array:
        """Return (rows, codebooks, columns, vocab_size) for the output of `hidden`."""
        rows, columns, size = hidden.shape
        with cores(hidden.size * size):
            logits = self.kernels.heads(_copied(hidden).reshape(rows * columns, size))
        by_book = logits.reshape(rows, columns, self.config.num_codebooks, -1)
        return mx.array(by_book.transpose(0, 2, 1, 3))

    def compiled_step(self, state: DecoderState) -> Callable[[mx.array], mx.array]:
        """Return a function from the next column's tokens to its logits; there is no graph to trace."""
        return partial(self, state=state)

    def _advance(self, x: mx.array, state: DecoderState) -> mx.array:
        assert isinstance(state, ProcessorState)
        rows, columns, size = x.shape
        start, state.length = state.length, state.length + columns
        flat = _copied(self.positioned(x, mx.array([start]), state)).reshape(rows * columns, size)
        for block, cache in zip(self.kernels.blocks, state.caches, strict=True):
            with cores(x.size * size):
                block(flat, cache, start, state)
            # Not with the cores held: what is called may take its time, or make music itself.
            if state.poll is not None:
                state.poll()
        return mx.array(self.kernels.out_norm(flat).reshape(rows, columns, size))


@dataclass(frozen=True, eq=False)
class Kernels:
    """The decoder's parts that the processor computes; MLX takes what is in lists of a module for parameters."""

    blocks: list[Block]
    out_norm: Norm
    heads: Matrix


class Block:
    """One layer of the network; adds to the residual stream in place."""

    def __init__(self, layer: DecoderLayer, in_files: Mapping[int, NDArray[Any]]) -> None:
        """Lay the kernels over the layer's weights."""

        def matrix(linear: nn.Module) -> Matrix:
            return Matrix(linear, in_files)

        self.heads = layer.self_attn.heads
        self.norm, self.qkv = Norm(layer.self_attn_norm), matrix(layer.self_attn.qkv_proj)
        self.out = matrix(layer.self_attn.out_proj)
        if "cross_attn" in layer:
            self.text_norm, self.text_q = Norm(layer.cross_attn_norm), matrix(layer.cross_attn.q_proj)
            self.text_kv, self.text_out = matrix(layer.cross_attn.kv_proj), matrix(layer.cross_attn.out_proj)
        self.ffn_norm, self.fc1, self.fc2 = Norm(layer.ffn_norm), matrix(layer.fc1), matrix(layer.fc2)

    def project(self, text: Floats) -> tuple[Floats, Floats]:
        """Return keys and values (rows, heads, length, head_dim) of projected text (rows, length, hidden_size)."""
        rows, length, size = text.shape
        pair = self.text_kv(text.reshape(rows * length, size)).reshape(rows, length, 2, self.heads, -1)
        keys, values = np.ascontiguousarray(pair.transpose(2, 0, 3, 1, 4))
        return keys, values

    def __call__(self, x: Floats, cache: Cache, start: int, state: ProcessorState) -> None:
        """Update x (rows * columns, hidden_size), whose first column is column `start` of each row."""
        size = x.shape[1]
        columns = len(x) // state.rows
        qkv = self.qkv(self.norm(x)).reshape(state.rows, columns, 3, self.heads, -1)
        cache.keys[:, :, start : start + columns] = qkv[:, :, 1].swapaxes(1, 2)
        cache.values[:, :, start : start + columns] = qkv[:, :, 2].swapaxes(1, 2)
        queries = np.ascontiguousarray(qkv[:, :, 0])
        attended = np.empty_like(queries)
        attend(queries, cache.keys, cache.values, state.hidden, start + 1, True, attended)
        self.out(attended.reshape(-1, size), ADD, x)
        if cache.text is not None:
            # Unconditional rows come last and skip this exactly, as in the network.
            keys, values = cache.text
            told = x[: len(keys) * columns]
            queries = self.text_q(self.text_norm(told)).reshape(len(keys), columns, self.heads, -1)
            attended = np.empty_like(queries)
            attend(queries, keys, values, state.text_hidden, keys.shape[2], False, attended)
            self.text_out(attended.reshape(-1, size), ADD, told)
        self.fc2(self.fc1(self.ffn_norm(x), GELU), ADD, x)


class Norm:
    """A layer norm."""

    def __init__(self, layer: nn.LayerNorm) -> None:
        """Lay the kernel over weight and bias."""
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
        """View the weights where MLX keeps them, or in a file."""
        self.outputs, dtype = layer.weight.shape[0], layer.weight.dtype
        stored = in_files.get(id(layer))
        if isinstance(layer, nn.QuantizedLinear):
            codes = np.asarray(layer.weight).view(np.uint8) if stored is None else stored
            self.weights = Weights.of(codes, layer.bits, _viewed(layer.scales), _viewed(layer.biases))
        elif dtype == mx.float32:
            self.weights = Weights.of(np.asarray(layer.weight) if stored is None else stored, FLOAT32)
        else:
            halves = np.asarray(layer.weight.view(mx.uint16)) if stored is None else stored
            self.weights = Weights.of(halves, BFLOAT16 if dtype == mx.bfloat16 else FLOAT16)

    def __call__(self, x: Floats, finish: int = SET, out: Floats | None = None) -> Floats:
        """Return the product with x (rows, inputs); with ADD it is added to `out`."""
        if out is None:
            out = np.empty((len(x), self.outputs), np.float32)
        product(x, *self.weights, finish, out)
        return out


class ProcessorLinear(nn.Module):  # type: ignore[misc]
    """A linear layer without bias within a network that MLX computes."""

    def __init__(self, layer: nn.Linear, in_files: Mapping[int, NDArray[Any]]) -> None:
        """Lay the kernels over the layer's weights."""
        super().__init__()
        self.matrix = Matrix(layer, in_files)

    def __call__(self, x: mx.array) -> mx.array:
        """Map (..., inputs) to (..., outputs), float32."""
        rows = _copied(x).reshape(-1, x.shape[-1])
        with cores(rows.size * rows.shape[1]):
            made = self.matrix(rows)
        return mx.array(made.reshape(*x.shape[:-1], -1))


def _text_encoder(network: T5Encoder, in_files: Mapping[int, NDArray[Any]]) -> T5Encoder:
    """Return the same network with its matrices in kernels."""
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


def _copied(array: mx.array) -> Floats:
    """Return a copy of an array of MLX as float32 of numpy."""
    return np.array(array.astype(mx.float32))


def _viewed(array: mx.array) -> Floats:
    """Return an array of MLX as float32 of numpy, where it is if it is that."""
    return np.asarray(array.astype(mx.float32))


def _hidden(mask: mx.array | None, rows: int) -> NDArray[np.bool_]:
    """Return where (rows, 1, 1, columns) of what may be seen is false; nowhere without a mask."""
    return np.zeros((rows, 0), np.bool_) if mask is None else ~np.array(mask)[:, 0, 0]


def for_device(networks: Networks) -> Networks:
    """Return the networks as they are for a GPU, and with loops for their large parts for a processor."""
    import mlx.core as mx

    if mx.default_device().type == mx.DeviceType.gpu:
        return networks
    pass

    return on_processor(networks)
