"""Whether a store keeps the conditions of conditional writes, on which every commit and every lease rests."""

from __future__ import annotations

import secrets

from ..errors import StorageError
from .blobs import Blobs

__all__ = ["check_conditions"]


def check_conditions(blobs: Blobs) -> None:
    """Raise StorageError for a store that ignores If-None-Match or If-Match: it would lose rows without a word."""
    name = f"locks/probe-{secrets.token_hex(8)}"
    refused = (
        f"{blobs.address} ignores the conditions of conditional writes, so that two writers would overwrite each "
        "other's commits; keep the catalog on a store that has them, such as Amazon S3, SeaweedFS or Azure"
    )
    one, two = (secrets.token_bytes(16) for _ in range(2))
    try:
        # The store may do one of these writes and lose the answer: sent again, it meets its own work.
        first = blobs.settled(blobs.create(name, one), name, one)
        if first is None or blobs.create(name, b"other") is not None:
            raise StorageError(refused)
        second = blobs.settled(blobs.swap(name, two, first), name, two)
        if second is None or blobs.swap(name, b"other", first) is not None or blobs.get(name) != two:
            raise StorageError(refused)
    finally:
        blobs.delete(name)
