"""MusicGen's decoder on a processor: the network of `generator.musicgen`, its blocks computed by `generator.kernels`.

MLX hands a step of two rows to a processor as some thousand small operations, and multiplies half precision and
quantized weights there at a hundredth of the memory's speed. Here a block is a dozen calls. Weights are those of the
network, in place; activations and the cache are float32, whatever the weights' type.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from numpy.typing import NDArray

from generator.compiled import CORES
from generator.kernels import attend, normalize
from generator.musicgen import Condition, DecoderLayer, DecoderState, MusicgenDecoder
from generator.products import ADD, BFLOAT16, FLOAT16, GELU, SET, product, unpacked_product

__all__ = ["ProcessorDecoder", "for_device"]

Floats: TypeAlias = NDArray[np.float32]


def for_device(network: MusicgenDecoder) -> MusicgenDecoder | ProcessorDecoder:
    """Return what computes the network best on MLX's default device."""
    on_gpu = mx.default_device().type == mx.DeviceType.gpu
    return network if on_gpu else ProcessorDecoder(network)


@dataclass(eq=False)
class Cache:
    """Keys and values of one layer, (rows, heads, columns, head_dim), and those of the text."""

    keys: Floats
    values: Floats
    text: tuple[Floats, Floats] | None


@dataclass(eq=False)
class ProcessorState:
    """All that one sequence of passes carries along; made by `ProcessorDecoder.start`."""

    plan: DecoderState  # without layers
    caches: list[Cache]
    hidden: NDArray[np.bool_]  # (rows, columns), or (rows, 0) where every column may be seen
    text_hidden: NDArray[np.bool_]  # the same of the text

    @property
    def rows(self) -> int:
        """Return the number of sequences."""
        return self.plan.rows


class ProcessorDecoder:
    """Logits for the next column of every codebook; takes the place of `MusicgenDecoder` in generation."""

    def __init__(self, network: MusicgenDecoder) -> None:
        """Lay the kernels over the network's weights, which must not change afterwards."""
        self.network, self.config = network, network.config
        self.blocks = [Block(layer) for layer in network.layers]
        self.out_norm = Norm(network.out_norm)
        self.heads = Matrix(network.heads)

    def start(
        self, condition: Condition, columns: int, *, conditional: bool = True, unconditional: bool = False
    ) -> ProcessorState:
        """Prepare passes over `columns` columns, as `MusicgenDecoder.start` does."""
        plan, text = self.network.plan(
            condition, columns, conditional=conditional, unconditional=unconditional
        )
        shape = (
            plan.rows,
            self.config.num_attention_heads,
            plan.position_table.shape[0],
            self.config.head_dim,
        )
        states = None if text is None else _floats(text)
        with CORES:
            caches = [
                Cache(
                    np.zeros(shape, np.float32),
                    np.zeros(shape, np.float32),
                    None if states is None else block.project(states),
                )
                for block in self.blocks
            ]
        return ProcessorState(
            plan, caches, _hidden(plan.column_mask, plan.rows), _hidden(plan.text_mask, plan.rows)
        )

    def __call__(self, tokens: mx.array, state: ProcessorState) -> mx.array:
        """Map tokens (batch, codebooks, columns) to logits (state rows, codebooks, columns, vocab_size)."""
        return self.logits(self.hidden(tokens, state))

    def hidden(self, tokens: mx.array, state: ProcessorState) -> mx.array:
        """Run the blocks over the next columns; return (state rows, columns, hidden_size), normalized."""
        return self._advance(self.network.embed_columns(tokens, state.plan), state)[:, -tokens.shape[-1] :]

    def read_prefix(self, state: ProcessorState, columns: int) -> Iterator[mx.array]:
        """Run the blocks over what stands before the audio, at most `columns` of it at a time."""
        for piece in self.network.prefix_pieces(state.plan, columns):
            yield self._advance(piece, state)

    def logits(self, hidden: mx.array) -> mx.array:
        """Return (rows, codebooks, columns, vocab_size) for the output of `hidden`."""
        rows, columns, size = hidden.shape
        with CORES:
            logits = self.heads(_floats(hidden).reshape(rows * columns, size))
        by_book = logits.reshape(rows, columns, self.config.num_codebooks, -1)
        return mx.array(by_book.transpose(0, 2, 1, 3))

    def _advance(self, x: mx.array, state: ProcessorState) -> mx.array:
        rows, columns, size = x.shape
        start = state.plan.length
        flat = _floats(self.network.positioned(x, mx.array([start]), state.plan)).reshape(rows * columns, size)
        with CORES:
            for block, cache in zip(self.blocks, state.caches, strict=True):
                block(flat, cache, start, state)
            normalized = self.out_norm(flat)
        state.plan.length += columns
        return mx.array(normalized.reshape(rows, columns, size))


class Block:
    """One layer of the network; adds to the residual stream in place."""

    def __init__(self, layer: DecoderLayer) -> None:
        """Lay the kernels over the layer's weights."""
        self.heads = layer.self_attn.heads
        self.norm, self.qkv = Norm(layer.self_attn_norm), Matrix(layer.self_attn.qkv_proj)
        self.out = Matrix(layer.self_attn.out_proj)
        if "cross_attn" in layer:
            self.text_norm, self.text_q = Norm(layer.cross_attn_norm), Matrix(layer.cross_attn.q_proj)
            self.text_kv, self.text_out = Matrix(layer.cross_attn.kv_proj), Matrix(layer.cross_attn.out_proj)
        self.ffn_norm, self.fc1, self.fc2 = Norm(layer.ffn_norm), Matrix(layer.fc1), Matrix(layer.fc2)

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
        """Take a copy of weight and bias."""
        self.weight, self.bias = _floats(layer.weight), _floats(layer.bias)

    def __call__(self, x: Floats) -> Floats:
        """Return x (rows, size), normalized."""
        out = np.empty_like(x)
        normalize(x, self.weight, self.bias, out)
        return out


class Matrix:
    """A linear layer without bias, in any type or quantized."""

    def __init__(self, layer: nn.Linear | nn.QuantizedLinear) -> None:
        """View the weights where MLX keeps them."""
        self.outputs = layer.weight.shape[0]
        self.scales = self.biases = np.zeros((1, 1), np.float32)
        self.kind = 0
        if isinstance(layer, nn.QuantizedLinear):
            self.kind = layer.bits
            self.scales, self.biases = _padded(_floats(layer.scales)), _padded(_floats(layer.biases))
            weight = np.asarray(layer.weight).view(np.uint8)
            weight = weight.reshape(self.outputs, self.scales.shape[1], -1)
        elif layer.weight.dtype == mx.float32:
            weight = np.asarray(layer.weight)
        else:
            self.kind = BFLOAT16 if layer.weight.dtype == mx.bfloat16 else FLOAT16
            weight = np.asarray(layer.weight.view(mx.uint16))[:, None]
        self.weight = _padded(weight)

    def __call__(self, x: Floats, finish: int = SET, out: Floats | None = None) -> Floats:
        """Return the product with x (rows, inputs); with ADD it is added to `out`."""
        if out is None:
            out = np.empty((len(x), self.outputs), np.float32)
        if self.kind:
            unpacked_product(x, self.weight, self.kind, self.scales, self.biases, finish, out)
        else:
            product(x, self.weight, finish, out)
        return out


def _padded(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return the array with as many rows as the kernels take, a multiple of four."""
    missing = -len(array) % 4
    return np.pad(array, [(0, missing)] + [(0, 0)] * (array.ndim - 1)) if missing else array


def _floats(array: mx.array) -> Floats:
    """Return an array of MLX as float32 of numpy, to write to as well."""
    return np.array(array.astype(mx.float32))


def _hidden(mask: mx.array | None, rows: int) -> NDArray[np.bool_]:
    """Return where (rows, 1, 1, columns) of what may be seen is false; nowhere without a mask."""
    return np.zeros((rows, 0), np.bool_) if mask is None else ~np.array(mask)[:, 0, 0]
