"""The sum of two arrays and its layer norm: one kernel on Metal, where MLX has two.

A product with quantized weights cannot add its result to the residual stream as `mx.addmm` does. Left to itself, every
such sum is a kernel of its own, three in a block, and a kernel costs a step some 2.5 microseconds whatever it computes.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias, cast

import mlx.core as mx
import mlx.nn as nn

__all__ = ["METAL_SOURCE", "add_and_norm"]

_log = logging.getLogger(__name__)
_Kernel: TypeAlias = Callable[..., list[mx.array]]

_READS = 8  # values that a thread reads, as in MLX's own layer norm
_SIMD = 32  # threads that add up without shared memory
_MOST_VALUES = 1024 * _READS
_MOST_OFF = {mx.float32: 1e-4, mx.float16: 0.01, mx.bfloat16: 0.08}
"""By type, how far a value may be from what MLX's own two kernels make: a few roundings of values up to 4."""

# One group of threads for each row. The sum is rounded to its type before it is normalized, as if it had been stored.
METAL_SOURCE = """
    constexpr int READS = 8;
    threadgroup float sums[32];
    threadgroup float squares[32];
    const uint lane = thread_index_in_simdgroup;
    const uint group = simdgroup_index_in_threadgroup;
    const int first = int(thread_position_in_threadgroup.x) * READS;
    const size_t row = size_t(threadgroup_position_in_grid.y) * SIZE;
    const bool inside = first < SIZE;

    if (group == 0) {
        sums[lane] = 0;
        squares[lane] = 0;
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);

    float value[READS];
    float total = 0;
    for (int i = 0; i < READS; i++) {
        value[i] = 0;
        if (inside) {
            const T both = static_cast<T>(x[row + first + i] + y[row + first + i]);
            added[row + first + i] = both;
            value[i] = static_cast<float>(both);
        }
        total += value[i];
    }
    total = metal::simd_sum(total);
    if (lane == 0) {
        sums[group] = total;
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    const float mean = metal::simd_sum(sums[lane]) / SIZE;

    float square = 0;
    for (int i = 0; i < READS; i++) {
        value[i] = inside ? value[i] - mean : 0;
        square += value[i] * value[i];
    }
    square = metal::simd_sum(square);
    if (lane == 0) {
        squares[group] = square;
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    const float scale = metal::precise::rsqrt(metal::simd_sum(squares[lane]) / SIZE + eps);

    if (inside) {
        for (int i = 0; i < READS; i++) {
            const T normal = static_cast<T>(value[i] * scale);
            normed[row + first + i] = static_cast<T>(weight[first + i] * normal + bias[first + i]);
        }
    }
"""


def add_and_norm(x: mx.array, y: mx.array, norm: nn.LayerNorm) -> tuple[mx.array, mx.array]:
    """Return x + y, of shape (..., size) and one type, and its layer norm."""
    kernel = _kernel(x.dtype) if _fits(x, y, norm) else None
    if kernel is None:
        added = x + y
        return added, norm(added)
    added, normed = _in_one_kernel(kernel, x, y, norm)
    return added, normed


def _fits(x: mx.array, y: mx.array, norm: nn.LayerNorm) -> bool:
    size = x.shape[-1]
    one_type = x.dtype == y.dtype == norm.weight.dtype == norm.bias.dtype
    return (
        one_type
        and x.dtype in _MOST_OFF
        and x.shape == y.shape
        and size % _READS == 0
        and size <= _MOST_VALUES
    )


def _in_one_kernel(kernel: _Kernel, x: mx.array, y: mx.array, norm: nn.LayerNorm) -> list[mx.array]:
    size = x.shape[-1]
    threads = math.ceil(size / (_READS * _SIMD)) * _SIMD
    return kernel(
        inputs=[x, y, norm.weight, norm.bias, norm.eps],
        template=[("T", x.dtype), ("SIZE", size)],
        grid=(threads, x.size // size, 1),
        threadgroup=(threads, 1, 1),
        output_shapes=[x.shape, x.shape],
        output_dtypes=[x.dtype, x.dtype],
    )


@lru_cache(maxsize=len(_MOST_OFF))
def _kernel(dtype: mx.Dtype) -> _Kernel | None:
    """Return the kernel where MLX computes on Metal and the kernel does what MLX's two do in this type; else None."""
    if not mx.metal.is_available() or mx.default_device() != mx.Device(mx.gpu):
        return None
    kernel: Any = mx.fast.metal_kernel(
        name="add_and_norm",
        input_names=["x", "y", "weight", "bias", "eps"],
        output_names=["added", "normed"],
        source=METAL_SOURCE,
    )
    fault = _fault(kernel, dtype)
    if fault is None:
        return cast(_Kernel, kernel)
    _log.warning(
        "The fused sum and layer norm of %s is left out on this GPU, music takes longer: %s", dtype, fault
    )
    return None


def _fault(kernel: _Kernel, dtype: mx.Dtype) -> str | None:
    """Say what is wrong with the kernel in this type on this device, by two sizes; None where nothing is."""
    # No draw from MLX's own random numbers, whose state belongs to the caller.
    for size in (64, 2048):
        x = mx.sin(mx.arange(3 * size)).reshape(3, 1, size).astype(dtype)
        y = mx.cos(mx.arange(3 * size) * 1.7).reshape(3, 1, size).astype(dtype)
        norm = nn.LayerNorm(size)
        norm.weight = (1 + 0.5 * mx.sin(mx.arange(size) * 0.3)).astype(dtype)
        norm.bias = (0.5 * mx.cos(mx.arange(size) * 0.9)).astype(dtype)
        try:
            added, normed = _in_one_kernel(kernel, x, y, norm)
            wrong = float(mx.maximum(abs(added - (x + y)).max(), abs(normed - norm(x + y)).max()))
        except Exception as error:  # whatever a device refuses: the plain form works everywhere
            return str(error)
        if not wrong < _MOST_OFF[dtype]:
            return f"it is off by {wrong:.3g} at size {size}"
    return None
