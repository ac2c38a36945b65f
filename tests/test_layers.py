"""The layers' processor forms against exact results."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from generator.layers import Linear, gelu


@pytest.fixture(autouse=True)
def on_processor():
    device = mx.default_device()
    mx.set_default_device(mx.cpu)
    yield
    mx.set_default_device(device)


# Few rows go block by block, 40 rows and small or odd matrices whole.
@pytest.mark.parametrize("rows", [1, 2, 5, 16, 40])
@pytest.mark.parametrize(
    ("inputs", "outputs"), [(1024, 3072), (4096, 1024), (1536, 1536), (1000, 1031), (8, 4)]
)
def test_linear_equals_the_exact_product(rows, inputs, outputs):
    layer = Linear(inputs, outputs)
    x = mx.random.normal((rows, 1, inputs), key=mx.random.key(0))
    exact = np.array(x, np.float64) @ np.array(layer.weight, np.float64).T
    np.testing.assert_allclose(np.array(layer(x)), exact, atol=2e-5)


def test_linear_follows_strides_and_changed_weights():
    layer = Linear(1024, 1024)
    x = mx.random.normal((1024, 2), key=mx.random.key(1)).T[:, None]
    first = layer(x)
    layer.weight = layer.weight * 2
    exact = np.array(x, np.float64) @ np.array(layer.weight, np.float64).T
    np.testing.assert_allclose(np.array(layer(x)), exact, atol=2e-5)
    np.testing.assert_allclose(np.array(first) * 2, exact, atol=2e-5)


def test_linear_works_in_any_thread():
    layer, x = Linear(1024, 1024), mx.ones((2, 1024))
    here = np.array(layer(x))

    def there() -> np.ndarray:
        return np.array(layer(mx.ones((2, 1024))))

    with ThreadPoolExecutor(1) as pool:
        np.testing.assert_array_equal(pool.submit(there).result(), here)


def test_linear_of_half_precision_keeps_its_type():
    layer = Linear(1024, 1024)
    layer.set_dtype(mx.float16)
    assert layer(mx.ones((2, 1024), mx.float16)).dtype == mx.float16


def test_linear_quantizes():
    layer = nn.Sequential(Linear(1024, 1024))
    nn.quantize(layer, bits=8)
    assert isinstance(layer.layers[0], nn.QuantizedLinear)


def test_gelu_is_exact_to_the_sixth_digit():
    x = np.concatenate([np.linspace(-12, 12, 100_001), [-1e4, 1e4]]).astype(np.float32)
    wide = x.astype(np.float64)
    exact = wide * (1 + np.vectorize(math.erf)(wide / math.sqrt(2))) / 2
    np.testing.assert_allclose(np.array(gelu(mx.array(x))), exact, rtol=1e-7, atol=2e-6)


def test_gelu_of_half_precision_keeps_its_type():
    x = mx.array([-1.0, 0.5], mx.float16)
    assert gelu(x).dtype == mx.float16
    assert mx.array_equal(gelu(x), nn.gelu(x))
