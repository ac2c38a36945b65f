"""Attention, norms and activations for a processor, in float32."""

# mypy: disable-error-code="misc,untyped-decorator,no-untyped-def"
# (numba is untyped, and compiles what it decorates for the types it is called with)
# ruff: noqa: ANN001, ANN202, ANN201

from __future__ import annotations

import numpy as np
from numba import prange

from .threads import compiled

__all__ = ["advance_lstm", "attend", "elu", "normalize"]


_LEAST_EXPONENT = np.float32(-87)  # e to the -87 is about the smallest normal float32
_EPSILON = np.float32(1e-5)


@compiled(parallel=True)
def attend(queries, keys, values, hidden, seen, causal, out):
    """Attend from queries (rows, columns, heads, width) to keys and values (rows, heads, all columns, width).

    Column c of the queries attends to the first `seen` columns, and to c more if `causal`. It skips columns where
    `hidden` (rows, all columns) is true; `hidden` of shape (rows, 0) hides none. Writes `out`, shaped as the queries.
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


@compiled()
def _score(query, keys, scale, scores):
    """Write the scaled products of a query with all keys, four at a time: each number of the query is loaded once."""
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


@compiled()
def _softmax(scores):
    """Turn scores into weights in place; return their sum, by which the caller divides."""
    highest = np.float32(-np.inf)
    for i in range(len(scores)):
        highest = max(highest, scores[i])
    total = np.float32(0)
    for i in range(len(scores)):
        scores[i] = _exp(max(scores[i] - highest, _LEAST_EXPONENT))
        total += scores[i]
    return total


@compiled()
def _exp(x):
    """Return e to the x, for x from -87 to 0, within 2e-7; unlike `np.exp` it runs in vectors."""
    # e^x = 2^whole * e^r with |r| <= log(2) / 2: a polynomial of r, and `whole` set as the exponent of a float32.
    whole = np.floor(x * np.float32(1.44269504) + np.float32(0.5))
    r = x - whole * np.float32(0.693147181)
    power = np.float32(1 / 120) + r * np.float32(1 / 720)
    power = np.float32(1 / 6) + r * (np.float32(1 / 24) + r * power)
    power = np.float32(1) + r * (np.float32(1) + r * (np.float32(0.5) + r * power))
    return power * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


@compiled()
def _average(values, weights, total, out):
    """Write the average of the values, four at a time: each number of `out` is loaded once for four."""
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


@compiled()
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


@compiled(parallel=True)
def elu(x, out):
    """Write ELU of x (numbers,) to out: x above zero, e to the x minus one below."""
    for i in prange(len(x)):
        below = _exp(max(min(x[i], np.float32(0)), _LEAST_EXPONENT)) - np.float32(1)
        out[i] = x[i] if x[i] > 0 else below


@compiled()
def advance_lstm(gates, cell, hidden):
    """Update cell and hidden state (rows, size) by one step of gates (rows, 4 * size): input, forget, cell, output."""
    rows, size = cell.shape
    for row in range(rows):
        for i in range(size):
            kept = _sigmoid(gates[row, size + i]) * cell[row, i]
            cell[row, i] = kept + _sigmoid(gates[row, i]) * np.tanh(gates[row, 2 * size + i])
            hidden[row, i] = _sigmoid(gates[row, 3 * size + i]) * np.tanh(cell[row, i])


@compiled()
def _sigmoid(x):
    return np.float32(1) / (np.float32(1) + np.exp(-x))
