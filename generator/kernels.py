"""Loops that a processor runs for MusicGen's decoder, compiled by numba.

A decoding step multiplies one row or two with every weight, so it lasts as long as the weights take to be read: a product
here reads them once, on all cores, in the type they are stored in. Activations are float32. A result does not depend
on the number of cores, which share the outputs and never one sum.
"""
# mypy: disable-error-code="misc,untyped-decorator,no-untyped-def"
# (numba is untyped, and compiles what it decorates for the types it is called with)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import prange

__all__ = ["ADD", "BFLOAT16", "FLOAT16", "GELU", "SET", "attend", "normalize", "product", "unpacked_product"]

SET, ADD, GELU = 0, 1, 2
"""What becomes of a product: it is the output, is added to it, or its GELU is."""
BFLOAT16, FLOAT16 = 16, 17
"""How two bytes hold a weight; fewer bits hold it as a multiple of its group's scale, above its group's bias."""

_CHUNK = 32  # outputs that a core computes at a time
_TILE = 4  # of which it keeps this many, for up to four rows, in registers
_LEAST_EXPONENT = np.float32(-87)  # whose power is the smallest normal number
_EPSILON = np.float32(1e-5)

# 1 - Phi(x) = (1 + a1 z + ... + a6 z^6)^-16 / 2 with z = x / sqrt(2): Abramowitz and Stegun, 7.1.28.
_A1, _A2, _A3 = np.float32(0.0705230784), np.float32(0.0422820123), np.float32(0.0092705272)
_A4, _A5, _A6 = np.float32(0.0001520143), np.float32(0.0002765672), np.float32(0.0000430638)


def _compiled(parallel: bool = False) -> Callable[[Any], Any]:
    """Return numba's decorator, set to keep what it compiles on disk where that is possible."""
    # Sums may be reordered, so that they run in vectors, and products fused with sums; infinities stay what they are.
    options = {"fastmath": {"reassoc", "contract", "nsz"}, "nogil": True, "error_model": "numpy"}

    def decorate(function: Any) -> Any:
        try:
            return numba.njit(cache=True, parallel=parallel, **options)(function)
        except RuntimeError:  # there is no folder that can be written to
            return numba.njit(parallel=parallel, **options)(function)

    return decorate


@_compiled(parallel=True)
def product(x, weight, finish, out):
    """Multiply x (rows, inputs) with float32 weights (outputs, inputs) into out (rows, outputs).

    The weights' outputs are a multiple of four; `out` may be narrower, to leave the last ones away.
    """
    for chunk in prange(-(-weight.shape[0] // _CHUNK)):
        first, made = chunk * _CHUNK, np.empty((x.shape[0], _CHUNK), np.float32)
        for at in range(first, min(first + _CHUNK, weight.shape[0]), _TILE):
            _tiles(x, weight, at, made, at - first)
        _finish(made, finish, out, first)


@_compiled(parallel=True)
def unpacked_product(x, weight, kind, scales, biases, finish, out):
    """Multiply x (rows, inputs) with packed weights into out (rows, outputs), unpacking four outputs' at a time.

    `weight`: (outputs, groups, a group's bytes or halves), unsigned; else as `product`. `kind`: its bits, or BFLOAT16 or
    FLOAT16, which know no `scales` and `biases` of shape (outputs, groups).
    """
    for chunk in prange(-(-weight.shape[0] // _CHUNK)):
        first, made = chunk * _CHUNK, np.empty((x.shape[0], _CHUNK), np.float32)
        tile = np.empty((_TILE, weight.shape[1], x.shape[1] // weight.shape[1]), np.float32)
        flat = tile.reshape((_TILE, x.shape[1]))
        for at in range(first, min(first + _CHUNK, weight.shape[0]), _TILE):
            for j in range(_TILE):
                if kind == BFLOAT16:
                    _unpack_bfloat16(weight[at + j], tile[j])
                elif kind == FLOAT16:
                    _unpack_float16(weight[at + j], tile[j])
                elif kind == 8:
                    _unpack_8bit(weight[at + j], scales[at + j], biases[at + j], tile[j])
                else:
                    _unpack_4bit(weight[at + j], scales[at + j], biases[at + j], tile[j])
            _tiles(x, flat, 0, made, at - first)
        _finish(made, finish, out, first)


@_compiled()
def _tiles(x, weight, at, made, column):
    """Multiply all rows with the weights of four outputs."""
    rows = x.shape[0]
    row = 0
    while row + 3 < rows:
        _four_rows(x, row, weight, at, made, column)
        row += 4
    if row + 1 < rows:
        _two_rows(x, row, weight, at, made, column)
        row += 2
    if row < rows:
        _one_row(x, row, weight, at, made, column)


@_compiled()
def _four_rows(x, row, weight, at, made, column):
    x0, x1, x2, x3 = x[row], x[row + 1], x[row + 2], x[row + 3]
    w0, w1, w2, w3 = weight[at], weight[at + 1], weight[at + 2], weight[at + 3]
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = np.float32(0)
    c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = np.float32(0)
    for i in range(weight.shape[1]):
        a, b, c, d = x0[i], x1[i], x2[i], x3[i]
        w = w0[i]
        a0, b0, c0, d0 = a0 + a * w, b0 + b * w, c0 + c * w, d0 + d * w
        w = w1[i]
        a1, b1, c1, d1 = a1 + a * w, b1 + b * w, c1 + c * w, d1 + d * w
        w = w2[i]
        a2, b2, c2, d2 = a2 + a * w, b2 + b * w, c2 + c * w, d2 + d * w
        w = w3[i]
        a3, b3, c3, d3 = a3 + a * w, b3 + b * w, c3 + c * w, d3 + d * w
    _put(made[row], column, a0, a1, a2, a3)
    _put(made[row + 1], column, b0, b1, b2, b3)
    _put(made[row + 2], column, c0, c1, c2, c3)
    _put(made[row + 3], column, d0, d1, d2, d3)


@_compiled()
def _two_rows(x, row, weight, at, made, column):
    x0, x1 = x[row], x[row + 1]
    w0, w1, w2, w3 = weight[at], weight[at + 1], weight[at + 2], weight[at + 3]
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = np.float32(0)
    for i in range(weight.shape[1]):
        a, b = x0[i], x1[i]
        a0, a1, a2, a3 = a0 + a * w0[i], a1 + a * w1[i], a2 + a * w2[i], a3 + a * w3[i]
        b0, b1, b2, b3 = b0 + b * w0[i], b1 + b * w1[i], b2 + b * w2[i], b3 + b * w3[i]
    _put(made[row], column, a0, a1, a2, a3)
    _put(made[row + 1], column, b0, b1, b2, b3)


@_compiled()
def _one_row(x, row, weight, at, made, column):
    x0 = x[row]
    w0, w1, w2, w3 = weight[at], weight[at + 1], weight[at + 2], weight[at + 3]
    a0 = a1 = a2 = a3 = np.float32(0)
    for i in range(weight.shape[1]):
        a = x0[i]
        a0, a1, a2, a3 = a0 + a * w0[i], a1 + a * w1[i], a2 + a * w2[i], a3 + a * w3[i]
    _put(made[row], column, a0, a1, a2, a3)


@_compiled()
def _put(made, column, first, second, third, fourth):
    made[column], made[column + 1], made[column + 2], made[column + 3] = first, second, third, fourth


@_compiled()
def _finish(made, finish, out, first):
    for row in range(out.shape[0]):
        here = out[row, first : first + _CHUNK]
        for i in range(len(here)):
            if finish == ADD:
                here[i] += made[row, i]
            elif finish == GELU:
                here[i] = _gelu(made[row, i])
            else:
                here[i] = made[row, i]


@_compiled()
def _gelu(x):
    """Return x times the normal distribution at x, within 2e-6."""
    z = abs(x) * np.float32(0.5**0.5)
    power = np.float32(1) + z * (_A1 + z * (_A2 + z * (_A3 + z * (_A4 + z * (_A5 + z * _A6)))))
    power *= power
    power *= power
    power *= power
    power *= power
    return max(x, np.float32(0)) - abs(x) * np.float32(0.5) / power


@_compiled()
def _unpack_bfloat16(packed, out):
    for group in range(packed.shape[0]):
        for i in range(packed.shape[1]):
            bits = np.uint32(np.uint32(packed[group, i]) << np.uint32(16))
            out[group, i] = np.uint32(bits).view(np.float32)


@_compiled()
def _unpack_float16(packed, out):
    for group in range(packed.shape[0]):
        for i in range(packed.shape[1]):
            half = np.uint32(packed[group, i])
            # The exponent counts from 15, not from 127; the product puts that right, for subnormals as well.
            size = np.uint32((half & np.uint32(0x7FFF)) << np.uint32(13))
            sign = np.float32(1) if half < np.uint32(0x8000) else np.float32(-1)
            out[group, i] = np.uint32(size).view(np.float32) * np.float32(2.0**112) * sign


@_compiled()
def _unpack_8bit(packed, scales, biases, out):
    for group in range(packed.shape[0]):
        scale, bias = scales[group], biases[group]
        for i in range(packed.shape[1]):
            out[group, i] = np.float32(packed[group, i]) * scale + bias


@_compiled()
def _unpack_4bit(packed, scales, biases, out):
    for group in range(packed.shape[0]):
        scale, bias = scales[group], biases[group]
        for i in range(packed.shape[1]):
            pair = packed[group, i]
            out[group, 2 * i] = np.float32(pair & 15) * scale + bias
            out[group, 2 * i + 1] = np.float32(pair >> 4) * scale + bias


@_compiled(parallel=True)
def attend(queries, keys, values, hidden, seen, causal, out):
    """Attend from queries (rows, columns, heads, width) to keys and values (rows, heads, all columns, width).

    Column c sees the first `seen` of them, and c more if `causal`, but none where `hidden` (rows, all columns) is true;
    with `hidden` of shape (rows, 0) none is. Writes out, shaped as the queries.
    """
    rows, columns, heads, width = queries.shape
    scale = np.float32(1) / np.sqrt(np.float32(width))
    for task in prange(rows * heads * columns):
        row, head, column = task // (heads * columns), task // columns % heads, task % columns
        scores = np.empty(seen + column if causal else seen, np.float32)
        _score(queries[row, column, head], keys[row, head], scale, scores)
        if hidden.shape[1]:
            for i in range(len(scores)):
                if hidden[row, i]:
                    scores[i] = -np.inf
        _average(values[row, head], scores, _softmax(scores), out[row, column, head])


@_compiled()
def _score(query, keys, scale, scores):
    fours = len(scores) // 4
    for four in range(fours):
        at = 4 * four
        k0, k1, k2, k3 = keys[at], keys[at + 1], keys[at + 2], keys[at + 3]
        s0 = s1 = s2 = s3 = np.float32(0)
        for i in range(len(query)):
            q = query[i]
            s0, s1, s2, s3 = s0 + q * k0[i], s1 + q * k1[i], s2 + q * k2[i], s3 + q * k3[i]
        scores[at], scores[at + 1], scores[at + 2], scores[at + 3] = s0, s1, s2, s3
    for at in range(4 * fours, len(scores)):
        k0, s0 = keys[at], np.float32(0)
        for i in range(len(query)):
            s0 += query[i] * k0[i]
        scores[at] = s0
    for at in range(len(scores)):
        scores[at] *= scale


@_compiled()
def _softmax(scores):
    """Turn scores into weights, and return the sum that they have to be divided by."""
    highest = np.float32(-np.inf)
    for i in range(len(scores)):
        highest = max(highest, scores[i])
    total = np.float32(0)
    for i in range(len(scores)):
        scores[i] = _exp(max(scores[i] - highest, _LEAST_EXPONENT))
        total += scores[i]
    return total


@_compiled()
def _exp(x):
    """Return e to the x of -87 to 0, within 3e-7 of it, in operations that run in vectors."""
    whole = np.floor(x * np.float32(1.44269504) + np.float32(0.5))
    r = x - whole * np.float32(0.693147181)
    power = np.float32(1 / 120) + r * np.float32(1 / 720)
    power = np.float32(1 / 6) + r * (np.float32(1 / 24) + r * power)
    power = np.float32(1) + r * (np.float32(1) + r * (np.float32(0.5) + r * power))
    return power * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


@_compiled()
def _average(values, weights, total, out):
    for i in range(len(out)):
        out[i] = np.float32(0)
    fours = len(weights) // 4
    for four in range(fours):
        at = 4 * four
        v0, v1, v2, v3 = values[at], values[at + 1], values[at + 2], values[at + 3]
        p0, p1, p2, p3 = weights[at], weights[at + 1], weights[at + 2], weights[at + 3]
        for i in range(len(out)):
            out[i] += p0 * v0[i] + p1 * v1[i] + p2 * v2[i] + p3 * v3[i]
    for at in range(4 * fours, len(weights)):
        v0, p0 = values[at], weights[at]
        for i in range(len(out)):
            out[i] += p0 * v0[i]
    for i in range(len(out)):
        out[i] /= total


@_compiled()
def normalize(x, weight, bias, out):
    """Write layer norm of x (rows, size) to out, with an epsilon of 1e-5."""
    rows, size = x.shape
    for row in range(rows):
        total = np.float32(0)
        for i in range(size):
            total += x[row, i]
        mean = total / np.float32(size)
        total = np.float32(0)
        for i in range(size):
            total += (x[row, i] - mean) * (x[row, i] - mean)
        factor = np.float32(1) / np.sqrt(total / np.float32(size) + _EPSILON)
        for i in range(size):
            out[row, i] = (x[row, i] - mean) * factor * weight[i] + bias[i]
