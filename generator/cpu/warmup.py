"""The first run of every loop, so that none is compiled later."""

from __future__ import annotations

from functools import cache

import numpy as np

from .kernels import advance_lstm, attend, elu, normalize
from .matrices import BFLOAT16, FLOAT16, Weights
from .products import SET, by_outputs, convolve, product
from .threads import cores

__all__ = ["start_loops"]


@cache
def start_loops(dtype: str, bits: int | None) -> None:
    """Run every loop once that the codec, T5 and a decoder of that type or of so many bits use.

    Loops that are new on this machine are compiled, which takes seconds in which no caller could cancel.
    """
    row, half = np.zeros((1, 64), np.float32), np.zeros((1, 64), np.uint16)
    heads, none_hidden = row[None, None], np.zeros((1, 0), np.bool_)
    used = [Weights.of(row)]
    if bits is not None:
        used.append(Weights.of(np.zeros((1, 8 * bits), np.uint8), bits, row[:, :1], row[:, :1]))
    # With a quantized decoder the text encoder alone has other matrices, and it is never float16.
    if dtype == "bfloat16" or (dtype == "float16" and bits is None):
        used.append(Weights.of(half, BFLOAT16 if dtype == "bfloat16" else FLOAT16))
    with cores(0):
        for weights in used:
            product(row, *weights, SET, np.empty((1, 4), np.float32))
        normalize(row, row[0], row[0], row)
        attend(heads, heads, heads, none_hidden, 1, True, np.empty_like(heads))
        convolve(row[0], 1, by_outputs(row), row[0], np.empty((1, 1), np.float32))
        elu(row[0], row[0])
        advance_lstm(row, row[:, :16].copy(), row[:, :16].copy())
