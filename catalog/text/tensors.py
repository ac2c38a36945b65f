"""Read safetensors files in place.

By hand and not with the library of that name, whose reader copies: all-MiniLM-L6-v2 takes 120 MB more memory and four
times as long to load with it, and a new context that is served from the catalog waits for that.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Unavailable

__all__ = ["read_metadata", "read_tensors"]

_VIEWS = {"F32": "<f4", "F16": "<f2", "U32": "<u4", "I8": "<i1"}
MOST_HEADER_BYTES = 100_000_000
"""As the format has it."""


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a safetensors file: read-only memory-mapped views, but of float16 float32 copies.

    Tensors of float32, float16, uint32 and int8 are read, others left out.

    Format: 8-byte little-endian header length, JSON header, raw data. Raises Unavailable when the file is damaged.
    """
    try:
        raw = np.memmap(path, dtype=np.uint8, mode="r")
        start, header, _ = _read_header(path)
        end = start + max(int(entry["data_offsets"][1]) for entry in header.values())
        if end != raw.size:
            raise ValueError(f"{raw.size:,} bytes where its header promises {end:,}")
        views = {
            name: raw[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]]
            .view(_VIEWS[entry["dtype"]])
            .reshape(entry["shape"])
            for name, entry in header.items()
            if entry["dtype"] in _VIEWS
        }
        return {
            name: view.astype(np.float32) if view.dtype == np.float16 else view
            for name, view in views.items()
        }
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise Unavailable(f"{path} is not a whole safetensors file ({error}); fetch it again") from None


def read_metadata(path: Path) -> dict[str, str]:
    """Return the texts in the header of a safetensors file. Raises Unavailable when the file is damaged."""
    try:
        metadata = _read_header(path)[2]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise Unavailable(f"{path} is not a whole safetensors file ({error}); fetch it again") from None
    return metadata


def _read_header(path: Path) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Return where the data begin, the entry of each tensor, and the metadata."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > MOST_HEADER_BYTES:
            raise ValueError(f"its header would be {length:,} bytes")
        header = json.loads(file.read(length))
    metadata = header.pop("__metadata__", {})
    return 8 + length, header, metadata
