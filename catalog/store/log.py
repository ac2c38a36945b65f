"""A log in a table: lines that are appended and never changed, each with a vector or without."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..disk.lance import lance_errors
from ..disk.maintenance import WORDS, Upkeep
from ..disk.reading import Row, intact, read, to_arrow, where
from ..disk.remote.table import ObjectTable
from ..disk.table import Table
from ..errors import InputError
from ..models import Judgement, RequestRecord
from ..search.filters import both, equals
from .rows import unit_vector

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["WITH_VECTOR", "LineFormat", "LogTable"]


ROWS_AT_ONCE = 4_096
"""Rows that are held in memory where a whole log is read."""
MOST_FAR = 100
"""Rows of one request that are looked up one by one in a far table."""
WITH_VECTOR = "vector_sha256 <> ''"
"""The predicate of rows that have a vector. A line may name an encoder without: see `vectors.lines`."""
_Line = TypeVar("_Line", RequestRecord, Judgement)


@dataclass(frozen=True)
class LineFormat(Generic[_Line]):
    """The columns of one log, those that narrow it (`facts`), and how a line becomes a row and a row a line."""

    columns: tuple[str, ...]
    facts: tuple[str, ...]
    schema: Callable[[int], pa.Schema]
    to_row: Callable[[_Line, ArrayLike | None, str], dict[str, Any]]
    from_row: Callable[[Mapping[str, Any]], _Line]
    answers: Callable[[Row], bool] = lambda _: True
    """Whether the request of a row may be answered by it later."""


@dataclass
class _Waiting:
    """A row that one thread hands in to be written, and how that went."""

    row: dict[str, Any]
    unanswered_at: int | None = None
    done: bool = False
    error: BaseException | None = None


class LogTable(Generic[_Line]):
    """One log in a table of its own: appended to, never changed."""

    def __init__(self, table: Table, maintenance: Upkeep, lines: LineFormat[_Line], dimension: int) -> None:
        self.durable = table
        self._maintenance = maintenance
        self._format: LineFormat[_Line] = lines
        self._dimension = dimension
        self._stated: tuple[int | None, int] = (None, 0)
        """The stamp of the table when its schema was read, which takes as long as a search, and what it said."""
        self._turn = threading.Condition()
        """Guards what waits and who writes."""
        self._waiting: list[_Waiting] = []
        self._writing = False

    @property
    def dimension(self) -> int:
        """The length of the vectors the table takes."""
        if not self.durable.exists():
            return self._dimension
        stamp = self.durable.stamp
        if stamp is None or stamp != self._stated[0]:
            self._stated = stamp, int(self.durable.schema.field("vector").type.list_size)
        return self._stated[1]

    def append(
        self, line: _Line, vector: ArrayLike | None, encoder: str, *, unanswered_at: int | None = None
    ) -> None:
        """Add one line; it is on the disk on return. A vector of another length than the table's is left out.

        `unanswered_at` is a version in which no line answered its request.
        """
        dimension = self.dimension
        fitting = vector if vector is not None and np.shape(vector) == (dimension,) else None
        waiting = _Waiting(self._format.to_row(line, fitting, encoder), unanswered_at)
        # One commit costs several syncs, so of the threads that wait for the one under way, the first to wake writes
        # the rows of all. The others return with it at once, whoever has come meanwhile.
        with self._turn:
            self._waiting.append(waiting)
            self._turn.wait_for(lambda: waiting.done or not self._writing)
            batch, self._waiting = ([], self._waiting) if waiting.done else (self._waiting, [])
            self._writing = self._writing or bool(batch)
        if batch:
            try:
                self._write(batch, self._format.schema(dimension))
            finally:
                with self._turn:
                    self._writing = False
                    self._turn.notify_all()
            # After the turn, so that the rows of those who wait are written first.
            self._maintenance.run_when_due(self.durable)
        if waiting.error is not None:
            raise waiting.error

    def _write(self, batch: Sequence[_Waiting], schema: pa.Schema, *, again: bool = False) -> None:
        """Add the rows of the threads that wait in one commit, and note in each how that went.

        `again`: an earlier try failed, and may have added them all the same.
        """
        what = f"the line cannot be added to the {self.durable.name}"

        def add(table: Any, data: pa.Table) -> None:
            nonlocal again
            merges, again = again or self.durable.of_service, True  # a commit, or a merge, may be sent twice
            if merges:
                _merge(table, data)
            else:
                # Without this option Lance refuses rows whose vector is null.
                table.add(data, on_bad_vectors="null")

        try:
            if not self.durable.exists():
                self.durable.create(schema)
            data, only_adds = to_arrow([one.row for one in batch], schema), partial(self._only_adds, batch)
            self.durable.commit(what, lambda table: add(table, data), point="log", adds_only=only_adds)
        except BaseException as error:
            for one in batch:
                one.error = error
        for one in batch:
            one.done = True

    def append_all(
        self, lines: Sequence[tuple[_Line, ArrayLike | None]], encoder: str, *, again: bool = False
    ) -> None:
        """Add lines, each with a vector or without, in one commit; see `append`.

        `again`: an earlier try failed, and those that it added all the same are passed over.
        """
        dimension = self.dimension
        fitting = [
            (line, vector if vector is not None and np.shape(vector) == (dimension,) else None)
            for line, vector in lines
        ]
        batch = [_Waiting(self._format.to_row(line, vector, encoder)) for line, vector in fitting]
        self._write(batch, self._format.schema(dimension), again=again)
        if (error := batch[0].error) is not None:
            raise error

    def absorb(
        self,
        lines: Sequence[_Line],
        vectors: Mapping[str, ArrayLike] = MappingProxyType({}),
        encoder: str = "",
    ) -> None:
        """Add lines whose ids are not there yet, so that doing it again adds nothing; `vectors` are theirs by id."""
        if not lines:
            return
        schema = self._format.schema(self.dimension)
        rows: dict[str, dict[str, Any]] = {}
        for line in lines:
            vector = vectors.get(line.id)
            rows[line.id] = self._format.to_row(line, vector, encoder if vector is not None else "")
        if not self.durable.exists():
            self.durable.create(schema)

        data, what = to_arrow([*rows.values()], schema), f"lines cannot be added to the {self.durable.name}"
        only_adds = not any(map(self._format.answers, rows.values()))
        self.durable.commit(what, lambda table: _merge(table, data), point="absorb", adds_only=only_adds)
        self._maintenance.run_when_due(self.durable)

    def _only_adds(self, added: Sequence[_Waiting]) -> bool:
        """Tell whether rows that were just added leave what any request is served.

        The first row that answers a request does, since nobody had an answer before it. That it is the first is known
        where nothing was added since the version in which there was none: to look again would take longer than to add.
        """
        answering = [one for one in added if self._format.answers(one.row)]
        if not answering:
            return True
        keys, before = {one.row["key"] for one in answering}, (self.durable.head() or 0) - 1
        return len(keys) == len(answering) and all(one.unanswered_at == before for one in answering)

    def read(
        self,
        limit: int | None,
        facts: Mapping[str, str],
        predicate: str | None = None,
        decode: Callable[[Row], _Line] | None = None,
    ) -> Sequence[_Line]:
        """Return the lines whose columns equal `facts` and that meet `predicate`, newest first.

        Altered ones are left out, with a warning; `decode` may make a line of them.
        """
        where = both(self._where(facts), predicate)
        rows = None
        if [*facts] == ["key"] and predicate is None and limit is None:
            rows = self._far_rows_of(facts["key"], MOST_FAR)
        if rows is None:
            rows = read(self.durable, where, self._format.columns, order="-created_at", limit=limit)
        return list(intact(rows, decode or self._format.from_row))

    def rows_of(self, key: str, limit: int) -> list[Row]:
        """Return up to `limit` rows of a request as they are stored, newest first."""
        rows = self._far_rows_of(key, limit)
        if rows is not None:
            return rows
        return read(self.durable, equals("key", key), self._format.columns, order="-created_at", limit=limit)

    def _far_rows_of(self, key: str, most: int) -> list[Row] | None:
        """Return the rows of a request, newest first; None for more than `most`, and in a table that is near."""
        if not isinstance(self.durable, ObjectTable) or self.durable.of_service or not self.durable.exists():
            return None
        rows = self.durable.rows_with("key", key, self._format.columns, most)
        if rows is None:
            return None
        return sorted(sorted(rows, key=itemgetter("id")), key=itemgetter("created_at"), reverse=True)

    def rows(self, predicate: str | None = None, *, vectors: bool) -> Iterator[Row]:
        """Yield the rows as they are stored, some thousand at a time, altered ones too."""
        if not self.durable.exists():
            return
        names = [*self._format.columns, *(["vector"] if vectors else [])]
        with lance_errors(f"the {self.durable.name} table cannot be read"):
            query = where(self.durable.table.search(), predicate).select(names).limit(None)
            for batch in query.to_batches(ROWS_AT_ONCE):
                rows = batch.select(self._format.columns).to_pylist()
                if vectors:
                    for row, vector in zip(rows, batch["vector"], strict=True):
                        row["vector"] = vector.values.to_numpy() if vector.is_valid else None
                yield from rows

    def replace(self, row: Row, other: Row | None) -> None:
        """Write `other`, with its vector, in place of an altered row; delete the row where `other` is None."""

        def write(table: Any) -> None:
            if other is None:
                table.delete(both(equals("id", row["id"]), equals("row_sha256", row["row_sha256"])))
                return
            # Of the id and the checksum one at most was altered.
            on = "row_sha256" if other["row_sha256"] == row["row_sha256"] else "id"
            merge = table.merge_insert(on).when_matched_update_all().use_index(False)
            merge.execute(to_arrow([other], self._format.schema(self.dimension)), on_bad_vectors="null")

        self.durable.commit(f"a line of the {self.durable.name} cannot be mended", write, point="mend")

    def vectors(self, encoder: str, predicate: str | None = None) -> dict[str, NDArray[np.float32]]:
        """Return the unit vectors `encoder` made, by the id of their line."""
        where = both(equals("encoder", encoder), WITH_VECTOR, predicate)
        return {row["id"]: row["vector"] for row in read(self.durable, where, ("id", "vector"))}

    def nearest(
        self,
        vector: ArrayLike,
        encoder: str,
        count: int,
        predicate: str | None = None,
        facts: Mapping[str, str] = MappingProxyType({}),
    ) -> list[tuple[_Line, float]]:
        """Return the `count` lines whose vectors by `encoder` are nearest, with the cosine in [-1, 1], best first."""
        where = both(predicate, self._where(facts))
        rows = self.rows_near(vector, encoder, count, self._format.columns, where)
        near = {row["id"]: row["_similarity"] for row in rows}
        return [(line, near[line.id]) for line in intact(rows, self._format.from_row)]

    def rows_near(
        self, vector: ArrayLike, encoder: str, count: int, names: Sequence[str], predicate: str | None
    ) -> list[Row]:
        """Return these columns of the `count` nearest lines, best first, with their `_similarity`."""
        unit = unit_vector(vector)
        if not self.durable.exists() or len(unit) != self.dimension:
            return []
        with lance_errors(f"the {self.durable.name} cannot be searched"):
            query = self.durable.table.search(unit, vector_column_name="vector").distance_type("cosine")
            query = query.where(both(equals("encoder", encoder), WITH_VECTOR, predicate), prefilter=True)
            rows: list[Row] = query.select([*names, "_distance"]).limit(count).to_arrow().to_pylist()
        for row in rows:
            row["_similarity"] = float(np.clip(1.0 - row["_distance"], -1.0, 1.0))
        return rows

    def search_words(
        self, text: str, count: int, facts: Mapping[str, str], predicate: str | None
    ) -> list[tuple[_Line, float]]:
        """Return the `count` lines that have words of `text`, best BM25 first."""
        if not self.durable.exists():
            return []
        self._maintenance.ensure_index(self.durable, WORDS)
        with lance_errors(f"the {self.durable.name} cannot be searched for words"):
            query = self.durable.table.search(text, query_type="fts", fts_columns=WORDS)
            if where := both(self._where(facts), predicate):
                query = query.where(where, prefilter=True)
            rows = query.select([*self._format.columns, "_score"]).limit(count).to_arrow().to_pylist()
        scores = {row["id"]: float(row["_score"]) for row in rows}
        return [(line, scores[line.id]) for line in intact(rows, self._format.from_row)]

    def columns(self, names: tuple[str, ...], predicate: str | None, limit: int | None = None) -> list[Row]:
        """Return these columns alone of the lines that meet `predicate`, newest first; `created_at` must be one."""
        return read(self.durable, predicate, names, order="-created_at", limit=limit)

    def count(self, predicate: str | None = None) -> int:
        """Return the number of lines that meet `predicate`."""
        if not self.durable.exists():
            return 0
        with lance_errors(f"the {self.durable.name} table cannot be read"):
            return int(self.durable.table.count_rows(predicate))

    def _where(self, facts: Mapping[str, str]) -> str | None:
        if unknown := sorted(set(facts) - set(self._format.facts)):
            raise InputError(
                f"{self.durable.name} cannot be narrowed by {unknown[0]!r}; "
                f"pass one of {', '.join(self._format.facts)}"
            )
        return both(*(equals(column, value) for column, value in facts.items()))


def _merge(table: Any, data: pa.Table) -> None:
    merge = table.merge_insert("id").when_not_matched_insert_all().use_index(False)
    merge.execute(data, on_bad_vectors="null")
