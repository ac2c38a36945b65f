"""From the name of a backend to a generator that is ready."""

from __future__ import annotations

from .device import require_mlx
from .errors import GeneratorError, WeightsError
from .protocol import Generator

__all__ = ["load_generator"]


def load_generator(backend: str, size: str) -> Generator:
    """Return the generator for `backend` ("mlx" or "procedural") and a MusicGen `size`, its weights loaded.

    Raises WeightsError when the weights or MLX are not on this machine, GeneratorError for an unknown backend.
    """
    if backend == "procedural":
        from .synth.generator import ProceduralGenerator

        return ProceduralGenerator()
    if backend != "mlx":
        raise GeneratorError(f"unknown backend {backend!r}; valid: mlx, procedural")
    require_mlx()
    from .musicgen.adapter import MusicgenAdapter
    from .weights import models

    folder = models.find(size)
    if folder is None:
        raise WeightsError(
            f"MusicGen {size} is not on this machine; run `catalog models pull {size}` or use the procedural backend"
        )
    return MusicgenAdapter.from_pretrained(folder)
