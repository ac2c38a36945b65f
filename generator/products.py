"""Matrix products and convolutions for a processor, of float32 with weights in the type they are stored in.

A decoding step multiplies one row or two with every weight, so it lasts as long as the weights take to be read: they
are read once, on all cores. A result does not depend on the number of cores, which share the outputs and never one
sum.
"""
# mypy: disable-error-code="misc,untyped-decorator,no-untyped-def"
# (numba is untyped, and compiles what it decorates for the types it is called with)
# ruff: noqa: ANN001, ANN202, ANN201

from __future__ import annotations

import numpy as np
from numba import prange

from generator.compiled import compiled

__all__ = ["ADD", "BFLOAT16", "FLOAT16", "GELU", "SET", "convolve", "product", "unpacked_product"]

SET, ADD, GELU = 0, 1, 2
"""What becomes of a product: it is the output, is added to it, or its GELU is."""
BFLOAT16, FLOAT16 = 16, 17
"""How two bytes hold a weight; fewer bits hold it as a multiple of its group's scale, above its group's bias."""

_CHUNK = 32  # outputs that a core computes at a time
_TILE = 4  # of which it keeps this many, for up to four rows, in registers
_ROWS = 64  # of a convolution, that a core computes at a time

# 1 - Phi(x) = (1 + a1 z + ... + a6 z^6)^-16 / 2 with z = x / sqrt(2): Abramowitz and Stegun, 7.1.28.
_A1, _A2, _A3 = np.float32(0.0705230784), np.float32(0.0422820123), np.float32(0.0092705272)
_A4, _A5, _A6 = np.float32(0.0001520143), np.float32(0.0002765672), np.float32(0.0000430638)


@compiled(parallel=True)
def product(x, weight, finish, out):
    """Multiply x (rows, inputs) with float32 weights (outputs, inputs) into out (rows, outputs).

    The weights' outputs are a multiple of four; `out` may be narrower, to leave the last ones away.
    """
    for chunk in prange(-(-weight.shape[0] // _CHUNK)):
        first, made = chunk * _CHUNK, np.empty((x.shape[0], _CHUNK), np.float32)
        for at in range(first, min(first + _CHUNK, weight.shape[0]), _TILE):
            _tiles(x, weight, at, made, at - first)
        _finish(made, finish, out, first)


@compiled(parallel=True)
def unpacked_product(x, weight, kind, scales, biases, finish, out):
    """Multiply x (rows, inputs) with packed weights into out (rows, outputs), unpacking four outputs' at a time.

    `weight`: (outputs, groups, a group's bytes or halves), unsigned; else as `product`. `kind`: its bits, or BFLOAT16
    or FLOAT16, which know no `scales` and `biases` of shape (outputs, groups).
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


@compiled(parallel=True)
def convolve(x, step, weight, bias, out):
    """Multiply windows of x (numbers,), each `step` numbers after the one before, with weights (outputs, window).

    Writes out (windows, outputs) with `bias` (outputs,) added. The weights' outputs are a multiple of four; `out` may
    be narrower.
    """
    windows, size = out.shape[0], weight.shape[1]
    chunks = -(-weight.shape[0] // _CHUNK)
    for task in prange(-(-windows // _ROWS) * chunks):
        first, start = task % chunks * _CHUNK, task // chunks * _ROWS
        rows = min(_ROWS, windows - start)
        made = np.empty((rows, _CHUNK), np.float32)
        here = x[start * step : (start + rows - 1) * step + size]
        for at in range(first, min(first + _CHUNK, weight.shape[0]), _TILE):
            _window_tiles(here, step, weight, at, made, at - first)
        for row in range(rows):
            for output in range(first, min(first + _CHUNK, out.shape[1])):
                out[start + row, output] = made[row, output - first] + bias[output]


@compiled()
def _window_tiles(x, step, weight, at, made, column):
    """Multiply all windows with the weights of four outputs."""
    rows, size = made.shape[0], weight.shape[1]
    row = 0
    while row + 3 < rows:
        a, b, c, d = row * step, (row + 1) * step, (row + 2) * step, (row + 3) * step
        _four_rows(
            x[a : a + size],
            x[b : b + size],
            x[c : c + size],
            x[d : d + size],
            weight,
            at,
            made,
            row,
            column,
        )
        row += 4
    while row < rows:
        a = row * step
        _one_row(x[a : a + size], weight, at, made, row, column)
        row += 1


@compiled(inline=True)
def _tiles(x, weight, at, made, column):
    """Multiply all rows with the weights of four outputs."""
    rows = x.shape[0]
    row = 0
    while row + 3 < rows:
        _four_rows(x[row], x[row + 1], x[row + 2], x[row + 3], weight, at, made, row, column)
        row += 4
    if row + 1 < rows:
        _two_rows(x[row], x[row + 1], weight, at, made, row, column)
        row += 2
    if row < rows:
        _one_row(x[row], weight, at, made, row, column)


@compiled(inline=True)
def _four_rows(x0, x1, x2, x3, weight, at, made, row, column):
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


@compiled(inline=True)
def _two_rows(x0, x1, weight, at, made, row, column):
    w0, w1, w2, w3 = weight[at], weight[at + 1], weight[at + 2], weight[at + 3]
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = np.float32(0)
    for i in range(weight.shape[1]):
        a, b = x0[i], x1[i]
        a0, a1, a2, a3 = a0 + a * w0[i], a1 + a * w1[i], a2 + a * w2[i], a3 + a * w3[i]
        b0, b1, b2, b3 = b0 + b * w0[i], b1 + b * w1[i], b2 + b * w2[i], b3 + b * w3[i]
    _put(made[row], column, a0, a1, a2, a3)
    _put(made[row + 1], column, b0, b1, b2, b3)


@compiled(inline=True)
def _one_row(x0, weight, at, made, row, column):
    w0, w1, w2, w3 = weight[at], weight[at + 1], weight[at + 2], weight[at + 3]
    a0 = a1 = a2 = a3 = np.float32(0)
    for i in range(weight.shape[1]):
        a = x0[i]
        a0, a1, a2, a3 = a0 + a * w0[i], a1 + a * w1[i], a2 + a * w2[i], a3 + a * w3[i]
    _put(made[row], column, a0, a1, a2, a3)


@compiled(inline=True)
def _put(made, column, first, second, third, fourth):
    made[column], made[column + 1], made[column + 2], made[column + 3] = first, second, third, fourth


@compiled(inline=True)
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


@compiled()
def _gelu(x):
    """Return x times the normal distribution at x, within 2e-6."""
    z = abs(x) * np.float32(0.5**0.5)
    power = np.float32(1) + z * (_A1 + z * (_A2 + z * (_A3 + z * (_A4 + z * (_A5 + z * _A6)))))
    power *= power
    power *= power
    power *= power
    power *= power
    return max(x, np.float32(0)) - abs(x) * np.float32(0.5) / power


@compiled()
def _unpack_bfloat16(packed, out):
    for group in range(packed.shape[0]):
        for i in range(packed.shape[1]):
            bits = np.uint32(np.uint32(packed[group, i]) << np.uint32(16))
            out[group, i] = np.uint32(bits).view(np.float32)


@compiled()
def _unpack_float16(packed, out):
    for group in range(packed.shape[0]):
        for i in range(packed.shape[1]):
            half = np.uint32(packed[group, i])
            # The exponent counts from 15, not from 127; the product puts that right, for subnormals as well.
            size = np.uint32((half & np.uint32(0x7FFF)) << np.uint32(13))
            sign = np.float32(1) if half < np.uint32(0x8000) else np.float32(-1)
            out[group, i] = np.uint32(size).view(np.float32) * np.float32(2.0**112) * sign


@compiled()
def _unpack_8bit(packed, scales, biases, out):
    for group in range(packed.shape[0]):
        scale, bias = scales[group], biases[group]
        for i in range(packed.shape[1]):
            out[group, i] = np.float32(packed[group, i]) * scale + bias


@compiled()
def _unpack_4bit(packed, scales, biases, out):
    for group in range(packed.shape[0]):
        scale, bias = scales[group], biases[group]
        for i in range(packed.shape[1]):
            pair = packed[group, i]
            out[group, 2 * i] = np.float32(pair & 15) * scale + bias
            out[group, 2 * i + 1] = np.float32(pair >> 4) * scale + bias
