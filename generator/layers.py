"""A matrix product for few rows and GELU, in forms that a processor computes quickly.

On a GPU and in other types than float32 both are those of `mlx.nn`.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import mlx.core as mx
import mlx.nn as nn

__all__ = ["Linear", "gelu"]

# OpenBLAS copies a matrix into packed form before it multiplies, which for few rows takes longer than the
# product, except below these sizes (`sgemm_small_kernel_permit_skylakex`, OpenBLAS 0.3.17 and later).
_UNPACKED_PRODUCTS = 10**6
_UNPACKED_OUTPUTS = 1200
# Smaller blocks lose to the cost of the calls what they save, and for more rows packing pays.
_SMALLEST_BLOCK = 8
_MOST_ROWS = 16
# Beyond this many, the kernel that reads one column of rows at a time is the faster one.
_ROWS_AS_ROWS = 12

# 1 - Phi(x) = (1 + a1 z + ... + a6 z^6)^-16 / 2 with z = x / sqrt(2); both factors stand in the coefficients.
_ERROR_FUNCTION = (1.0, 0.0705230784, 0.0422820123, 0.0092705272, 0.0001520143, 0.0002765672, 0.0000430638)
_GELU_COEFFICIENTS = [2 ** (1 / 16) * a / math.sqrt(2) ** power for power, a in enumerate(_ERROR_FUNCTION)]


class Linear(nn.Linear):  # type: ignore[misc]
    """`nn.Linear` without bias that multiplies few rows block by block on a processor."""

    def __init__(self, inputs: int, outputs: int) -> None:
        """Lay out the (outputs, inputs) matrix."""
        super().__init__(inputs, outputs, bias=False)
        # Kept past `nn.Module`, for which arrays are parameters.
        object.__setattr__(self, "_views", (None, 0, ()))

    def __call__(self, x: mx.array) -> mx.array:
        """Map (..., inputs) to (..., outputs)."""
        outputs, inputs = self.weight.shape
        rows = x.size // inputs
        block = _block_size(rows, inputs, outputs)
        by_block = rows <= _MOST_ROWS and _SMALLEST_BLOCK <= block < outputs
        if not by_block or not _on_processor(x):
            whole: mx.array = super().__call__(x)
            return whole
        first, second = self._halves(block)
        x_rows = x.reshape(1, rows, inputs)
        if rows > _ROWS_AS_ROWS:
            x_rows = mx.contiguous(x_rows.swapaxes(1, 2)).swapaxes(1, 2)
        products = x_rows @ first, mx.matmul(x_rows, second, stream=_second_stream())  # (blocks, rows, block)
        product = mx.concatenate([each.swapaxes(0, 1) for each in products], axis=1)
        return product.reshape(*x.shape[:-1], outputs)

    def _halves(self, block: int) -> tuple[mx.array, mx.array]:
        """Return the matrix as two views (blocks, inputs, block).

        They are kept, since on a processor a step costs by the operation, views included.
        """
        halves: tuple[mx.array, mx.array]
        weight, size, halves = self._views
        if weight is not self.weight or size != block:
            blocks = self.weight.reshape(-1, block, self.weight.shape[1]).swapaxes(1, 2)
            halves = blocks[: len(blocks) // 2], blocks[len(blocks) // 2 :]
            mx.eval(halves)
            object.__setattr__(self, "_views", (self.weight, block, halves))
        return halves


def gelu(x: mx.array) -> mx.array:
    """Return x times the normal distribution at x; within 2e-6 of the exact value on a processor.

    MLX computes the error function there one element at a time. This is Abramowitz and Stegun's 7.1.28, which
    takes multiplications and one division. It is not compiled: for a processor MLX calls the system's C++
    compiler, which takes seconds at first use.
    """
    if not _on_processor(x):
        exact: mx.array = nn.gelu(x)
        return exact
    size = mx.abs(x)
    power = size * _GELU_COEFFICIENTS[-1] + _GELU_COEFFICIENTS[-2]
    for coefficient in reversed(_GELU_COEFFICIENTS[:-2]):
        power = power * size + coefficient
    for _ in range(4):
        power = power * power
    return mx.maximum(x, 0) - size / power


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
