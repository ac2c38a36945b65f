"""What MLX computes on: whether MLX is here, which device it takes, and how much memory that has for a model.

A Mac shares its memory between processor and GPU, and swaps where a model does not fit: nothing fails, and a step takes
seconds. So what is needed is compared with what the system recommends for the GPU, before it is begun.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from . import memory
from .errors import WeightsError

__all__ = [
    "BACKENDS",
    "CACHE_BYTES",
    "Device",
    "bounded_memory",
    "device",
    "free_buffers",
    "read_device",
    "require",
    "require_mlx",
]


BACKENDS = ("mlx-cpu", "mlx-cuda-12", "mlx-cuda-13")
"""Distributions that own one library file of MLX under Linux: where two are installed, either one may be in it."""
CACHE_BYTES = 1 << 30
"""What MLX may keep of buffers that are free. Without a bound it keeps all that a GPU's memory takes."""
_FIRST_WITH_WIDE_PRODUCTS = 15
"""The generation of Apple's GPUs, that of M3, from which MLX multiplies two rows by reading a matrix once."""


@dataclass(frozen=True)
class Device:
    """Where MLX computes."""

    kind: Literal["metal", "cuda", "cpu"]
    name: str
    generation: int | None = None
    """Of an Apple GPU: 13 for M1, 14 for M2, 15 for M3."""
    memory_bytes: int | None = None
    """That models may take in all; on a Mac what the system recommends for its GPU. None on a processor."""

    @property
    def gpu(self) -> bool:
        """Tell whether it is a GPU."""
        return self.kind != "cpu"

    @property
    def narrow(self) -> bool:
        """Tell whether it is a GPU on which a guided step in float16 reads its matrices slowly: M1 and M2."""
        return self.generation is not None and self.generation < _FIRST_WITH_WIDE_PRODUCTS

    @property
    def dtype(self) -> str:
        """Return the type of a decoder that is loaded here where nobody asks for another."""
        return "float16" if self.gpu else "float32"

    @property
    def bits(self) -> int | None:
        """Return the bits of a decoder where nobody asks for others: 8 on M1 and M2, else those that are stored."""
        return 8 if self.narrow else None


def require_mlx() -> None:
    """Raise WeightsError where MLX, which MusicGen runs in, is not installed or has no backend."""
    try:
        import mlx.core  # noqa: F401
    except ImportError as error:
        raise WeightsError(
            f"MusicGen needs MLX, which cannot be imported here ({error}); pip install 'music-catalog[cpu]', or "
            "'music-catalog[cuda]' for an NVIDIA GPU"
        ) from error


def device() -> Device:
    """Return the device that MLX computes on by default."""
    import mlx.core as mx

    if mx.default_device().type != mx.DeviceType.gpu:
        return read_device("cpu", mx.device_info())
    return read_device("metal" if mx.metal.is_available() else "cuda", mx.device_info())


def read_device(kind: Literal["metal", "cuda", "cpu"], info: Mapping[str, Any]) -> Device:
    """Return the device that MLX tells of in `device_info`."""
    name = str(info.get("device_name", "unknown"))
    if kind == "cpu":
        return Device(kind, name)
    generation = re.match(r"applegpu_g(\d+)", str(info.get("architecture", "")))
    bytes_ = info.get("max_recommended_working_set_size") or info.get("total_memory")
    return Device(kind, name, int(generation[1]) if generation else None, int(bytes_) if bytes_ else None)


def require(needed_bytes: int, what: str, cure: str) -> None:
    """Raise GeneratorError where the device has no room for that many bytes more; see `memory.require`."""
    import mlx.core as mx

    here = device()
    if not here.gpu:
        mx.clear_cache()
        memory.require(needed_bytes, what, cure)
    elif here.memory_bytes is not None:
        memory.require(needed_bytes, what, cure, left=here.memory_bytes - mx.get_active_memory())


@dataclass
class _Wired:
    """The bodies for which memory is wired, and the limit that stood before the first of them."""

    bodies: int = 0
    before: int = 0


_wired, _wired_lock = _Wired(), threading.Lock()


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Bound what MLX holds of a GPU's memory while the body runs, and give back what is free after it.

    On Metal all that is recommended for the GPU stays wired meanwhile, as in `mlx_lm.generate.wired_limit`: weights
    that the system pages out make a step slow.
    """
    import mlx.core as mx

    here = device()
    if not here.gpu:
        yield
        return
    mx.set_cache_limit(CACHE_BYTES)
    wires = here.memory_bytes if here.kind == "metal" else None
    if wires is not None:
        _wire(wires)
    try:
        yield
    finally:
        if wires is not None:
            _unwire()
        mx.clear_cache()


def _wire(limit_bytes: int) -> None:
    """Set the limit for the first body; bodies of streams that are made in turn overlap."""
    import mlx.core as mx

    with _wired_lock:
        if _wired.bodies == 0:
            _wired.before = mx.set_wired_limit(limit_bytes)
        _wired.bodies += 1


def _unwire() -> None:
    """Put the limit back after the last body."""
    import mlx.core as mx

    with _wired_lock:
        _wired.bodies -= 1
        if _wired.bodies == 0:
            mx.synchronize()
            mx.set_wired_limit(_wired.before)


def free_buffers() -> None:
    """Give back the buffers of what is not used any more, where MLX is loaded at all."""
    import sys

    if "mlx.core" in sys.modules:
        sys.modules["mlx.core"].clear_cache()
