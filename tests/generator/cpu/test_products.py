"""The processor's matrix products and convolutions against exact results."""

from __future__ import annotations

import math

import mlx.core as mx
import numba
import numpy as np
import pytest

from music_catalog.generator.cpu.matrices import BFLOAT16, FLOAT16, Weights
from music_catalog.generator.cpu.products import ADD, GELU, SET, by_outputs, convolve, product


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def exact(x, weight) -> np.ndarray:
    return x.astype(np.float64) @ weight.astype(np.float64).T


# Rows in fours, with one, two or three left over; outputs in chunks of 32, of which the last may be smaller; inputs in
# vectors of 4, 8 or 16, with some left over.
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 16, 17, 70])
@pytest.mark.parametrize(
    ("inputs", "outputs"), [(1, 4), (24, 32), (100, 36), (257, 68), (1040, 8), (1101, 64)]
)
def test_product_is_exact(rows, inputs, outputs):
    x, weight = numbers(rows, inputs), numbers(outputs, inputs, seed=1)
    out = np.full((rows, outputs), np.nan, np.float32)
    product(x, *Weights.of(weight), SET, out)
    np.testing.assert_allclose(out, exact(x, weight), atol=3e-6 * math.sqrt(inputs))


def test_a_product_is_added_where_that_is_asked_for():
    x, weight, before = numbers(3, 40), numbers(36, 40, seed=1), numbers(3, 36, seed=2)
    out = before.copy()
    product(x, *Weights.of(weight), ADD, out)
    np.testing.assert_allclose(out, before + exact(x, weight), atol=2e-5)


def test_outputs_beyond_the_width_are_left_away():
    x, weight, out = numbers(2, 8), numbers(12, 8, seed=1), np.zeros((2, 10), np.float32)
    product(x, *Weights.of(weight), SET, out)
    np.testing.assert_allclose(out, exact(x, weight)[:, :10], atol=1e-5)


def test_gelu_is_that_of_the_normal_distribution():
    x = np.linspace(-30, 30, 6004, dtype=np.float32).reshape(1, -1)
    weight = np.ones((4, 1), np.float32)
    for value in x[0][::7]:
        out = np.empty((1, 4), np.float32)
        product(np.array([[value]]), *Weights.of(weight), GELU, out)
        assert abs(out[0, 0] - value * (1 + math.erf(value / math.sqrt(2))) / 2) < 2e-6


@pytest.mark.parametrize("rows", [2, 16, 40])
def test_the_number_of_cores_changes_nothing(rows):
    x, weight = numbers(rows, 300), numbers(200, 300, seed=1)
    results = []
    for threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(threads)
        results.append(np.empty((rows, 200), np.float32))
        product(x, *Weights.of(weight), SET, results[-1])
    assert np.array_equal(*results)


@pytest.mark.parametrize(("kind", "dtype"), [(BFLOAT16, mx.bfloat16), (FLOAT16, mx.float16)])
@pytest.mark.parametrize("rows", [1, 2, 9, 33])
def test_half_precision_is_read_exactly(kind, dtype, rows):
    weight = numbers(36, 64) * np.float32(10.0) ** np.linspace(-9, 3, 64, dtype=np.float32)
    weight[:, 0] = 0
    half = mx.array(weight).astype(dtype)
    x, out = np.eye(64, dtype=np.float32)[:rows], np.empty((rows, 36), np.float32)
    product(x, *Weights.of(np.asarray(half.view(mx.uint16)), kind), SET, out)
    assert np.array_equal(out, np.array(half.astype(mx.float32)).T[:rows])


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("group_size", [32, 64])
@pytest.mark.parametrize("rows", [1, 2, 9, 33])
def test_quantized_weights_are_what_mlx_takes_them_for(bits, group_size, rows):
    packed, scales, biases = mx.quantize(mx.array(numbers(40, 192)), group_size=group_size, bits=bits)
    weight = np.array(mx.dequantize(packed, scales, biases, group_size=group_size, bits=bits))
    x, out = numbers(rows, 192, seed=1), np.empty((rows, 40), np.float32)
    weights = Weights.of(np.array(packed).view(np.uint8), bits, np.array(scales), np.array(biases))
    product(x, *weights, SET, out)
    np.testing.assert_allclose(out, exact(x, weight), atol=2e-5)


@pytest.mark.parametrize(
    ("windows", "step", "size"), [(1, 3, 7), (7, 3, 7), (70, 4, 8), (131, 2, 12), (20, 64, 448)]
)
def test_convolution_is_a_product_with_windows(windows, step, size):
    x, weight, bias = numbers((windows - 1) * step + size), numbers(36, size, seed=1), numbers(35, seed=2)
    out = np.empty((windows, 35), np.float32)
    convolve(x, step, by_outputs(weight), bias, out)
    seen = np.lib.stride_tricks.sliding_window_view(x, size)[::step]
    np.testing.assert_allclose(out, exact(seen, weight)[:, :35] + bias, atol=5e-5)
