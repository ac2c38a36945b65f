"""Objects as files of this machine: each is fetched beside its place, and put there when it is whole."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from ...errors import Damage
from ...objects.blobs import Blobs
from ..files import TEMPORARY, storing, sync

__all__ = ["bring"]


def bring(
    blobs: Blobs,
    path: str,
    place: Path,
    *,
    sha256: str = "",
    durable: bool = False,
    most_bytes: int | None = None,
) -> bool:
    """Replace the file `place` by the bytes of an object that never changes; return False without the object.

    Whoever reads `place` meanwhile finds what was there before or the whole of it. With `sha256` the bytes are compared
    first. `durable`: they are on the disk on return, and a power cut leaves them or what was there before. Raises
    Damage where they differ, InputError for an object of more than `most_bytes`, StorageError where the store or the
    disk refuses; then nothing is left over.
    """
    temporary, seen = place.with_name(f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}"), hashlib.sha256()
    with storing(f"{place.name} cannot be written to {place.parent}"):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            if (parts := blobs.parts(path, most_bytes)) is None:
                return False
            with temporary.open("xb") as file:
                for part in parts:
                    file.write(part)
                    seen.update(part)
            if sha256 not in ("", seen.hexdigest()):
                raise Damage(f"{blobs.address}/{path} no longer holds what was stored")
            if durable:
                sync([temporary], [])
            temporary.replace(place)
            if durable:
                sync([], [place.parent])
        finally:
            temporary.unlink(missing_ok=True)
    return True
