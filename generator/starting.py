"""The first run of the loops for a processor, beside other work."""

from __future__ import annotations

from functools import cache

import numpy as np

from generator.compiled import cores
from generator.kernels import advance_lstm, attend, elu, normalize
from generator.packed import BFLOAT16, FLOAT16, Weights
from generator.products import SET, by_lanes, convolve, product

__all__ = ["start_loops"]


@cache
def start_loops(dtype: str, bits: int | None) -> None:
    """Run every loop once that a decoder of that type or in so many bits takes, and the codec and T5.

    It is compiled, if it never was on this machine: for seconds in which nobody could cancel.
    """
    row, heads, all_seen = (
        np.zeros((1, 64), np.float32),
        np.zeros((1, 1, 1, 64), np.float32),
        np.zeros((1, 0), np.bool_),
    )
    half = np.zeros((4, 64), np.uint16)
    kinds = {
        "float32": Weights.of(row),
        "float16": Weights.of(half, FLOAT16),
        "bfloat16": Weights.of(half, BFLOAT16),
    }
    wanted = [kinds["float32"], kinds[dtype]]
    if bits is not None:
        wanted.append(Weights.of(np.zeros((4, 8 * bits), np.uint8), bits, row[:, :1], row[:, :1]))
    with cores(0):
        for weights in wanted:
            product(row, *weights, SET, np.empty((1, 4), np.float32))
        normalize(row, row[0], row[0], row)
        attend(heads, heads, heads, all_seen, 1, True, np.empty_like(heads))
        convolve(row[0], 1, by_lanes(row), row[0], np.empty((1, 1), np.float32))
        elu(row[0], row[0])
        advance_lstm(row, row[:, :16].copy(), row[:, :16].copy())
