"""Pickled checkpoints, read as data. torch is imported here alone, for conversion, never to make music."""

from __future__ import annotations

import importlib.util
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WeightsError
from .files import safetensors_header

if TYPE_CHECKING:
    import mlx.core as mx

__all__ = ["load_pickle", "require_torch", "to_mlx"]


def require_torch(source: object) -> None:
    """Raise WeightsError where torch, which reads the pickled weights of `source`, is not installed."""
    if importlib.util.find_spec("torch") is None:
        raise WeightsError(
            f"{source} has pickled weights only and torch, which reads them, is not installed; "
            "pip install 'music-catalog[encoders]'"
        )


def load_pickle(file: Path) -> dict[str, Any]:
    """Return the mapping in a file that torch saved; raise WeightsError for anything but plain data."""
    require_torch(file)
    import torch

    try:
        # Mapped, so that the system can take the memory back; torch's older files cannot be.
        mapped = zipfile.is_zipfile(file)
        loaded = torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # torch raises whatever the pickle machine met
        raise WeightsError(
            f"{file} cannot be read ({type(error).__name__}); pull the model again."
        ) from error
    if not isinstance(loaded, Mapping):
        raise WeightsError(f"{file} holds {type(loaded).__name__}, not named tensors; pull the model again.")
    return dict(loaded)


def to_mlx(values: Mapping[str, Any], scratch: Path) -> dict[str, mx.array]:
    """Return the tensors among `values` in their types, float64 in float32.

    They go into a file in the folder `scratch`, one by one, and are read from it when they are used, so that a
    checkpoint of many gigabytes is never in memory as a whole.
    """
    import mlx.core as mx
    import torch

    kinds = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}
    tensors = {
        name: value if value.dtype in kinds else value.float()
        for name, value in values.items()
        if isinstance(value, torch.Tensor)
    }
    if not tensors:
        return {}
    entries = [
        (name, kinds[one.dtype], tuple(one.shape), one.numel() * one.element_size())
        for name, one in tensors.items()
    ]
    with tempfile.NamedTemporaryFile(dir=scratch, suffix=".safetensors", delete=False) as stream:
        stream.write(safetensors_header(entries))
        for one in tensors.values():
            stream.write(one.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return dict(mx.load(stream.name))  # type: ignore[arg-type]
