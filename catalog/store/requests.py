"""The log of requests: what callers passed, and what they were served."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError

from ..disk import queue
from ..disk.failpoint import failpoint
from ..disk.files import check_writable, storing
from ..disk.lance import Connection
from ..disk.maintenance import Upkeep
from ..disk.reading import MOST_RESULTS, Row, checked_limit, checked_words, scan
from ..disk.table import Table
from ..errors import CatalogError, Damage, InputError
from ..models import RequestRecord
from ..search.filters import both, equals, literal, one_of
from .audit import set_aside
from .log import LineFormat, LogTable
from .rows import from_request_row, to_request_row
from .schema import REQUEST_COLUMNS, request_schema
from .track_table import TrackTable

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ANSWERING", "LOOKING", "SERVED", "STOCKING", "UNHEARD", "Requests"]


_log = logging.getLogger(__name__)

LOOKING = ("find", "dry-run")
"""Commands that only look: what they find is handed to nobody."""
STOCKING = "stock"
"""The command that makes tracks ahead of requests."""
UNHEARD = (*LOOKING, STOCKING)
"""Commands that hand a track to nobody."""
SERVED = f"action <> 'none' AND NOT ({one_of('command', [*UNHEARD])})"
"""The predicate of lines whose track was handed out: not only looked for, nor made ahead."""

ANSWERING = ("similar", "music", "chosen", "chosen_music")
"""Rules of a line whose track the same request gets again: a close match, or a person's choice."""


_ANSWERS = one_of("rule", [*ANSWERING])


def _answers(row: Row) -> bool:
    served = row["action"] != "none" and row["command"] not in UNHEARD
    return served and row["rule"] in ANSWERING


FORMAT: LineFormat[RequestRecord] = LineFormat(
    columns=REQUEST_COLUMNS,
    facts=(
        "id",
        "command",
        "key",
        "context_sha256",
        "style",
        "role",
        "quality",
        "action",
        "rule",
        "track_id",
        "backend",
        "listener",
        "theme",
    ),
    schema=request_schema,
    to_row=to_request_row,
    from_row=from_request_row,
    answers=_answers,
)


class Requests:
    """The log of requests, with the queue of lines that wait for it."""

    def __init__(
        self,
        home: Path,
        connection: Connection,
        table: Table,
        maintenance: Upkeep,
        tracks: TrackTable,
    ) -> None:
        self._home = home
        self._connection = connection
        self._table = LogTable(table, maintenance, FORMAT, tracks.dimension)
        self._tracks = tracks
        self._absorbing = threading.Lock()

    def close(self) -> None:
        """Nothing waits in this process."""

    @property
    def table(self) -> LogTable[RequestRecord]:
        """The table of the log, with the lines that waited for it."""
        if queue.queued(self._home) and os.access(self._home / "lance", os.W_OK):
            with self._absorbing:
                # Another thread may have absorbed them while this one waited.
                if lines := queue.queued(self._home):
                    self._absorb(lines)
        return self._table

    def append(
        self, record: RequestRecord, vector: ArrayLike | None = None, *, unanswered_at: int | None = None
    ) -> None:
        """Append one line, with the vector of its context; it is on the disk on return.

        `unanswered_at` is the `version` from before it was found that no line answers the request.
        """
        check_writable(self._home, "the request cannot be logged")
        self.table.append(record, vector, self._tracks.encoder or "", unanswered_at=unanswered_at)

    def absorb(self, records: Sequence[RequestRecord], vectors: Mapping[str, ArrayLike]) -> None:
        """Add lines whose ids are not there yet, in one commit, with the vectors of their contexts by id."""
        check_writable(self._home, "the requests cannot be logged")
        self.table.absorb(records, vectors, self._tracks.encoder or "")

    def enqueue(self, record: RequestRecord) -> None:
        """Keep one line in a file of its own, on the disk on return; whoever next opens the log absorbs it.

        So an exact repeat is logged without loading Lance. Where Lance is loaded, or too many lines wait, the line is
        appended. Raises StorageError.
        """
        check_writable(self._home, "the request cannot be logged")
        if self._connection.opened or len(queue.queued(self._home)) >= queue.MOST_QUEUED:
            self.append(record)
            return
        with storing("the request cannot be logged"):
            queue.enqueue(self._home, record.model_dump(mode="json"))

    def list(
        self,
        *,
        limit: int | None = None,
        since: datetime | None = None,
        answered: bool = False,
        rules: Sequence[str] = (),
        **facts: str,
    ) -> Sequence[RequestRecord]:
        """Return the lines, newest first; keywords such as `action="reused"` or `track_id=...` narrow them.

        `answered` leaves only lines whose track was handed out: no `find`, no dry run; `rules` those that one of these
        rules decided. Raises InputError for a column that cannot be narrowed by.
        """
        decided = one_of("rule", [*rules]) if rules else None
        where = both(_since(since), SERVED if answered else None, decided)
        return self._lines_of(**facts).read(limit, facts, where)

    def search(
        self, vector: ArrayLike, limit: int, *, since: datetime | None = None, **facts: str
    ) -> Sequence[tuple[RequestRecord, float]]:
        """Return the lines whose contexts are nearest to `vector`, with the cosine, best first."""
        encoder, count = self._tracks.encoder or "", checked_limit(limit)
        return self.table.nearest(vector, encoder, count, _since(since), facts)

    def search_words(
        self, text: str, limit: int, *, since: datetime | None = None, **facts: str
    ) -> Sequence[tuple[RequestRecord, float]]:
        """Return the lines whose query, summary, prompt or theme has words of `text`, with their BM25, best first."""
        return self.table.search_words(checked_words(text), checked_limit(limit), facts, _since(since))

    def keys_near(self, vector: ArrayLike, limit: int) -> Sequence[tuple[str, float]]:
        """Return the keys of the nearest lines that handed out a track, each once, with the cosine, best first."""
        encoder = self._tracks.encoder or ""
        rows = self.table.rows_near(vector, encoder, checked_limit(limit), ("key",), SERVED)
        cosines: dict[str, float] = {}
        for row in rows:
            cosines.setdefault(row["key"], row["_similarity"])
        return [*cosines.items()]

    def count(self, key: str) -> int:
        """Return how many lines the request `key` has; this takes a third of the time of reading one."""
        return self._lines_of(key=key).count(equals("key", key))

    def answered(self, keys: Collection[str]) -> bool:
        """Return whether a line in the table is one that a request with one of these keys is answered by later.

        True where that cannot be read. Lines that wait in the queue are none: they repeat what is in the table.
        """
        those = one_of("key", [*keys])
        try:
            # Most have no line at all, which is known sooner.
            return bool(self._table.count(those) and self._table.count(both(those, SERVED, _ANSWERS)))
        except CatalogError:
            return True

    @property
    def version(self) -> int:
        """The version of the table of the log, without lines that wait for it; 0 without one."""
        return self._table.durable.head() or 0

    def served(self, keys: Sequence[str]) -> Sequence[Row]:
        """Return key, track and time of every line with one of `keys` that handed out a track, newest first."""
        where = both(one_of("key", [*keys]), SERVED)
        return self.table.columns(("id", "key", "track_id", "created_at"), where)

    def plays(self, listener: str, since: datetime) -> Sequence[tuple[str, datetime]]:
        """Return the tracks served to a listener since then with the time of each, newest first."""
        where = both(equals("listener", listener), f"created_at >= {literal(since)}", SERVED)
        rows = self._lines_of(listener=listener).columns(
            ("id", "track_id", "created_at"), where, MOST_RESULTS
        )
        return [(row["track_id"], row["created_at"]) for row in rows]

    def theme_track(self, theme: str, listener: str) -> str | None:
        """Return the track last served to the listener under a theme, None without."""
        where = both(equals("theme", theme), equals("listener", listener), SERVED)
        lines = self._lines_of(theme=theme, listener=listener)
        rows = lines.columns(("id", "track_id", "created_at"), where, 1)
        return rows[0]["track_id"] if rows else None

    def vector_of(self, record: RequestRecord) -> NDArray[np.float32] | None:
        """Return the vector of a logged request's context: of a line with its key, else of a track made for it."""
        encoder = self._tracks.encoder or ""
        vectors = self._lines_of(key=record.key).vectors(encoder, equals("key", record.key))
        if not vectors and self._tracks.durable.exists() and self._tracks.stored_encoder == encoder:
            vectors = self._tracks.vectors(equals("context_sha256", record.context_sha256))
        return next(iter(vectors.values()), None)

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Return columns of every line."""
        import pyarrow as pa

        if not self.table.durable.exists():
            return pa.table({name: pa.array([], pa.string()) for name in names})
        return scan(self._table.durable, None, names)

    def _lines_of(self, **facts: str) -> LogTable[RequestRecord]:
        """Return the table with at least the lines that have these facts."""
        del facts
        return self.table

    def _absorb(self, lines: Sequence[Path]) -> None:
        records = []
        for path in lines:
            try:
                records.append(RequestRecord.model_validate(queue.line_in(path.read_bytes())))
            except FileNotFoundError:
                pass  # another process absorbed it
            except (Damage, ValidationError):
                aside = set_aside(self._home, path.relative_to(self._home).as_posix())
                _log.warning("a line for the log of requests cannot be read and is set aside as %s", aside)
        self._table.absorb(records)
        failpoint("queue.absorbed")
        queue.delete(lines)


def _since(moment: datetime | None) -> str | None:
    if moment is not None and moment.tzinfo is None:
        raise InputError(f"the time {moment.isoformat()} has no time zone; pass one in UTC")
    return None if moment is None else f"created_at >= {literal(moment)}"
