"""The log of requests of a remote home: lines of many calls go in together, some hundred milliseconds after them."""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from numpy.typing import ArrayLike

from ...disk.reading import intact
from ...models import RequestRecord
from ..log import LogTable
from ..requests import UNHEARD, Requests
from ..rows import from_request_row, to_request_row

__all__ = ["RemoteRequests"]


_log = logging.getLogger(__name__)

GROUPED_S, GROUPED_LINES = 1.0, 100
"""After how many seconds, or lines, those that wait are written in one commit."""
MOST_WAITING = 10_000
"""Lines that wait where the store cannot be written; at more, the oldest are dropped with a warning."""
AGAIN_S = 5.0
"""How long the thread waits that writes lines, after the store could not be written."""
END_S = 0.2
"""How long a program goes on after lines were written: a thread of Lance may hand its answer over yet, and the
interpreter aborts the process where it has ended by then."""
FEW_LINES = 100
"""A request with fewer lines has them read once for all that asks."""


class _Line(NamedTuple):
    record: RequestRecord
    vector: ArrayLike | None
    tried: bool = False
    """Whether a try to write it failed, which may have written it all the same."""


class RemoteRequests(Requests):
    """The log of requests whose lines wait up to a second; who reads what may be among them writes them first.

    The lines of the last second are lost with the process. `close` writes them, and so does the end of the program.
    """

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._lines: list[_Line] = []
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._over = False
        self._written_at = float("-inf")
        """When a try to write lines ended, by the monotonic clock."""
        alive = weakref.ref(self)
        atexit.register(_close, alive)

    @property
    def table(self) -> LogTable[RequestRecord]:
        """The table of the log, with the lines that waited for it."""
        self._write_waiting()
        return self._table

    def append(
        self, record: RequestRecord, vector: ArrayLike | None = None, *, unanswered_at: int | None = None
    ) -> None:
        """Hand in one line, with the vector of its context. Raises InputError for one that no row can hold."""
        del unanswered_at  # no answer is kept that rests on the log
        to_request_row(
            record, vector, self._tracks.encoder or ""
        )  # here, for later it would hold up the others
        with self._changed:
            self._lines.append(_Line(record, vector))
            if self._thread is None or not self._thread.is_alive():
                self._over = False
                self._thread = threading.Thread(target=self._run, name="catalog-log", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def enqueue(self, record: RequestRecord) -> None:
        """Hand in one line without a vector."""
        self.append(record)

    def list(
        self,
        *,
        limit: int | None = None,
        since: datetime | None = None,
        answered: bool = False,
        rules: Sequence[str] = (),
        **facts: str,
    ) -> Sequence[RequestRecord]:
        """Return the lines, newest first; see `Requests.list`. A few of one request are read once for all that asks."""
        few = self._few_of(facts["key"]) if [*facts] == ["key"] and since is None else None
        if few is None:
            return super().list(limit=limit, since=since, answered=answered, rules=rules, **facts)
        served = (line for line in few if not answered or _is_served(line))
        return [line for line in served if not rules or line.rule in rules][:limit]

    def count(self, key: str) -> int:
        """Return how many lines the request `key` has."""
        few = self._few_of(key)
        return super().count(key) if few is None else len(few)

    def close(self) -> None:
        """Write the lines that wait; a warning tells of those that the store would not take, which are lost."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        if not self._write_waiting():
            _log.warning(
                "%d lines of the log go with this process, since the store does not take them",
                len(self._lines),
            )

    def _few_of(self, key: str) -> Sequence[RequestRecord] | None:
        """Return the lines of a request, newest first; None where it has many."""
        rows = self._lines_of(key=key).rows_of(key, FEW_LINES)
        return None if len(rows) == FEW_LINES else [*intact(rows, from_request_row)]

    def _lines_of(self, **facts: str) -> LogTable[RequestRecord]:
        """Return the table with the lines that waited and have these facts; others may go on waiting."""
        with self._changed:
            wanted = any(
                all(getattr(line.record, name, None) == value for name, value in facts.items())
                for line in self._lines
            )
        # A group on its way to the table has left the list already.
        if wanted or self._writing.locked():
            self._write_waiting()
        return self._table

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines or self._over)
                if self._over:
                    return
                self._changed.wait_for(lambda: len(self._lines) >= GROUPED_LINES or self._over, GROUPED_S)
            if not self._write_waiting():
                with self._changed:
                    self._changed.wait_for(lambda: self._over, AGAIN_S)

    def _write_waiting(self) -> bool:
        """Write the lines that wait; return False, and let them wait on, where the store cannot be written."""
        with self._writing:
            with self._changed:
                lines, self._lines = self._lines, []
            if not lines:
                return True
            try:
                pairs = [(line.record, line.vector) for line in lines]
                again = any(line.tried for line in lines)
                self._table.append_all(pairs, self._tracks.encoder or "", again=again)
            except Exception as error:
                with self._changed:
                    every = [*(line._replace(tried=True) for line in lines), *self._lines]
                    self._lines = every[-MOST_WAITING:]
                _log.warning("%d lines of the log wait: %s", min(len(every), MOST_WAITING), error)
                if (dropped := len(every) - MOST_WAITING) > 0:
                    _log.warning("%d lines of the log are lost, the oldest of those that waited", dropped)
                return False
            finally:
                self._written_at = time.monotonic()
            return True


def _is_served(line: RequestRecord) -> bool:
    """Tell what the predicate SERVED does."""
    return line.action != "none" and line.command not in UNHEARD


def _close(alive: weakref.ref[RemoteRequests]) -> None:
    if log := alive():
        log.close()
        if (left_s := log._written_at + END_S - time.monotonic()) > 0:
            time.sleep(left_s)
