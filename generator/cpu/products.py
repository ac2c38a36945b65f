"""Matrix products and convolutions for a processor, of float32 with weights in the type they are stored in.

A decoding step multiplies one row or two with every weight, so it lasts as long as the weights take to be read: they
are read once, on all cores. A result does not depend on the number of cores: they share the outputs and never one sum.

The compiled functions are in one file because numba's cache on disk sees changes of that file alone.
"""

# mypy: disable-error-code="misc,untyped-decorator,no-untyped-def,no-untyped-call"
# (numba is untyped, and compiles what it decorates for the types it is called with)
# ruff: noqa: ANN001, ANN202, ANN201, ARG001

from __future__ import annotations

import numpy as np
from numba import prange, types
from numba.extending import overload
from numpy.typing import NDArray

from .matrices import BFLOAT16
from .threads import compiled

__all__ = ["ADD", "GELU", "SET", "by_outputs", "convolve", "product"]


SET, ADD, GELU = 0, 1, 2
"""What becomes of a product: it is the output, it is added to the output, or its GELU is the output."""

_CHUNK = 32  # outputs that a core computes at a time
_TILE = 4  # of these, the outputs whose sums are in registers, for up to four rows
_WINDOWS = 64  # windows of a convolution that a core computes at a time

# 1 - Phi(x) = (1 + a1 z + ... + a6 z^6)^-16 / 2 with z = x / sqrt(2): Abramowitz and Stegun, 7.1.28.
_A1, _A2, _A3 = np.float32(0.0705230784), np.float32(0.0422820123), np.float32(0.0092705272)
_A4, _A5, _A6 = np.float32(0.0001520143), np.float32(0.0002765672), np.float32(0.0000430638)


@compiled(parallel=True)
def product(x, stored, kind, scales, biases, finish, out):
    """Multiply x (rows, inputs) with the weights of a `Weights` into out (rows, outputs).

    `out` may have fewer columns; the last outputs are then left out.
    """
    rows, inputs, outputs = x.shape[0], x.shape[1], stored.shape[0]
    for chunk in prange(-(-outputs // _CHUNK)):
        first = chunk * _CHUNK
        last = min(first + _CHUNK, outputs)
        # Each core has memory of its own for a chunk, and writes to `out` once: cores never share a line of the cache.
        sums = np.empty((rows, _CHUNK), np.float32)
        copy = np.empty((_TILE, inputs), np.float32)
        for output in range(first, last, _TILE):
            weights, at = _ready(stored, kind, scales, biases, output, copy)
            _multiply(x, weights, at, sums, output - first)
        _finish(sums, finish, out, first)


@compiled(parallel=True)
def convolve(x, step, weight, bias, out):
    """Multiply windows of x (numbers,), each `step` numbers after the one before, with weights of `by_outputs`.

    Writes out (windows, outputs) with `bias` (outputs,) added.
    """
    windows, outputs = out.shape[0], weight.shape[0]
    chunks = -(-outputs // _CHUNK)
    for task in prange(-(-windows // _WINDOWS) * chunks):
        first, start = task % chunks * _CHUNK, task // chunks * _WINDOWS
        last, count = min(first + _CHUNK, outputs), min(_WINDOWS, windows - start)
        sums = np.empty((count, _CHUNK), np.float32)
        for output in range(first, last, _TILE):
            _multiply_windows(x, start * step, step, weight, output, sums, output - first)
        for window in range(count):
            for i in range(np.uintp(min(last, out.shape[1]) - first)):
                output = np.uintp(first) + i
                out[start + window, output] = sums[window, i] + bias[output]


def by_outputs(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return weights (outputs, inputs) with outputs of zeros added to make a multiple of four."""
    return np.ascontiguousarray(np.pad(weight, [(0, -len(weight) % _TILE), (0, 0)]))


# Four outputs at a time with four rows, two or one, so that each number is used several times once it is loaded. Each
# sum is a variable of its own, so that the compiler keeps it in a register. Some indices are unsigned: numba checks
# others for negative values in the loop, which would keep it from running in vectors.


@compiled(inline=True)
def _multiply(x, weights, at, sums, column):
    """Multiply all rows with the weights of four outputs, from row `at` of `weights` on."""
    rows = x.shape[0]
    row = 0
    while row + 3 < rows:
        _four_rows(x[row], x[row + 1], x[row + 2], x[row + 3], weights, at, sums, row, column)
        row += 4
    if row + 1 < rows:
        _two_rows(x[row], x[row + 1], weights, at, sums, row, column)
        row += 2
    if row < rows:
        _one_row(x[row], weights, at, sums, row, column)


@compiled()
def _multiply_windows(x, start, step, weight, at, sums, column):
    """Multiply all windows, the first from number `start` of x on, with the weights of four outputs."""
    count, size = sums.shape[0], weight.shape[1]
    window = 0
    while window + 3 < count:
        a = start + window * step
        b, c, d = a + step, a + 2 * step, a + 3 * step
        x0, x1, x2, x3 = x[a : a + size], x[b : b + size], x[c : c + size], x[d : d + size]
        _four_rows(x0, x1, x2, x3, weight, at, sums, window, column)
        window += 4
    while window < count:
        a = start + window * step
        _one_row(x[a : a + size], weight, at, sums, window, column)
        window += 1


@compiled(inline=True)
def _four_rows(x0, x1, x2, x3, weights, at, sums, row, column):
    w0, w1, w2, w3 = weights[at], weights[at + 1], weights[at + 2], weights[at + 3]
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = np.float32(0)
    c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = np.float32(0)
    for i in range(weights.shape[1]):
        a, b, c, d = x0[i], x1[i], x2[i], x3[i]
        w = w0[i]
        a0, b0, c0, d0 = a0 + a * w, b0 + b * w, c0 + c * w, d0 + d * w
        w = w1[i]
        a1, b1, c1, d1 = a1 + a * w, b1 + b * w, c1 + c * w, d1 + d * w
        w = w2[i]
        a2, b2, c2, d2 = a2 + a * w, b2 + b * w, c2 + c * w, d2 + d * w
        w = w3[i]
        a3, b3, c3, d3 = a3 + a * w, b3 + b * w, c3 + c * w, d3 + d * w
    _put(sums[row], column, a0, a1, a2, a3)
    _put(sums[row + 1], column, b0, b1, b2, b3)
    _put(sums[row + 2], column, c0, c1, c2, c3)
    _put(sums[row + 3], column, d0, d1, d2, d3)


@compiled(inline=True)
def _two_rows(x0, x1, weights, at, sums, row, column):
    w0, w1, w2, w3 = weights[at], weights[at + 1], weights[at + 2], weights[at + 3]
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = np.float32(0)
    for i in range(weights.shape[1]):
        a, b = x0[i], x1[i]
        a0, a1, a2, a3 = a0 + a * w0[i], a1 + a * w1[i], a2 + a * w2[i], a3 + a * w3[i]
        b0, b1, b2, b3 = b0 + b * w0[i], b1 + b * w1[i], b2 + b * w2[i], b3 + b * w3[i]
    _put(sums[row], column, a0, a1, a2, a3)
    _put(sums[row + 1], column, b0, b1, b2, b3)


@compiled(inline=True)
def _one_row(x0, weights, at, sums, row, column):
    w0, w1, w2, w3 = weights[at], weights[at + 1], weights[at + 2], weights[at + 3]
    a0 = a1 = a2 = a3 = np.float32(0)
    for i in range(weights.shape[1]):
        a = x0[i]
        a0, a1, a2, a3 = a0 + a * w0[i], a1 + a * w1[i], a2 + a * w2[i], a3 + a * w3[i]
    _put(sums[row], column, a0, a1, a2, a3)


@compiled(inline=True)
def _put(sums, column, first, second, third, fourth):
    sums[column], sums[column + 1], sums[column + 2], sums[column + 3] = first, second, third, fourth


@compiled()
def _finish(sums, finish, out, first):
    """Write the sums of one chunk to the outputs from `first` on."""
    at, width = np.uintp(first), min(_CHUNK, out.shape[1] - first)
    for row in range(out.shape[0]):
        for i in range(np.uintp(max(0, width))):
            if finish == ADD:
                out[row, at + i] += sums[row, i]
            elif finish == GELU:
                out[row, at + i] = _gelu(sums[row, i])
            else:
                out[row, at + i] = sums[row, i]


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


def _ready(stored, kind, scales, biases, output, copy):
    """Return an array with the float32 weights of four outputs, and the row in it where they begin.

    It is `stored` itself or `copy`. Compiled functions alone call it; `_ready_of` chooses the body by the stored type.
    """


@overload(_ready)
def _ready_of(stored, kind, scales, biases, output, copy):
    if stored.dtype == types.float32:
        return _ready_float32
    return _ready_half if stored.dtype == types.uint16 else _ready_quantized


def _ready_float32(stored, kind, scales, biases, output, copy):
    return stored, output


def _ready_half(stored, kind, scales, biases, output, copy):
    if kind == BFLOAT16:
        _unpack_bfloat16(stored, output, copy)
    else:
        _unpack_float16(stored, output, copy)
    return copy, 0


def _ready_quantized(stored, kind, scales, biases, output, copy):
    if kind == 8:
        _unpack_8bit(stored, scales, biases, output, copy)
    else:
        _unpack_4bit(stored, scales, biases, output, copy)
    return copy, 0


@compiled()
def _unpack_bfloat16(halves, output, out):
    for row in range(_TILE):
        for i in range(np.uintp(out.shape[1])):
            bits = np.uint32(np.uint32(halves[output + row, i]) << np.uint32(16))
            out[row, i] = np.uint32(bits).view(np.float32)


@compiled()
def _unpack_float16(halves, output, out):
    for row in range(_TILE):
        for i in range(np.uintp(out.shape[1])):
            half = np.uint32(halves[output + row, i])
            # The exponent counts from 15, not from 127; the product puts that right, for subnormals as well.
            size = np.uint32((half & np.uint32(0x7FFF)) << np.uint32(13))
            sign = np.float32(1) if half < np.uint32(0x8000) else np.float32(-1)
            out[row, i] = np.uint32(size).view(np.float32) * np.float32(2.0**112) * sign


@compiled()
def _unpack_8bit(codes, scales, biases, output, out):
    size = np.uintp(codes.shape[1] // scales.shape[1])
    for row in range(_TILE):
        for group in range(np.uintp(scales.shape[1])):
            scale, bias = scales[output + row, group], biases[output + row, group]
            for i in range(group * size, group * size + size):
                out[row, i] = np.float32(codes[output + row, i]) * scale + bias


@compiled()
def _unpack_4bit(codes, scales, biases, output, out):
    half = np.uintp(codes.shape[1] // scales.shape[1])
    for row in range(_TILE):
        for group in range(np.uintp(scales.shape[1])):
            scale, bias = scales[output + row, group], biases[output + row, group]
            for i in range(group * half, group * half + half):
                pair = np.int32(codes[output + row, i])
                out[row, np.uintp(2) * i] = np.float32(pair & np.int32(15)) * scale + bias
                out[row, np.uintp(2) * i + np.uintp(1)] = np.float32(pair >> np.int32(4)) * scale + bias
