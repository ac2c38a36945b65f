"""Compile loops with numba, once per machine, and run them on all cores, one caller at a time."""

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


# Held while our parallel loops run: with the thread pool that numba brings along, two at once would end the process.
_CORES = Lock()
_LEAST_SHARED = 1 << 16  # below so many multiplications, starting the other cores takes longer than they save


@contextmanager
def cores(multiplications: int) -> Iterator[None]:
    """Hold the cores for our parallel loops; loops of few multiplications run on one core alone."""
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


# Sums may be reordered so that they run in vectors, and a product may be fused with a sum. Infinities keep their
# meaning, as attention uses them.
_OPTIONS: dict[str, Any] = {"fastmath": {"reassoc", "contract", "nsz"}, "nogil": True, "error_model": "numpy"}


def compiled(*, parallel: bool = False, inline: bool = False) -> Callable[[Any], Any]:
    """Return a decorator that compiles a function for the types it is called with.

    The result is kept on disk, if a folder is writable, until the function's file changes. numba does not notice
    changes in other files, so a compiled function may call compiled functions of its own file alone. With `parallel`
    its `prange` loops run on all cores. With `inline` it becomes part of its callers.
    """

    options = {**_OPTIONS, "parallel": parallel, "forceinline": inline}

    def decorate(function: Any) -> Any:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # no folder is writable
            return numba.njit(**options)(function)

    return decorate


def _launch_threads() -> None:
    """Start numba's threads so that they sleep soon after they run out of work.

    GNU OpenMP lets them spin for milliseconds by default. There are gaps between our loops, so they would spin all the
    time; beside other work on the same cores a step then took twenty times as long.
    """
    if {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        numba.get_num_threads()
        return
    os.environ["GOMP_SPINCOUNT"] = "1000"  # OpenMP reads it once, when it is loaded
    try:
        numba.get_num_threads()
    finally:
        del os.environ["GOMP_SPINCOUNT"]


_launch_threads()
