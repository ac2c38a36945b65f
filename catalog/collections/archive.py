"""Tracks as one ZIP file, made while it is sent: their audio, and a playlist of it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

__all__ = ["zip_blocks"]

SPARE_BYTES = 1 << 16
"""The tags of an entry make it larger than the file at its path by less than this."""


def zip_blocks(
    files: Iterable[tuple[str, Path, Iterable[bytes]]], texts: Iterable[tuple[str, bytes]] = ()
) -> Iterator[bytes]:
    """Yield the bytes of a ZIP file that holds `files` and then `texts`.

    Of each file there are its name, the path whose time and mode it gets, and its content in blocks.

    Nothing is compressed: audio hardly gets smaller. Memory stays at about two blocks of 1 MB. Raises OSError.
    """
    pipe = _Pipe()
    with zipfile.ZipFile(cast(BinaryIO, pipe), "w", zipfile.ZIP_STORED) as archive:
        for name, path, blocks in files:
            info = zipfile.ZipInfo.from_file(path, name, strict_timestamps=False)
            # The size of the entry decides whether it is written for 4 GB and more.
            info.file_size += SPARE_BYTES
            with archive.open(info, "w") as entry:
                for block in blocks:
                    entry.write(block)
                    yield pipe.taken()
        for name, content in texts:
            archive.writestr(name, content)
    yield pipe.taken()


class _Pipe(io.RawIOBase):
    """A file that is only written, from the beginning to the end; what was written is taken out again."""

    def __init__(self) -> None:
        super().__init__()
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        self._written += view
        return view.nbytes

    def taken(self) -> bytes:
        """Return what was written since the last call."""
        block = bytes(self._written)
        self._written.clear()
        return block
