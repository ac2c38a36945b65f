"""Compaction, indexes, removal of old versions: Lance does none of it by itself, and reads slow down without it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import Busy, CatalogError, StorageError
from .damage.indexes import drop_altered, drop_damaged
from .files import refusal
from .lance import index_config, lance_errors
from .table import DurableTable, Table

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["WORDS", "Maintenance", "Upkeep", "is_tagged"]


_log = logging.getLogger(__name__)

WORDS = "words"
EVERY_COMMITS = 20
"""A table is compacted after so many commits at the least: each leaves a fragment, which makes all reads longer."""
ROWS_PER_COMMIT = 200
"""A large table of n rows waits for n / 200 commits, since compaction may write the whole table anew."""
MIDDLE_COMMITS, MIDDLE_ROWS_PER_COMMIT = 50, 50
"""A table of 1,000 rows and more waits for n / 50 commits, up to 50, for the same reason."""
OVERDUE, WAIT_S = 3, 10.0
"""From how many times as many commits on a compaction waits for the writers, and for how many seconds."""
KEEP_OLD = timedelta(minutes=2)
"""How long an old version stays, for readers that opened it."""
_MADE_ANEW = (
    "the index of %s.%s is made anew, since it was damaged; a search finds the same rows and may rank them a little "
    "otherwise, since it counts words over those rows that its index holds"
)
_TAGGED = (
    "earlier versions of the {name} table are not removed, since tags of LanceDB name them: {tags}; delete a tag by "
    "`lancedb.connect('{lance}').open_table('{name}').tags.delete(NAME)`"
)
FOREVER = timedelta(days=36_500)
_CHUNK_ROWS = 1000

VECTOR_KINDS, LEAST_VECTORS = ("vector", "whole_vector"), 256


class Upkeep(Protocol):
    """What the rooms above ask of the maintenance of tables; `Maintenance` says what each part does."""

    @property
    def tables(self) -> Sequence[Table]: ...

    def run_when_due(self, table: Any) -> None: ...

    def is_due(self, table: Any) -> bool: ...

    def compact(self) -> None: ...

    def compact_table(self, table: Any) -> None: ...

    def ensure_index(self, table: Any, column: str) -> None: ...

    def drop_altered_indexes(self) -> None: ...

    def remake_index(self, table: Any, column: str) -> None: ...


class Maintenance:
    """Compacts and indexes tables. `index_for(table, rows)` returns the columns to index, each with its kind."""

    def __init__(
        self, tables: Sequence[DurableTable], index_for: Callable[[str, int], dict[str, str]]
    ) -> None:
        self.tables = tables
        self._index_for = index_for

    def run_when_due(self, table: DurableTable) -> None:
        """Compact `table` when enough was committed since the last time and nobody writes; never fail.

        Where writers left no such moment for long, it waits for one.
        """
        try:
            # The row of the call that comes by here is stored already, so that no error of Lance or the disk is its.
            with lance_errors("its files cannot be read or written"):
                if (times := _times_due(table)) >= 1:
                    with table.locked(0.0 if times < OVERDUE else WAIT_S):
                        if _times_due(table) >= 1:  # another may have compacted it meanwhile
                            self._compact(table)
        except Busy:
            pass  # another thread or process writes or compacts; the next commit asks again
        except CatalogError as error:
            _log.warning("the %s table was not compacted: %s", table.name, error)

    def is_due(self, table: DurableTable) -> bool:
        """Return whether enough was committed to a table since it was last compacted."""
        with lance_errors(f"the {table.name} table cannot be looked at"):
            return table.exists() and _times_due(table) >= 1

    def compact(self) -> None:
        """Compact every table, waiting for writers."""
        for table in self.tables:
            if table.exists():
                self.compact_table(table)

    def compact_table(self, table: DurableTable) -> None:
        """Merge the fragments of one table, make its indexes and drop old versions."""
        with table.locked(), lance_errors(f"the {table.name} table cannot be compacted"):
            self._compact(table)

    def ensure_index(self, table: DurableTable, column: str) -> None:
        """Make the index of `column`, which a search for words needs, unless it is there and holds what was written."""
        indexes = [index for index in table.table.list_indices() if column in index.columns]
        if not indexes or any(drop_altered(table, index) for index in indexes):
            if column in table.indexes.lost:
                _log.warning("%s", _MADE_ANEW % (table.name, column))
            with table.locked():
                self._add_index(table, column, self._index_for(table.name, 0)[column])

    def drop_altered_indexes(self) -> None:
        """Drop the indexes of every table of which a file does not hold what was written."""
        for table in self.tables:
            if table.exists():
                with lance_errors(f"the indexes of the {table.name} table cannot be looked at"):
                    indexes = table.table.list_indices()
                for index in indexes:
                    drop_altered(table, index)

    def remake_index(self, table: DurableTable, column: str) -> None:
        """Make the index of `column` anew where it is damaged, or was dropped for that and is still wanted."""
        with table.locked():
            drop_damaged(table, whole=True)
            if kind := self._index_for(table.name, table.table.count_rows()).get(column):
                self._index(table, column, kind)
            table.indexes.write(table.table, {column: ""})

    def _compact(self, table: DurableTable) -> None:
        try:
            self._compact_locked(table)
        except StorageError as error:
            if refusal(error):
                raise
            # Lance reads the manifests of earlier versions too.
            if not table.set_aside_unreadable():
                raise
            self._compact_locked(table)

    def _compact_locked(self, table: DurableTable) -> None:
        what = f"the {table.name} table cannot be compacted"
        # What is merged out of an altered index gets a right sum.
        drop_damaged(table, whole=True)
        # Old versions are removed in a second commit. Before the first is synced and read back whole, only they may
        # have the rows.
        table.commit_locked(
            what,
            lambda lance: lance.optimize(cleanup_older_than=FOREVER),
            point="compact",
            adds_only=True,
            check=_same_rows,
        )
        for column, kind in self._index_for(table.name, table.table.count_rows()).items():
            self._index(table, column, kind)
        self._remove_earlier(table, what)
        table.mark_compacted()

    def _remove_earlier(self, table: DurableTable, what: str) -> None:
        if is_tagged(table, str(table.folder.parent)):
            return
        table.commit_locked(
            what, lambda lance: lance.optimize(cleanup_older_than=KEEP_OLD), point="cleanup", adds_only=True
        )

    def _index(self, table: DurableTable, column: str, kind: str) -> None:
        # A table of an earlier version may lack the column, and Lance cannot index hardly a vector.
        if column not in table.table.schema.names:
            return
        if kind not in VECTOR_KINDS or _vectors(table.table, column) >= LEAST_VECTORS:
            self._add_index(table, column, kind)

    def _add_index(self, table: DurableTable, column: str, kind: str) -> None:
        if column in _indexed(table.table):
            return
        config = index_config(kind)
        what = f"the index of {table.name}.{column} cannot be made"
        table.commit_locked(
            what, lambda lance: lance.create_index(column, config=config), point="index", adds_only=True
        )


def _times_due(table: DurableTable) -> float:
    """Return by how many times a table has as many commits as make a compaction due."""
    commits = (table.head() or 0) - table.marks.compacted
    if commits < EVERY_COMMITS:
        return 0.0
    rows = int(table.table.count_rows())
    middle = min(MIDDLE_COMMITS, rows // MIDDLE_ROWS_PER_COMMIT)
    return commits / max(EVERY_COMMITS, middle, rows // ROWS_PER_COMMIT)


def is_tagged(table: Table, lance: str) -> bool:
    """Tell whether tags are on versions before the newest, and warn of them: Lance removes no version then.

    The catalog makes none. `lance` is where LanceDB finds the table.
    """
    tags: Mapping[str, Mapping[str, int]] = table.table.tags.list()
    head = table.head() or 0
    if names := sorted(name for name, tag in tags.items() if tag["version"] < head):
        _log.warning("%s", _TAGGED.format(tags=", ".join(names), name=table.name, lance=lance))
    return bool(names)


def _vectors(lance: Any, column: str) -> int:
    return int(lance.count_rows(f"{column} IS NOT NULL"))


def _indexed(lance: Any) -> set[str]:
    return {column for index in lance.list_indices() for column in index.columns}


def _same_rows(before: Any, after: Any) -> bool:
    """Tell whether two Lance tables have the same rows, value by value, in any order."""
    ids, others = _ids(before), _ids(after)
    if ids == others:
        return all(one == other for one, other in zip_longest(_chunks(before), _chunks(after)))
    # A compaction moves rows that were changed, together with those beside them.
    if sorted(ids) != sorted(others):
        return False
    places = {each: place for place, each in enumerate(others)}
    for chunk in _chunks(before):
        moved = after.take_offsets([places[each] for each in chunk["id"].to_pylist()]).to_arrow()
        if chunk.sort_by("id") != moved.sort_by("id"):
            return False
    return True


def _ids(lance: Any) -> list[str]:
    ids: list[str] = lance.search().select(["id"]).limit(None).to_arrow()["id"].to_pylist()
    return ids


def _chunks(lance: Any) -> Iterator[pa.Table]:
    """Yield the rows of a table, `_CHUNK_ROWS` at a time: Lance ends its batches where its files end."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    for batch in lance.search().to_batches(_CHUNK_ROWS):
        rest = batch
        while len(rest):
            part = rest.slice(0, _CHUNK_ROWS - sum(map(len, held)))
            held, rest = [*held, part], rest.slice(len(part))
            if sum(map(len, held)) == _CHUNK_ROWS:
                yield pa.Table.from_batches(held)
                held = []
    if held:
        yield pa.Table.from_batches(held)
