"""A claim that holds across machines: an object that is created, renewed and freed by conditional writes.

No clocks are compared: whoever waits measures, on its own clock, for how long the object has not changed. A holder that
is frozen for longer than its lease loses it without noticing, so a lease saves work and is no guard: what two holders
write must be the same, or told apart by the store.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import Busy, StorageError
from .blobs import Blobs, Mark

__all__ = ["LEASE_S", "Watch", "lease"]


_log = logging.getLogger(__name__)

LEASE_S = 10.0
"""How long a lease holds that its holder does not renew; it is renewed three times in that time."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.05, 1.0


@contextmanager
def lease(
    blobs: Blobs,
    name: str,
    timeout_s: float,
    what: str,
    *,
    lease_s: float | None = None,
    holder: str = "",
    again: bool = False,
) -> Iterator[_Lease]:
    """Hold the lease `name`, waiting up to `timeout_s` seconds for its holder; `what` names it in the error.

    The lease of a process that dies is free `lease_s` seconds later, LEASE_S by default. One that `holder` left, say by
    a request whose answer was lost, the same `holder` takes at once. With `again`, one that is lost is taken once more.
    Raises Busy when the wait is over, and StorageError where the store refuses it.
    """
    held = _Lease(blobs, _path_of(name), LEASE_S if lease_s is None else lease_s, holder, again)
    deadline, wait_s = time.monotonic() + timeout_s, _FIRST_WAIT_S
    while not held.take():
        if time.monotonic() >= deadline:
            raise Busy(
                f"another process still holds {what} after {timeout_s:g} s; try again when it has finished"
            )
        time.sleep(min(wait_s, max(0.0, deadline - time.monotonic())))
        wait_s = min(wait_s * 1.5, _LONGEST_WAIT_S)
    renewing = threading.Thread(target=held.keep_renewed, name="catalog-lease", daemon=True)
    renewing.start()
    try:
        yield held
    finally:
        held.free()


class Watch:
    """Looks at a lease again and again, without taking it."""

    def __init__(self, blobs: Blobs, name: str) -> None:
        self._blobs = blobs
        self._lease = _Lease(blobs, _path_of(name), LEASE_S)

    def is_free(self) -> bool:
        """Return whether nobody holds the lease: it was freed, or was not renewed since an earlier look."""
        found = self._blobs.get_marked(self._lease.path)
        return found is None or not _is_held(found[0]) or self._lease.ran_out(found)


class _Lease:
    """One try to hold one lease; `mark` is that of the object as this holder wrote it, None while it has none."""

    def __init__(
        self, blobs: Blobs, path: str, lease_s: float, holder: str = "", again: bool = False
    ) -> None:
        self._blobs, self.path, self._lease_s, self._again = blobs, path, lease_s, again
        self._holder = holder or secrets.token_hex(8)
        self._mark: Mark | None = None
        self._renewed_at = float("-inf")
        """When the last write of the object that was done began, by the monotonic clock."""
        self._seen: tuple[Mark, float] | None = None
        """The mark of another's object, and since when it has been seen."""
        self._over = threading.Event()
        self._lock = threading.Lock()

    @property
    def is_held(self) -> bool:
        """Whether the lease was renewed in time, and was not lost as far as this holder knows."""
        return self._mark is not None and time.monotonic() - self._renewed_at < self._lease_s

    def confirm(self) -> bool:
        """Return whether the lease is held, once it is renewed where it was not in time. Raises StorageError."""
        with self._lock:
            if self._mark is not None and not self.is_held:
                self._mark = self._swapped("held", self._mark)
        return self.is_held

    def take(self) -> bool:
        """Take the lease where it is free, was never held or was not renewed in time; return whether it is held."""
        found, began_at = self._blobs.get_marked(self.path) if self._seen else None, time.monotonic()
        if found is None:
            content = self._content("held")
            mark = self._blobs.create(self.path, content)
            self._mark = self._blobs.settled(mark, self.path, content)
            if self._mark is not None:
                self._renewed_at = began_at
                return True
            found = self._blobs.get_marked(self.path)
        if found is None:
            return False
        if _is_held(found[0]) and _holder_of(found[0]) != self._holder and not self.ran_out(found):
            return False
        self._mark = self._swapped("held", found[1])
        return self._mark is not None

    def keep_renewed(self) -> None:
        """Renew the lease until it is freed; once it is lost, take it again where that is wished, or end."""
        while not self._over.wait(self._lease_s / 3):
            with self._lock:
                if self._over.is_set() or (self._mark is None and not self._again):
                    return
                try:
                    if self._mark is not None:
                        self._mark = self._swapped("held", self._mark)
                        if self._mark is None:
                            _log.warning(
                                "the claim %s was lost: another process took it, or deleted it", self.path
                            )
                    if self._mark is None and self._again:
                        self.take()
                except StorageError as error:  # it holds for two thirds of its time yet
                    _log.warning("a claim was not renewed: %s", error)

    def free(self) -> None:
        """Let others take the lease; one that was lost meanwhile stays with its new holder."""
        self._over.set()
        with self._lock:
            if self._mark is not None:
                try:
                    self._swapped("free", self._mark)
                except StorageError as error:
                    _log.warning("a claim was not given back, and ends by itself: %s", error)

    def _swapped(self, state: str, seen: Mark) -> Mark | None:
        """Write the object that has the mark `seen`; where it has another, then the one it has, if it is this holder's.

        An earlier request may have been done without an answer, so that its mark is not known.
        """
        content, began_at = self._content(state), time.monotonic()
        mark = self._blobs.swap(self.path, content, seen)
        if mark is None:
            found = self._blobs.get_marked(self.path)
            if found is None or _holder_of(found[0]) != self._holder:
                return None
            mark = found[1]
            if found[0] != content:
                mark = self._blobs.settled(self._blobs.swap(self.path, content, mark), self.path, content)
        self._renewed_at = began_at
        return mark

    def _content(self, state: str) -> bytes:
        # A store may name content by its hash alone: a renewal must be another content.
        told = {
            "state": state,
            "lease_s": self._lease_s,
            "holder": self._holder,
            "turn": secrets.token_hex(8),
        }
        return json.dumps(told).encode()

    def ran_out(self, found: tuple[bytes, Mark]) -> bool:
        """Return whether the object has not changed for as long as it holds."""
        if self._seen is None or self._seen[0] != found[1]:
            self._seen = found[1], time.monotonic()
        return time.monotonic() - self._seen[1] >= _lease_s_of(found[0])


def _path_of(name: str) -> str:
    return f"locks/{name}.json"


def _is_held(content: bytes) -> bool:
    try:
        return bool(json.loads(content)["state"] == "held")
    except (ValueError, KeyError, TypeError):
        return True  # nobody knows what that is: it ends like a lease


def _holder_of(content: bytes) -> str:
    try:
        return str(json.loads(content)["holder"])
    except (ValueError, KeyError, TypeError):
        return ""


def _lease_s_of(content: bytes) -> float:
    try:
        return float(json.loads(content)["lease_s"])
    except (ValueError, KeyError, TypeError):
        return LEASE_S
