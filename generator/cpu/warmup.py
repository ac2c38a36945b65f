"""The first run of the loops for a processor, beside other work."""

from __future__ import annotations

from functools import cache

import numpy as np

from .kernels import advance_lstm, attend, elu, normalize
from .matrices import BFLOAT16, FLOAT16, Weights
from .products import SET, by_lanes, convolve, product
from .threads import cores

__all__ = ["start_loops"]


@cache
def start_loops(dtype: str, bits: int | None) -> None:
    """Run every loop once that a decoder of that type or in so many bits takes, and the codec and T5.

    It is compiled, if it never was on this machine: for seconds in which nobody could cancel.
    """
    row, half = np.zeros((1, 64), np.float32), np.zeros((1, 64), np.uint16)
    heads, all_seen = row[None, None], np.zeros((1, 0), np.bool_)
    wanted = [Weights.of(row)]
    if bits is not None:
        wanted.append(Weights.of(np.zeros((1, 8 * bits), np.uint8), bits, row[:, :1], row[:, :1]))
    # Of what is quantized the text encoder alone is left, which is never float16.
    if dtype == "bfloat16" or (dtype == "float16" and bits is None):
        wanted.append(Weights.of(half, BFLOAT16 if dtype == "bfloat16" else FLOAT16))
    with cores(0):
        for weights in wanted:
            product(row, *weights, SET, np.empty((1, 4), np.float32))
        normalize(row, row[0], row[0], row)
        attend(heads, heads, heads, all_seen, 1, True, np.empty_like(heads))
        convolve(row[0], 1, by_lanes(row), row[0], np.empty((1, 1), np.float32))
        elu(row[0], row[0])
        advance_lstm(row, row[:, :16].copy(), row[:, :16].copy())
