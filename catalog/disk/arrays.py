"""Arrays in the bytes of an `.npz` file, whose checksums are compared before anything else is believed."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Damage

__all__ = ["array_in"]


def array_in(data: bytes, name: str) -> NDArray[Any]:
    """Return the array `name` in the bytes of an `.npz` file. Raises Damage where they are not as they were written."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            # Read to its end, where its checksum is compared: np.load stops where an altered header tells it to.
            member = archive.read(f"{name}.npy")
        array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(member), allow_pickle=False)
    except Exception as error:
        # Decompressors and the parsers of both formats raise almost any error for altered bytes.
        raise Damage(f"the array {name!r} cannot be read: {error}") from error
    return array
