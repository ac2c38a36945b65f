"""Weights that the loops of a processor read from their files, mapped into memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..networks.bundle import Networks
from ..weights.files import KEPT_AS, read_header


def in_files_of(folder: Path, networks: Networks) -> dict[int, NDArray[Any]]:
    """Return the weights in files of our own layout that a processor's loops read there; a GPU reads none.

    They are in the memory that the system keeps files in, which processes share and which it can take back.
    """
    import mlx.core as mx
    import mlx.nn as nn

    found: dict[int, NDArray[Any]] = {}
    if mx.default_device().type == mx.DeviceType.gpu:
        return found
    for part, network in (("text_encoder", networks.text_encoder), ("decoder", networks.decoder)):
        file = folder / f"{part}.safetensors"
        tensors, start = read_header(file)
        try:
            content = np.memmap(file, np.uint8, mode="r")
        except OSError:
            continue  # no room for it, so that the rest will tell
        for name, layer in network.named_modules():
            if not isinstance(layer, nn.Linear | nn.QuantizedLinear) or "bias" in layer:
                continue
            entry = tensors[f"{name}.weight"]
            kept_as, kind = KEPT_AS.get(entry["dtype"], ("", np.uint8))
            first, last = (start + offset for offset in entry["data_offsets"])
            if layer.weight.dtype == getattr(mx, kept_as, None) and first % np.dtype(kind).itemsize == 0:
                rows = np.asarray(content[first:last]).view(kind).reshape(entry["shape"][0], -1)
                found[id(layer)] = rows
    return found
