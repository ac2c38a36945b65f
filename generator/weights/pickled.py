"""Pickled checkpoints, read as data. torch is imported here alone, for conversion, never to make music."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WeightsError

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
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever the pickle machine met
        raise WeightsError(
            f"{file} cannot be read ({type(error).__name__}); pull the model again."
        ) from error
    if not isinstance(loaded, Mapping):
        raise WeightsError(f"{file} holds {type(loaded).__name__}, not named tensors; pull the model again.")
    return dict(loaded)


def to_mlx(values: Mapping[str, Any]) -> dict[str, mx.array]:
    """Return the tensors among `values` in their types."""
    import mlx.core as mx
    import torch

    arrays = {}
    for name, value in values.items():
        if not isinstance(value, torch.Tensor):
            continue
        # numpy has no bfloat16
        is_bfloat16 = value.dtype == torch.bfloat16
        array = mx.array((value.float() if is_bfloat16 else value).numpy())
        arrays[name] = array.astype(mx.bfloat16) if is_bfloat16 else array
    return arrays
