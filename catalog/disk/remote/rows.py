"""Rows of a table on an object store that this process has read, by their address.

What is at an address never changes, while the table is of one kind: a change writes the row elsewhere. A compaction
writes the same rows elsewhere too, where a column that tells what a row holds finds them again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from ..lance import run
from ..reading import Row, to_rows

__all__ = ["KeptRows"]


MOST_ROWS = 10_000
"""Rows that are kept beside those that are held: 8 kB each with its vectors."""
ROWS_MB, USUAL_MB = "CATALOG_ROWS_MB", 512
"""The environment variable that bounds the memory for the rows that are held, and what it is without it."""
ROWS_AT_ONCE, OBJECT_BYTES = 4_096, 700
"""How many rows are read at once, and what a row takes in Python beside its values."""


class Held(NamedTuple):
    """Which columns are held of every row; `same` is one of them, and equal in rows that hold the same."""

    columns: tuple[str, ...]
    kind: str
    same: str


class KeptRows:
    """The rows that were read of one table: the latest ones of any columns, and chosen columns of every row.

    `queries` returns LanceDB's asynchronous table. Threads may share it.
    """

    def __init__(self, queries: Callable[[], Any]) -> None:
        self._queries = queries
        self._lock = threading.Lock()
        self._latest: dict[tuple[int, str, tuple[str, ...]], Row] = {}
        self.held: Held | None = None
        self._every: dict[int, Row] = {}
        self._row_bytes = OBJECT_BYTES
        self._reading = threading.Lock()

    def at(self, addresses: Sequence[int], columns: Sequence[str], kind: str) -> tuple[dict[int, Row], int]:
        """Return these columns of the rows at some addresses, those that are there, and how many had to be read."""
        names = tuple(columns)
        with self._lock:
            every = self._every if self.held and self.held[:2] == (names, kind) else {}
            kept = ((each, every.get(each) or self._latest.get((each, kind, names))) for each in addresses)
            found = {each: row for each, row in kept if row is not None}
        if missing := [each for each in addresses if each not in found]:
            new = self._read(missing, columns)
            with self._lock:
                if len(self._latest) + len(new) > MOST_ROWS:
                    self._latest.clear()
                self._latest.update({(each, kind, names): row for each, row in new.items()})
            found |= new
        return found, len(missing)

    def hold_all(self) -> None:
        """Read what is to be held of the rows whose like is not held yet, until they take CATALOG_ROWS_MB."""
        if (held := self.held) is None:
            return
        with self._reading:
            known = {row[held.same]: row for row in self._every.values()}
            found = run(self._queries().query().select([held.same]).with_row_id().to_arrow())
            told = [*zip(found["_rowid"].to_pylist(), found[held.same].to_pylist(), strict=True)]
            every = {address: known[same] for address, same in told if same in known}
            for part in _in_parts([address for address, same in told if same not in known]):
                if len(every) * self._row_bytes >= _most_bytes():
                    break
                every |= self._read(part, held.columns)
            with self._lock:
                self._every = every

    def clear(self) -> None:
        """Forget every row."""
        with self._lock:
            self._latest.clear()
            self._every = {}

    def _read(self, addresses: Sequence[int], columns: Sequence[str]) -> dict[int, Row]:
        answer = run(self._queries().take_row_ids([*addresses]).select([*columns]).with_row_id().to_arrow())
        if answer.num_rows:
            self._row_bytes = OBJECT_BYTES + answer.nbytes // answer.num_rows
        return {row.pop("_rowid"): row for row in to_rows(answer)}


def _in_parts(addresses: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(addresses), ROWS_AT_ONCE):
        yield addresses[start : start + ROWS_AT_ONCE]


def _most_bytes() -> float:
    try:
        return float(os.environ[ROWS_MB]) * 1e6
    except (KeyError, ValueError):
        return USUAL_MB * 1e6
