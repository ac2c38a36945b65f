"""The processor's attention, norms and activations against exact results."""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from music_catalog.generator.cpu.kernels import advance_lstm, attend, elu, normalize


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def plain_attention(queries, keys, values, seen, causal, hidden) -> np.ndarray:
    out = np.empty(queries.shape)
    for row, column, head in np.ndindex(queries.shape[:3]):
        end = seen + column * causal
        scores = keys[row, head, :end].astype(float) @ queries[row, column, head] / queries.shape[3] ** 0.5
        scores[hidden[row, :end]] = -np.inf
        weights = np.exp(scores - scores.max())
        out[row, column, head] = weights @ values[row, head, :end] / weights.sum()
    return out


@pytest.mark.parametrize("width", [1, 6, 64])
@pytest.mark.parametrize(
    ("seen", "columns", "causal"), [(1, 1, True), (8, 3, True), (13, 1, True), (5, 4, False)]
)
@pytest.mark.parametrize("padded", [False, True])
def test_attention_is_exact(width, seen, columns, causal, padded):
    queries = numbers(2, columns, 3, width)
    keys, values = numbers(2, 3, 20, width, seed=1), numbers(2, 3, 20, width, seed=2)
    hidden = np.zeros((2, 20), np.bool_)
    hidden[1, 1:4] = padded and seen > 4
    out = np.full_like(queries, np.nan)
    attend(queries, keys, values, hidden if padded else hidden[:, :0], seen, causal, out)
    np.testing.assert_allclose(out, plain_attention(queries, keys, values, seen, causal, hidden), atol=2e-6)


def test_attention_to_scores_far_apart_is_finite():
    queries, values = np.full((1, 1, 1, 4), 50, np.float32), numbers(1, 1, 6, 4)
    keys = np.linspace(-50, 50, 6, dtype=np.float32)[None, None, :, None].repeat(4, axis=3)
    out = np.empty_like(queries)
    attend(queries, keys, values, np.zeros((1, 0), np.bool_), 6, False, out)
    np.testing.assert_allclose(out[0, 0, 0], values[0, 0, -1], atol=1e-6)


def test_norm_is_that_of_mlx():
    layer = nn.LayerNorm(48)
    layer.weight, layer.bias = mx.array(numbers(48, seed=1)), mx.array(numbers(48, seed=2))
    x = numbers(5, 48) * 3 + 7
    out = np.empty_like(x)
    normalize(x, np.array(layer.weight), np.array(layer.bias), out)
    np.testing.assert_allclose(out, np.array(layer(mx.array(x))), atol=5e-6)


def test_elu_is_exact_over_its_range():
    x = np.concatenate([np.linspace(-100, 100, 3001), np.linspace(-1e-3, 1e-3, 201)]).astype(np.float32)
    out = np.empty_like(x)
    elu(x, out)
    np.testing.assert_allclose(out, np.where(x > 0, x, np.expm1(x.astype(float))), atol=3e-7)


def test_a_recurrent_step_is_exact():
    gates, cell, hidden = numbers(3, 40) * 3, numbers(3, 10, seed=1), np.empty((3, 10), np.float32)
    enter, forget, update, leave = np.split(gates.astype(float), 4, axis=1)
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    after = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(update)
    advance_lstm(gates, cell, hidden)
    np.testing.assert_allclose(cell, after, atol=1e-6)
    np.testing.assert_allclose(hidden, sigmoid(leave) * np.tanh(after), atol=1e-6)
