"""Files that can be made again, kept in a folder of bounded size: other formats, pictures, outlines."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from ..errors import InputError, StorageError

__all__ = ["FileCache"]


NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,120}")
MAX_BYTES = 1_000_000_000


class FileCache:
    """Files by name, made when they are first asked for; those used longest ago go when there is too much.

    Where the folder cannot be written a temporary one takes its place, so that a read-only home is served too.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int = MAX_BYTES,
        looked_up: Callable[[str, bool], None] | None = None,
    ) -> None:
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            self._temporary = tempfile.TemporaryDirectory(prefix="catalog-")
            folder = Path(self._temporary.name)
        self._folder = folder
        self._max_bytes = max_bytes
        self._looked_up = looked_up
        self._making = [threading.Lock() for _ in range(64)]
        self._written = max_bytes
        """Bytes since the folder was last measured; as good as full at the start."""

    def file(self, kind: str, name: str, make: Callable[[], bytes]) -> Path:
        """Return the path of the file `name` among those of one kind, made with `make` where it is not there.

        Threads that ask for the same wait for the one that makes it. Raises what `make` raises, and StorageError.
        """
        if not NAME.fullmatch(name):
            raise InputError(f"{name!r} is no name of a file")
        path = self._folder / kind / name[:2] / name
        with self._making[hash(path) % len(self._making)]:
            hit = path.is_file()
            if self._looked_up:
                self._looked_up(kind, hit)
            if hit:
                with contextlib.suppress(OSError):
                    os.utime(path)
            else:
                self._write(path, make())
        return path

    def close(self) -> None:
        """Remove what is temporary."""
        if self._temporary:
            self._temporary.cleanup()

    def _write(self, path: Path, content: bytes) -> None:
        """Write beside `path`, then rename, so that a reader never sees half a file."""
        self._written += len(content)
        if self._written > self._max_bytes // 10:
            self._shrink()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as beside:
                try:
                    beside.write(content)
                    beside.flush()
                    Path(beside.name).replace(path)
                except BaseException:
                    Path(beside.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error

    def _shrink(self) -> None:
        """Remove the files used longest ago until the rest is small enough."""
        self._written = 0
        files = []
        for path in self._folder.rglob("*"):
            with contextlib.suppress(OSError):
                if path.is_file():
                    stat = path.stat()
                    files.append((stat.st_mtime, stat.st_size, path))
        over = sum(size for _, size, _ in files) - self._max_bytes
        for _, size, path in sorted(files):
            if over <= 0:
                return
            path.unlink(missing_ok=True)
            over -= size
