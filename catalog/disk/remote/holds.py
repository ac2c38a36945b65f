"""Holds on the versions of the tables of a remote home: while somebody reads one for long, no version is removed.

A hold is a lease of its own, so that any number of processes hold versions at the same time, and the hold of one that
died ends by itself.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta

from ...errors import StorageError
from ...objects.blobs import Blob, Blobs
from ...objects.lease import Watch, lease

__all__ = ["Holds", "hold_versions"]


_log = logging.getLogger(__name__)

HOLD_S = 60.0
"""How long a hold lasts that is not renewed."""
OLDEST = timedelta(hours=1)
"""From which age on a hold counts for nothing, for a process that looks once: it is renewed three times a minute."""
_FOLDER, _CLOCK = "locks/reading", "locks/reading/clock"
"""Where holds are, and an object that tells what time it is by the clock of the store."""


@contextmanager
def hold_versions(blobs: Blobs) -> Iterator[None]:
    """Keep every version of the tables that is there, and those that come, from being removed meanwhile.

    Whoever may only read goes on without a hold, with a warning.
    """
    name = f"reading/{secrets.token_hex(8)}"
    with ExitStack() as stack:
        try:
            stack.enter_context(
                lease(blobs, name, HOLD_S, "the versions of its tables", lease_s=HOLD_S, again=True)
            )
        except StorageError as error:
            _log.warning("versions that are read for over half an hour may go meanwhile: %s", error)
            name = ""
        yield
    if name:
        try:
            blobs.delete(f"locks/{name}.json")
        except StorageError as error:
            _log.warning("a hold that ended was not deleted, which `catalog care` does later: %s", error)


class Holds:
    """What one process knows of the holds on a home."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._watches: dict[str, Watch] = {}

    def any(self) -> bool:
        """Return whether there is a hold, and forget those of processes that died. Raises StorageError."""
        held = [*self._held()]
        names = {_name_of(blob) for blob in held}
        self._watches = {name: watch for name, watch in self._watches.items() if name in names}
        if not held:
            return False
        if (now := self.now()) is None:
            return True
        found = False
        for blob in self._held():
            name = _name_of(blob)
            watch = self._watches.setdefault(name, Watch(self._blobs, name))
            if watch.is_free() or now - blob.changed_at > OLDEST:
                self._blobs.delete(blob.path)
                self._watches.pop(name)
            else:
                found = True
        return found

    def now(self) -> datetime | None:
        """Return the time by the clock of the store, None where another process deleted what tells it."""
        self._blobs.put(_CLOCK, secrets.token_bytes(8))
        return next((blob.changed_at for blob in self._blobs.list(_FOLDER) if blob.path == _CLOCK), None)

    def _held(self) -> Iterator[Blob]:
        return (blob for blob in self._blobs.list(_FOLDER) if blob.path != _CLOCK)


def _name_of(hold: Blob) -> str:
    return hold.path.removeprefix("locks/").removesuffix(".json")
