"""Audio of a catalog on an object store that a list names, brought to this machine while it is taken in."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from ..disk.files import TEMPORARY
from ..disk.remote.files import bring
from ..errors import InputError, NotFound
from ..objects.address import parse_address
from ..objects.blobs import Blobs

__all__ = ["FarAudio", "checked_address", "sha256_in"]

_AUDIO = re.compile(
    r"(?P<home>.+)/(?P<path>audio/[0-9a-f]{2}/(?P<sha256>[0-9a-f]{64})(?:-[0-9a-f]{8})?(?P<suffix>\.[a-z0-9]{1,8}))"
)


class FarAudio:
    """Fetches audio objects of `most_bytes` or fewer, with one client for each catalog that has some."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._homes: dict[str, Blobs] = {}

    def bring(self, address: str, folder: Path) -> Path:
        """Return a new file in `folder` with the bytes of an audio object; whoever asks deletes it.

        Its name begins like that of a temporary file of this process. Raises NotFound without the object, Damage for
        one that was altered, InputError for one that is too large, StorageError.
        """
        named = _named(address)
        home, relative = named["home"], named["path"]
        blobs = self._homes.get(home) or self._homes.setdefault(home, Blobs(parse_address(home)))
        place = folder / f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}{named['suffix']}"
        if not bring(blobs, relative, place, sha256=named["sha256"], most_bytes=self._most_bytes):
            raise NotFound(f"there is no such object in {blobs.address}; export the list again")
        return place


def checked_address(address: str) -> str:
    """Return an address that `catalog export` wrote: s3://bucket/prefix/audio/ab/<sha256>.wav.

    Raises InputError for another one.
    """
    parse_address(_named(address)["home"])
    return address


def sha256_in(address: str) -> str:
    """Return the sha256 of the audio at such an address."""
    return _named(address)["sha256"]


def _named(address: str) -> re.Match[str]:
    named = _AUDIO.fullmatch(address)
    if named is None:
        raise InputError(
            "a row of the list names an address that is no audio of a catalog; pass one such as "
            "s3://bucket/prefix/audio/ab/<sha256>.wav, or the path of a file"
        )
    return named
