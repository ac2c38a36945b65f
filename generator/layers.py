"""A matrix product for few rows and GELU, in forms that a processor computes quickly.

On a GPU and in other types than float32 both are those of `mlx.nn`.
"""

from __future__ import annotations

import math
from functools import cache, partial
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from numpy.polynomial import chebyshev

__all__ = ["Linear", "gelu"]

# OpenBLAS copies a matrix into packed form before it multiplies, which for few rows takes longer than the
# product, except below these sizes (`sgemm_small_kernel_permit_skylakex`, OpenBLAS 0.3.17 and later).
_UNPACKED_PRODUCTS = 10**6
_UNPACKED_OUTPUTS = 1200
# Smaller blocks lose to the cost of the calls what they save, and for more rows packing pays.
_SMALLEST_BLOCK = 8
_MOST_ROWS = 16

# Beyond it the normal distribution is 0 or 1 in float32.
_GELU_LIMIT = 5.5
_GELU_DEGREE = 14


class Linear(nn.Linear):  # type: ignore[misc]
    """`nn.Linear` without bias that multiplies few rows block by block on a processor."""

    def __init__(self, inputs: int, outputs: int) -> None:
        """Lay out the (outputs, inputs) matrix."""
        super().__init__(inputs, outputs, bias=False)

    def __call__(self, x: mx.array) -> mx.array:
        """Map (..., inputs) to (..., outputs)."""
        outputs, inputs = self.weight.shape
        rows = x.size // inputs
        block = _block_size(rows, inputs, outputs)
        by_block = rows <= _MOST_ROWS and _SMALLEST_BLOCK <= block < outputs
        if not by_block or not _on_processor(x):
            whole: mx.array = super().__call__(x)
            return whole
        x_rows = x.reshape(1, rows, inputs)
        blocks = self.weight.reshape(-1, block, inputs).swapaxes(1, 2)
        half = blocks.shape[0] // 2
        product = mx.concatenate(
            [x_rows @ blocks[:half], mx.matmul(x_rows, blocks[half:], stream=_second_stream())]
        )  # (blocks, rows, block)
        return product.swapaxes(0, 1).reshape(*x.shape[:-1], outputs)


def gelu(x: mx.array) -> mx.array:
    """Return x times the normal distribution at x; within 2e-6 of the exact value on a processor.

    MLX computes the error function there one element at a time; a polynomial is vectorized.
    """
    result: mx.array = _polynomial_gelu(x) if _on_processor(x) else nn.gelu(x)
    return result


@cache
def _second_stream() -> Any:
    # One core cannot draw all the memory's bandwidth, and OpenBLAS computes unpacked products on one.
    # Streams are bound to a thread where MLX has thread-local ones; before, any thread may use any stream.
    new_stream = getattr(mx, "new_thread_local_stream", mx.new_stream)
    return new_stream(mx.cpu)


def _on_processor(x: mx.array) -> bool:
    return bool(x.dtype == mx.float32 and mx.default_device() == mx.Device(mx.cpu))


def _block_size(rows: int, inputs: int, outputs: int) -> int:
    """Return the largest power of two that divides `outputs` and that OpenBLAS does not pack."""
    most = min(_UNPACKED_PRODUCTS // (rows * inputs), _UNPACKED_OUTPUTS // rows)
    largest = 1 << most.bit_length() >> 1
    return min(largest, outputs & -outputs)


def _gelu_coefficients() -> list[float]:
    """Return p, lowest order first, with Phi(x) = 1/2 + x p(t) for t = 2 (x / limit)^2 - 1."""
    t = chebyshev.chebpts1(_GELU_DEGREE + 1)
    x = _GELU_LIMIT * np.sqrt((t + 1) / 2)
    slopes = [math.erf(one / math.sqrt(2)) / (2 * one) for one in x]
    return [float(power) for power in chebyshev.cheb2poly(chebyshev.chebfit(t, slopes, _GELU_DEGREE))]


_COEFFICIENTS = _gelu_coefficients()


@partial(mx.compile, shapeless=True)
def _polynomial_gelu(x: mx.array) -> mx.array:
    near = mx.clip(x, -_GELU_LIMIT, _GELU_LIMIT)
    t = near * near * (2 / _GELU_LIMIT**2) - 1
    slope = t * _COEFFICIENTS[-1] + _COEFFICIENTS[-2]
    for coefficient in reversed(_COEFFICIENTS[:-2]):
        slope = slope * t + coefficient
    return x * (0.5 + near * slope)
