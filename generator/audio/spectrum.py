"""The short-time spectrum of a signal, in blocks, so that a long signal never needs all of it in memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["spectra"]


BLOCK_BYTES = 1 << 20
"""Of samples in one block: a block and its spectra stay in the processor's cache."""


def spectra(
    signal: NDArray[np.float32], window: NDArray[np.float32], hop: int
) -> Iterator[NDArray[np.complex64]]:
    """Yield blocks of spectra, complex64 of shape (frames, size // 2 + 1) for a `window` of `size` samples.

    Frame number n is centred on sample `n * hop`; the signal is taken as silent before its start and after its end,
    so that there are `1 + len(signal) // hop` frames.
    """
    import scipy.fft  # transforms several frames at once, where numpy.fft takes one after the other

    size = len(window)
    padded = np.pad(signal, size // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    block = max(1, BLOCK_BYTES // (size * signal.itemsize))
    for start in range(0, len(frames), block):
        yield scipy.fft.rfft(frames[start : start + block] * window, axis=1).astype(np.complex64, copy=False)
