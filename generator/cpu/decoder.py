"""MusicGen's decoder on a processor: its blocks computed by compiled loops.

MLX hands a decoding step to a processor as some thousand small operations, and multiplies half precision and quantized
weights there at a hundredth of the memory's speed. Here a block is a dozen calls. The weights are those of the network,
not copies. Activations and the cache are float32, whatever the type of the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from numpy.typing import NDArray

from ..networks.musicgen import Condition, DecoderLayer, DecoderState, MusicgenDecoder
from .kernels import attend
from .layers import Floats, Matrix, Norm, copied
from .products import ADD, GELU
from .threads import cores

__all__ = ["ProcessorDecoder"]


@dataclass(eq=False)
class Cache:
    """Keys and values of one layer, (rows, heads, columns, head_dim), and those of the text if it attends to one."""

    keys: Floats
    values: Floats
    text: tuple[Floats, Floats] | None


@dataclass(eq=False)
class ProcessorState(DecoderState):
    """A state whose keys and values are written by the loops."""

    caches: list[Cache] = field(default_factory=list)
    hidden: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), np.bool_))
    """Columns that attention must skip, (rows, columns), or (rows, 0) where it skips none."""
    text_hidden: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), np.bool_))
    """Tokens of the text that attention must skip, in the same way."""


class ProcessorDecoder(MusicgenDecoder):
    """The decoder with its blocks in loops; takes the place of the `MusicgenDecoder` that it is made of."""

    def __init__(self, network: MusicgenDecoder, in_files: Mapping[int, NDArray[Any]] | None = None) -> None:
        """Share the weights of the network, which must not change afterwards; those `in_files` are read there."""
        nn.Module.__init__(self)
        self.config = network.config
        for name, module in network.children().items():
            setattr(self, name, module)
        self.kernels = Kernels(
            [Block(layer, in_files or {}) for layer in network.layers],
            Norm(network.out_norm),
            Matrix(network.heads, in_files or {}),
        )

    def capacity(self, columns: int) -> int:
        """Return `columns`: memory of any length is given back here."""
        return columns

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
        states = None if text is None else copied(text)
        with cores(plan.rows * self.config.hidden_size**2):
            for block in self.kernels.blocks:
                projected = None if states is None else block.project(states)
                keys, values = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
                state.caches.append(Cache(keys, values, projected))
        return state

    def logits(self, hidden: mx.array) -> mx.array:
        """Return (rows, codebooks, columns, vocab_size) for the output of `hidden`."""
        rows, columns, size = hidden.shape
        with cores(hidden.size * size):
            logits = self.kernels.heads(copied(hidden).reshape(rows * columns, size))
        by_book = logits.reshape(rows, columns, self.config.num_codebooks, -1)
        return mx.array(by_book.transpose(0, 2, 1, 3))

    def compiled_step(self, state: DecoderState) -> Callable[[mx.array], mx.array]:
        """Return a function from the next column's tokens to its logits; there is no graph to trace."""
        return partial(self, state=state)

    def _advance(self, x: mx.array, state: DecoderState) -> mx.array:
        assert isinstance(state, ProcessorState)
        rows, columns, size = x.shape
        start, state.length = state.length, state.length + columns
        flat = copied(self.positioned(x, mx.array([start]), state)).reshape(rows * columns, size)
        for block, cache in zip(self.kernels.blocks, state.caches, strict=True):
            with cores(x.size * size):
                block(flat, cache, start, state)
            # Outside of `cores`: the callback may be slow, and may itself make music, which needs the cores.
            if state.poll is not None:
                state.poll()
        return mx.array(self.kernels.out_norm(flat).reshape(rows, columns, size))


@dataclass(frozen=True, eq=False)
class Kernels:
    """The parts of the decoder that run in loops; in a list of an MLX module they would count as its parameters."""

    blocks: list[Block]
    out_norm: Norm
    heads: Matrix


class Block:
    """One layer of the decoder; adds its outputs to the residual stream in place."""

    def __init__(self, layer: DecoderLayer, in_files: Mapping[int, NDArray[Any]]) -> None:
        """Use the weights of a layer of the network."""

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
        """Update x (rows * columns, hidden_size), which holds the columns of each row from column `start` on."""
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
            # Rows without text come last and skip this, as in the network.
            keys, values = cache.text
            conditional = x[: len(keys) * columns]
            queries = self.text_q(self.text_norm(conditional)).reshape(len(keys), columns, self.heads, -1)
            attended = np.empty_like(queries)
            attend(queries, keys, values, state.text_hidden, keys.shape[2], False, attended)
            self.text_out(attended.reshape(-1, size), ADD, conditional)
        self.fc2(self.fc1(self.ffn_norm(x), GELU), ADD, x)


def _hidden(mask: mx.array | None, rows: int) -> NDArray[np.bool_]:
    """Return the columns to skip, (rows, columns), of a mask (rows, 1, 1, columns) that is true at those to see."""
    return np.zeros((rows, 0), np.bool_) if mask is None else ~np.array(mask)[:, 0, 0]
