"""The log of requests of a remote home: lines of many calls go in together, some hundred milliseconds after them."""

from __future__ import annotations

import atexit
import logging
import threading
import weakref
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from numpy.typing import ArrayLike

from ...errors import CatalogError
from ...models import RequestRecord
from ..log import LogTable
from ..requests import UNHEARD, Requests

__all__ = ["RemoteRequests"]


_log = logging.getLogger(__name__)

GROUPED_S, GROUPED_LINES = 1.0, 100
"""After how many seconds, or lines, those that wait are written in one commit."""
MOST_WAITING = 10_000
"""Lines that wait where the store cannot be written; at more, the oldest are dropped with a warning."""


class _Line(NamedTuple):
    record: RequestRecord
    vector: ArrayLike | None


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
        alive = weakref.ref(self)
        atexit.register(_close, alive)

    @property
    def table(self) -> LogTable[RequestRecord]:
        """The table of the log, with the lines that waited for it."""
        self._write_waiting()
        return self._table

    def append(self, record: RequestRecord, vector: ArrayLike | None = None) -> None:
        """Hand in one line, with the vector of its context."""
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
        """Return the lines, newest first; see `Requests.list`. Those of one request are read once for all that asks."""
        if [*facts] != ["key"] or since is not None:
            return super().list(limit=limit, since=since, answered=answered, rules=rules, **facts)
        lines = self._lines_of(**facts).read(None, facts)
        served = (line for line in lines if not answered or _is_served(line))
        return [line for line in served if not rules or line.rule in rules][:limit]

    def count(self, key: str) -> int:
        """Return how many lines the request `key` has."""
        return len(self.list(key=key))

    def close(self) -> None:
        """Write the lines that wait."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._write_waiting()

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
            self._write_waiting()

    def _write_waiting(self) -> None:
        with self._writing:
            with self._changed:
                lines, self._lines = self._lines, []
            if not lines:
                return
            try:
                self._table.append_all(lines, self._tracks.encoder or "")
            except CatalogError as error:
                with self._changed:
                    self._lines = [*lines, *self._lines][-MOST_WAITING:]
                _log.warning("%d lines of the log wait: %s", len(lines), error)


def _is_served(line: RequestRecord) -> bool:
    """Tell what the predicate SERVED does."""
    return line.action != "none" and line.command not in UNHEARD


def _close(alive: weakref.ref[RemoteRequests]) -> None:
    if log := alive():
        log.close()
