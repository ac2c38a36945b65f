"""The door to the processor: where MLX has no GPU, large parts of the networks run in loops that numba compiles.

`keep_in_files`, then `ready` around reading the weights, then `accelerate`. On a GPU each of them changes nothing.
numba is imported when the first of them needs it, not with this package.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ..errors import GeneratorError
from ..memory import require
from ..networks.bundle import Networks
from ..weights.reading import LOADING, size_bytes
from .files import weights_in_files

__all__ = ["accelerate", "keep_in_files", "ready"]


_RESERVED_BYTES = 166 << 20
"""Address space reserved beside the weights and hardly used, 167 MiB measured on Linux with two cores: 105 by the
loops and threads of numba, the rest by threads and buffers of MLX. LLVM ends a process that it finds no memory in."""


def keep_in_files(networks: Networks, folder: Path) -> Networks:
    """Return the networks with `in_files`: the weights that the loops read in the files of `folder`."""
    return networks if _on_gpu() else replace(networks, in_files=weights_in_files(folder, networks))


@contextmanager
def ready(networks: Networks) -> Iterator[None]:
    """Run every loop once in a thread beside the body, which reads the weights; raise GeneratorError without memory.

    The thread imports numba, compiles loops that are new on this machine, and starts numba's threads.
    """
    if _on_gpu():
        yield
        return
    import mlx.core as mx

    require(size_bytes(networks) + _RESERVED_BYTES, *LOADING, filled=False)
    # MLX and numba reserve memory at their first product. Both have to do it now: where the system refuses memory to
    # their threads later, the process ends.
    x = mx.ones((2, 2))
    mx.eval(x @ x)
    with ThreadPoolExecutor(1) as beside:
        started = beside.submit(_start_loops, networks)
        yield
    started.result()


def accelerate(networks: Networks) -> Networks:
    """Return the networks with their large parts in compiled loops; the codec of `networks` gives up its weights.

    A text encoder or codec in loops, which another model shares, stays as it is.
    """
    if _on_gpu():
        return networks
    from .codec import ProcessorCodec
    from .decoder import ProcessorDecoder
    from .text import with_loops

    _start_loops(networks)
    return replace(
        networks,
        text_encoder=with_loops(networks.text_encoder, networks.in_files),
        codec=codec if isinstance(codec := networks.codec, ProcessorCodec) else ProcessorCodec(codec),
        decoder=ProcessorDecoder(networks.decoder, networks.in_files),
    )


def _start_loops(networks: Networks) -> None:
    try:
        from .warmup import start_loops
    except ModuleNotFoundError as error:  # installed on Linux alone: elsewhere MLX has a GPU
        if error.name != "numba":
            raise
        raise GeneratorError(
            "MusicGen without a GPU needs numba, which is not installed; pip install 'numba>=0.60,<0.69'"
        ) from error

    start_loops(networks.dtype, networks.bits)


def _on_gpu() -> bool:
    import mlx.core as mx

    return bool(mx.default_device().type == mx.DeviceType.gpu)
