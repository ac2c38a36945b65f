"""The collections of a remote home: `collections/ID.json`, each an object under a checksum."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from ..disk.checksummed import to_checked
from ..errors import Busy, Damage
from ..models import Collection
from ..objects.blobs import Blobs, Mark
from ..objects.lease import lease
from .files import FOLDER, LOCK_S, collection_in

__all__ = ["SharedFiles"]

_log = logging.getLogger(__name__)


class SharedFiles:
    """The collections in the objects of a home, which replicas share. It has the methods of `Files`."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._marks: dict[str, Mark] = {}
        """What was last read of each collection, which a change replaces."""

    def whole(self) -> Iterator[Collection]:
        """Yield the collections that can be read, deleted ones too; one that cannot is told in the log."""
        for blob in self._blobs.list(FOLDER):
            if (found := self._blobs.get_marked(blob.path)) is None:
                continue
            try:
                collection = collection_in(found[0], blob.path)
            except Damage as error:
                _log.warning("a collection of %s is left out: %s", self._blobs.address, error)
                continue
            self._marks[collection.id] = found[1]
            yield collection

    def write(self, collection: Collection) -> None:
        """Keep a collection; the store has it on return. Raises Busy where another replica changed it meanwhile."""
        path, data = _path(collection.id), to_checked(collection.model_dump(mode="json"))
        seen = self._marks.pop(collection.id, None)
        mark = self._blobs.swap(path, data, seen) if seen else self._blobs.create(path, data)
        if self._blobs.settled(mark, path, data) is None:
            raise Busy(f"the collection {collection.name!r} was changed meanwhile; try again")

    def forget(self, collection_id: str) -> None:
        """Delete a collection; one that is gone already is fine."""
        self._blobs.delete(_path(collection_id))

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the right to change collections; other threads and replicas wait. Raises Busy."""
        with lease(self._blobs, "collections", LOCK_S, "the collections"):
            yield


def _path(collection_id: str) -> str:
    return f"{FOLDER}/{collection_id}.json"
