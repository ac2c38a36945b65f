"""From the name of a backend to a generator that is ready."""

from __future__ import annotations

from generator.errors import GeneratorError, WeightsError
from generator.protocol import Generator

__all__ = ["load_generator"]


def load_generator(backend: str, size: str) -> Generator:
    """Return the generator for `backend` ("mlx" or "procedural") and a MusicGen `size`, its weights loaded.

    Raises WeightsError when the weights are not on this machine, GeneratorError for an unknown backend.
    """
    if backend == "procedural":
        from generator.procedural import ProceduralGenerator

        return ProceduralGenerator()
    if backend != "mlx":
        raise GeneratorError(f"unknown backend {backend!r}; valid: mlx, procedural")
    from generator import weights
    from generator.adapter import MusicgenAdapter

    folder = weights.find(size)
    if folder is None:
        raise WeightsError(
            f"MusicGen {size} is not on this machine; run `catalog models pull {size}` or use the procedural backend"
        )
    return MusicgenAdapter.from_pretrained(folder)
