"""Weights that the loops of a processor read from their files, mapped into memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..networks.bundle import Networks
from ..weights.files import STORED_AS, read_manifest, stored_tensors

__all__ = ["weights_in_files"]


_READ_AS = {"F32": np.float32, "F16": np.uint16, "BF16": np.uint16}
"""How the loops read a stored type."""


def weights_in_files(folder: Path, networks: Networks) -> dict[int, NDArray[Any]]:
    """Map the id of each linear layer to its weights in the files of our own layout; empty for another layout.

    Only weights that are stored as they are used can stay in a file. The system keeps them in its page cache, which
    processes share and which it can take back.
    """
    import mlx.core as mx
    import mlx.nn as nn

    weights: dict[int, NDArray[Any]] = {}
    if read_manifest(folder) is None:
        return weights
    for part, network in (("text_encoder", networks.text_encoder), ("decoder", networks.decoder)):
        file = folder / f"{part}.safetensors"
        tensors = stored_tensors(file)
        try:
            content = np.memmap(file, np.uint8, mode="r")
        except OSError:
            continue  # the address space is too small; reading the weights then raises the error
        for name, layer in network.named_modules():
            if not isinstance(layer, nn.Linear | nn.QuantizedLinear) or "bias" in layer:
                continue
            tensor = tensors[f"{name}.weight"]
            # Of quantized weights the loops read single bytes.
            kind = _READ_AS.get(tensor.dtype, np.uint8)
            same_type = layer.weight.dtype == getattr(mx, STORED_AS[tensor.dtype])
            if same_type and tensor.start % np.dtype(kind).itemsize == 0:
                rows = np.asarray(content[tensor.start : tensor.end]).view(kind)
                weights[id(layer)] = rows.reshape(tensor.shape[0], -1)
    return weights
