"""Objects below an address: created if absent, swapped if unchanged, read, listed, deleted. The door to obstore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import InputError, MissingExtra, StorageError
from .address import Address
from .reasons import storing_at

__all__ = ["Blob", "Blobs", "Mark"]


CONNECT_S, ANSWER_S = 5, 60
"""How long a connection, and one answer, may take."""
RETRIES, RETRY_S = 6, 60
"""How often, and for how many seconds, a request is sent again that a busy store turned away."""
PART_BYTES = 16 << 20
"""How much of a large object one request reads, so that it is there in time."""


class Mark(NamedTuple):
    """Which content of an object was seen: what a swap is conditional on."""

    e_tag: str | None
    version: str | None


class Blob(NamedTuple):
    """One object in a list."""

    path: str
    size_bytes: int
    changed_at: datetime


class Blobs:
    """The objects below one address; paths have forward slashes. Threads may share it.

    Its methods raise StorageError, with the cure, where the store cannot be reached or refuses.
    """

    def __init__(self, address: Address) -> None:
        self.address = address

    def __repr__(self) -> str:
        return f"Blobs({self.address.url!r})"

    def create(self, path: str, data: bytes) -> Mark | None:
        """Write an object unless there is one; return its mark, None where there is one."""
        with self._told(f"{path} cannot be written"):
            try:
                return _mark(self._obstore.put(self._store, path, data, mode="create"))
            except self._obstore.exceptions.AlreadyExistsError:
                return None

    def swap(self, path: str, data: bytes, seen: Mark) -> Mark | None:
        """Replace the object that has the mark `seen`; return its new mark, None where it has another or is gone."""
        mode = {name: value for name, value in seen._asdict().items() if value}
        with self._told(f"{path} cannot be written"):
            try:
                return _mark(self._obstore.put(self._store, path, data, mode=mode))
            except (self._obstore.exceptions.PreconditionError, FileNotFoundError):
                return None

    def settled(self, mark: Mark | None, path: str, data: bytes) -> Mark | None:
        """Return the mark of a create or swap; where it failed, that of the object if it holds just `data`.

        A store may do what it is asked and fail to answer. The request is sent again then, and meets its own work.
        `data` must be of this process alone.
        """
        found = None if mark else self.get_marked(path)
        return found[1] if found and found[0] == data else mark

    def put(self, path: str, data: bytes | Path) -> Mark:
        """Write an object, from bytes or from a file, a large one in parts, whatever was there."""
        with self._told(f"{path} cannot be written"):
            return _mark(self._obstore.put(self._store, path, data))

    def parts(self, path: str, most_bytes: int | None = None) -> Iterator[bytes] | None:
        """Return the bytes of an object that never changes, PART_BYTES at a time; None without it.

        Raises InputError for one of more than `most_bytes`.
        """
        first = self._part(path, 0)
        if first is not None and most_bytes is not None and first[1] > most_bytes:
            raise InputError(f"it has {first[1]:,} bytes; the most that is taken is {most_bytes:,}")
        return None if first is None else self._rest(path, *first)

    def get(self, path: str) -> bytes | None:
        """Return the bytes of an object, None without it."""
        found = self.get_marked(path)
        return found[0] if found else None

    def get_marked(self, path: str) -> tuple[bytes, Mark] | None:
        """Return the bytes of an object and its mark, None without it."""
        with suppress(FileNotFoundError), self._told(f"{path} cannot be read"):
            found = self._obstore.get(self._store, path)
            return bytes(found.bytes()), _mark(found.meta)
        return None

    def size(self, path: str) -> int | None:
        """Return the bytes an object has, None without it."""
        with suppress(FileNotFoundError), self._told(f"{path} cannot be looked at"):
            return int(self._obstore.head(self._store, path)["size"])
        return None

    def list(self, folder: str = "") -> Iterator[Blob]:
        """Yield the objects below `folder`, in order of their paths."""
        with self._told(f"{folder or 'it'} cannot be listed"):
            for batch in self._obstore.list(self._store, prefix=folder or None):
                yield from (Blob(each["path"], int(each["size"]), each["last_modified"]) for each in batch)

    def delete(self, path: str) -> None:
        """Delete an object; one that is not there is fine."""
        with suppress(FileNotFoundError), self._told(f"{path} cannot be deleted"):
            self._obstore.delete(self._store, path)

    def _rest(self, path: str, part: bytes, size: int) -> Iterator[bytes]:
        yield part
        read = len(part)
        while read < size:
            if (found := self._part(path, read)) is None:
                raise StorageError(f"{self.address.url}: {path} went while it was read; try again")
            read += len(found[0])
            yield found[0]

    def _part(self, path: str, start: int) -> tuple[bytes, int] | None:
        """Return the bytes of an object from `start` on, PART_BYTES at most, and its size; None without the object."""
        with suppress(FileNotFoundError), self._told(f"{path} cannot be read"):
            wanted = {"range": (start, start + PART_BYTES)}
            try:
                found = self._obstore.get(self._store, path, options=wanted)
            except self._obstore.exceptions.GenericError as error:
                if "416 " in str(error) and self.size(path) == 0:  # an object without bytes has no range
                    return b"", 0
                raise
            return bytes(found.bytes()), int(found.meta["size"])
        return None

    def _told(self, what: str) -> Any:
        return storing_at(f"{self.address.url}: {what}")

    @cached_property
    def _obstore(self) -> Any:
        try:
            import obstore
        except ImportError:
            raise MissingExtra(
                f"{self.address} needs the package obstore, which is not installed; "
                "pip install 'music-catalog[objects]'"
            ) from None
        return obstore

    @cached_property
    def _store(self) -> Any:
        self._obstore  # noqa: B018  # a sentence where it is not installed
        from obstore.store import from_url

        options = dict(self.address.options)
        client = {"connect_timeout": f"{CONNECT_S}s", "timeout": f"{ANSWER_S}s"}
        allow_http = options.pop("allow_http", "") == "true"
        retry = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_S)}
        with self._told("it cannot be opened"):
            return from_url(
                self.address.url,
                client_options={**client, "allow_http": allow_http},
                retry_config=retry,
                **options,
            )


def _mark(told: Any) -> Mark:
    return Mark(told.get("e_tag"), told.get("version"))
