"""Audio of a catalog on an object store that a list names, brought to this machine to be taken in."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from ..disk.files import TEMPORARY, sha256_of, storing
from ..errors import Damage, InputError, NotFound
from ..objects.address import cache_folder, parse_address
from ..objects.blobs import Blobs

__all__ = ["bring"]

_AUDIO = re.compile(
    r"(?P<home>.+)/(?P<path>audio/[0-9a-f]{2}/(?P<sha256>[0-9a-f]{64})(?:-[0-9a-f]{8})?\.[a-z0-9]{1,8})"
)


def bring(address: str) -> Path:
    """Return the copy of an audio object in the caches of its home, fetched where it is not there.

    `address` is as `catalog export` writes it: s3://bucket/prefix/audio/ab/<sha256>.wav. Raises InputError for another
    one, NotFound without the object, Damage for one that was altered, StorageError.
    """
    named = _AUDIO.fullmatch(address)
    if named is None:
        raise InputError(
            "a row of the list names an address that is no audio of a catalog; pass one such as "
            "s3://bucket/prefix/audio/ab/<sha256>.wav, or the path of a file"
        )
    home, relative, sha256 = parse_address(named["home"]), named["path"], named["sha256"]
    path = cache_folder(home) / relative
    if path.is_file() and sha256_of(path) == sha256:
        return path
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}")
    with storing(f"the caches in {cache_folder(home)} cannot be written"):
        path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                is_there = Blobs(home).fetch(relative, file)
            if not is_there:
                raise NotFound(f"there is no audio {home}/{relative}; export the list again")
            if sha256_of(temporary) != sha256:
                raise Damage(
                    f"{home}/{relative} no longer holds what was stored; leave its row out of the list"
                )
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return path
