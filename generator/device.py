"""What MLX computes on: whether MLX is here, which device it takes, and how much memory that has for a model.

A Mac shares its memory between processor and GPU, and swaps where a model does not fit: nothing fails, and a step takes
seconds. So what fits is compared with what the system recommends for the GPU.
"""

from __future__ import annotations

from .errors import WeightsError

__all__ = ["BACKENDS", "require_mlx"]


BACKENDS = ("mlx-cpu", "mlx-cuda-12", "mlx-cuda-13")
"""Distributions that own one library file of MLX under Linux: where two are installed, either one may be in it."""


def require_mlx() -> None:
    """Raise WeightsError where MLX, which MusicGen runs in, is not installed or has no backend."""
    try:
        import mlx.core  # noqa: F401
    except ImportError as error:
        raise WeightsError(
            f"MusicGen needs MLX, which cannot be imported here ({error}); pip install 'music-catalog[cpu]', or "
            "'music-catalog[cuda]' for an NVIDIA GPU"
        ) from error
