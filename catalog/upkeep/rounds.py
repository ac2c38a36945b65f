"""The care of a home in rounds, by one process: what grew is compacted and indexed, and old trash is emptied."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator

from ..disk.locks import hold
from ..errors import CatalogError
from ..models import Value
from ..objects.lease import LEASE_S, lease
from ..store.store import Store

__all__ = ["Round", "care_once", "keep_caring", "only_carer"]


DAY_S = 86_400.0
LOCK_S = 1.0
"""How long the start waits for another process that cares for the home."""

_log = logging.getLogger(__name__)


class Round(Value):
    """What one round did."""

    compacted: tuple[str, ...] = ()
    """The tables whose fragments were merged and whose indexes were brought up to date."""
    purged: int = 0
    """Tracks that went from the trash for good."""
    deleted: int = 0
    """Audio files of tracks that were purged a week before and more, on an object store."""
    seconds: float = 0.0

    def __str__(self) -> str:
        done = [f"compacted {' and '.join(self.compacted)}"] if self.compacted else []
        if self.purged:
            done.append(f"purged {self.purged} track{'s' * (self.purged != 1)}")
        if self.deleted:
            done.append(f"deleted {self.deleted} audio file{'s' * (self.deleted != 1)}")
        return f"{', '.join(done) or 'nothing was due'} ({self.seconds:.1f} s)"


@contextlib.contextmanager
def only_carer(store: Store) -> Iterator[None]:
    """Be the one process that cares for the home of `store`. Raises Busy where another one does."""
    what = "the care of this home"
    with contextlib.ExitStack() as stack:
        stack.enter_context(hold(store.home / "locks" / "care.lock", LOCK_S, what))
        if store.blobs:
            # The lease of a process that died runs out meanwhile.
            stack.enter_context(lease(store.blobs, "care", LOCK_S + LEASE_S, what))
        yield


def care_once(store: Store, *, purge_after_days: float | None = None) -> Round:
    """Compact the tables to which enough was committed, and empty the trash of what lies in it for so many days.

    What purges left on an object store for long enough goes too. With `purge_after_days` None the trash stays. Raises
    CatalogError; what was done before stays done.
    """
    began = time.monotonic()
    compacted = store.care.compact_due()
    purged = 0
    if purge_after_days is not None:
        purged = store.care.purge(older_than_s=purge_after_days * DAY_S)
    deleted = store.care.forget_purged()
    return Round(compacted=tuple(compacted), purged=purged, deleted=deleted, seconds=time.monotonic() - began)


def keep_caring(
    store: Store,
    stop: threading.Event,
    *,
    every_s: float,
    purge_after_days: float | None = None,
    on_round: Callable[[Round], object] = str,
) -> None:
    """Make a round every `every_s` seconds until `stop` is set; a round that fails is told and tried again."""
    while True:
        try:
            on_round(care_once(store, purge_after_days=purge_after_days))
        except CatalogError as error:
            _log.warning("a round of care was not finished: %s", error)
        if stop.wait(every_s):
            return
