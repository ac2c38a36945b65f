"""How loops are compiled for the processor: by numba, once per machine."""

# mypy: disable-error-code="misc,untyped-decorator"
# (numba is untyped)

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import numba

__all__ = ["compiled", "cores"]


# Held while our parallel loops run: where numba has no thread pool but its own, two at once would end the process.
_CORES = Lock()
_LEAST_SHARED = 1 << 16  # multiplications, below which waiting for other cores takes longer than they save


@contextmanager
def cores(multiplications: int) -> Iterator[None]:
    """Let our parallel loops run, one caller at a time, on one core alone where each has few multiplications to do."""
    with _CORES:
        if multiplications >= _LEAST_SHARED:
            yield
            return
        before = numba.get_num_threads()
        numba.set_num_threads(1)
        try:
            yield
        finally:
            numba.set_num_threads(before)


# Sums may be reordered, so that they run in vectors, and products fused with sums; infinities stay what they are.
_OPTIONS: dict[str, Any] = {"fastmath": {"reassoc", "contract", "nsz"}, "nogil": True, "error_model": "numpy"}


def compiled(*, parallel: bool = False, inline: bool = False) -> Callable[[Any], Any]:
    """Return a decorator that compiles a function for the types it is called with.

    What is compiled is kept on disk, where there is a place for it, until the function's file changes: so it may call
    compiled functions of its own file alone. With `parallel` its `prange` loops run on all cores; with `inline` it
    becomes part of its callers.
    """

    options = {**_OPTIONS, "parallel": parallel, "forceinline": inline}

    def decorate(function: Any) -> Any:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # there is no folder that can be written to
            return numba.njit(**options)(function)

    return decorate


def _launch_threads() -> None:
    """Start numba's threads, set to sleep soon after they run out of work.

    GNU's OpenMP lets them spin for milliseconds by default, and there are gaps between any two of our loops: where
    other work wants the cores, a step took twenty times as long.
    """
    if {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        numba.get_num_threads()
        return
    os.environ["GOMP_SPINCOUNT"] = "1000"  # read once, when the library is loaded
    try:
        numba.get_num_threads()
    finally:
        del os.environ["GOMP_SPINCOUNT"]


_launch_threads()
