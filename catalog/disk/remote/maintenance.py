"""Compaction and indexes of tables on an object store: by one process at a time, and never within a call."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from ...errors import StorageError
from ...objects.blobs import Blobs
from ...objects.lease import lease
from ..lance import index_config, lance_errors
from ..maintenance import FOREVER, LEAST_VECTORS, VECTOR_KINDS, is_tagged
from .holds import Holds
from .table import ObjectTable

__all__ = ["ObjectMaintenance", "age_to_remove"]


KEEP_OLD = timedelta(minutes=30)
"""How long a version stays after another one took its place: longer than any call reads one that it looked up."""
CLEAN_EVERY_S = 600.0
"""How often one process removes old versions: all of them are listed for that."""
SLOWEST = timedelta(minutes=5)
"""How long after its beginning a compaction may come to the removal of versions, of which Lance is told the age."""
TRIES, CONFLICT = 5, "commit conflict"
"""How often a compaction is begun that a change of a row overtakes, and how Lance names that."""
EVERY_FRAGMENTS = 5
"""How many fragments a table may have: each that no index has yet takes every look a request or more."""
WAIT_S = 60.0
"""How long a compaction waits for that of another process."""


class ObjectMaintenance:
    """Compacts and indexes tables on an object store; see `Maintenance`."""

    def __init__(
        self, tables: Sequence[ObjectTable], blobs: Blobs, index_for: Callable[[str, int], dict[str, str]]
    ) -> None:
        self.tables = tables
        self._blobs = blobs
        self._index_for = index_for
        self._holds = Holds(blobs)
        self._cleaned_at: dict[str, float] = {}
        """When old versions of a table were last removed, by the monotonic clock."""
        self._indexed: set[tuple[str, str]] = set()
        """Table and column of the indexes that this process has seen."""

    def run_when_due(self, table: ObjectTable) -> None:
        """Do nothing: a compaction takes requests by the hundred, which `catalog care` makes beside the replicas."""

    def is_due(self, table: ObjectTable) -> bool:
        """Return whether a table has many small fragments, or lacks an index that its rows should have."""
        if not table.exists():
            return False
        with lance_errors(f"the {table.name} table cannot be looked at"):
            stats = table.table.stats()
            fragments = int(stats["fragment_stats"]["num_small_fragments"])
            return fragments > EVERY_FRAGMENTS or self._lacks(table, int(stats["num_rows"]))

    def compact(self) -> None:
        """Compact every table, one process at a time; Busy where another does it for longer than a minute."""
        with lease(self._blobs, "care", WAIT_S, f"the care of {self._blobs.address}"):
            for table in self.tables:
                if table.exists():
                    self.compact_table(table)

    def compact_table(self, table: ObjectTable) -> None:
        """Merge the fragments of one table, make its indexes and drop old versions, beside writers and readers."""
        indexes = self._index_for(table.name, table.count_rows())
        vectors = [name for name, kind in indexes.items() if kind in VECTOR_KINDS]
        # Vectors first. A row that their index lacks is compared one by one, where the indexes of filtered columns have
        # it too; a filtered search passes over a row that only those lack, which are brought up to date after it.
        for column in vectors:
            self._index(table, column, indexes[column])
        self._optimize(table, lambda: FOREVER)
        for column in (name for name in indexes if name not in vectors):
            self._index(table, column, indexes[column])
        if time.monotonic() - self._cleaned_at.get(table.name, float("-inf")) >= CLEAN_EVERY_S:
            self._remove_old(table)
            self._cleaned_at[table.name] = time.monotonic()

    def _remove_old(self, table: ObjectTable) -> None:
        """Remove the versions that nobody has read for KEEP_OLD, unless one is held, or a tag names one."""
        with lance_errors(f"the versions of the {table.name} table cannot be listed"):
            if is_tagged(table, f"{self._blobs.address}/lance"):
                return
        self._optimize(table, lambda: self._age_to_remove(table))

    def _age_to_remove(self, table: ObjectTable) -> timedelta | None:
        """Return the age, by the clock of this machine, from which on versions of a table may go; None for none."""
        # In this order: who holds versions from now on reads one that is the newest by now, and stays.
        if self._holds.any() or (now := self._holds.now()) is None:
            return None
        with lance_errors(f"the versions of the {table.name} table cannot be listed"):
            written = [(each["version"], each["timestamp"]) for each in table.table.list_versions()]
        return age_to_remove(written, now.timestamp(), KEEP_OLD, here=time.time())

    def _optimize(self, table: ObjectTable, oldest: Callable[[], timedelta | None]) -> None:
        """Merge fragments, bring indexes up to date, and remove the versions that were written before `oldest` ago.

        That is asked before each try, for a try may take long; None ends them.
        """
        what = f"the {table.name} table cannot be compacted"
        for left in reversed(range(TRIES)):
            if (age := oldest()) is None:
                return
            try:
                self._merge(table, what, age)
                return
            except StorageError as error:
                # A row changed in what was being merged; Lance leaves it to its caller to begin anew.
                if not left or CONFLICT not in str(error):
                    raise

    def _merge(self, table: ObjectTable, what: str, age: timedelta) -> None:
        table.commit(what, lambda lance: lance.optimize(cleanup_older_than=age), point="compact")

    def ensure_index(self, table: ObjectTable, column: str) -> None:
        """Make the index of `column`, which a search for words needs, unless it is there."""
        if (table.name, column) in self._indexed:
            return
        self._index(table, column, self._index_for(table.name, 0)[column])
        self._indexed.add((table.name, column))

    def drop_altered_indexes(self) -> None:
        """Do nothing: the store answers for its bytes, which it keeps under checksums of its own."""

    def warm(self, table: ObjectTable) -> None:
        """See `ObjectTable.warm`."""
        table.warm()

    def remake_index(self, table: ObjectTable, column: str) -> None:
        """Make the index of `column` anew."""
        if kind := self._index_for(table.name, table.count_rows()).get(column):
            self._make(table, column, kind)

    def _index(self, table: ObjectTable, column: str, kind: str) -> None:
        with lance_errors(f"the indexes of the {table.name} table cannot be looked at"):
            if column in self._columns(table) or column not in table.table.schema.names:
                return
            if kind in VECTOR_KINDS and table.table.count_rows(f"{column} IS NOT NULL") < LEAST_VECTORS:
                return
        self._make(table, column, kind)

    def _lacks(self, table: ObjectTable, rows: int) -> bool:
        """Return whether a table of so many rows lacks an index; those of vectors wait for enough of them.

        Of the vectors that any row may lack it is not asked how many there are.
        """
        kinds = {*VECTOR_KINDS} - ({"vector"} if rows >= LEAST_VECTORS else set())
        wanted = {name for name, kind in self._index_for(table.name, rows).items() if kind not in kinds}
        return not wanted <= self._columns(table)

    def _columns(self, table: ObjectTable) -> set[str]:
        return {each for index in table.table.list_indices() for each in index.columns}

    def _make(self, table: ObjectTable, column: str, kind: str) -> None:
        def make(lance: Any) -> None:
            lance.create_index(column, config=index_config(kind))

        table.commit(f"the index of {table.name}.{column} cannot be made", make, point="index")


def age_to_remove(
    written: Sequence[tuple[int, datetime]], now: float, keep: timedelta, *, here: float | None = None
) -> timedelta | None:
    """Return the age from which on versions go, so that one stays for `keep` after the next was written; None for none.

    Lance goes by when a version itself was written. That of a table which was left alone for long is old, and in use
    until the next one is written, and by whoever has just looked it up. `written`: each version, and when, in the time
    zone of this machine; `now` in seconds since 1970, which decides what goes; `here` is the same by the clock that
    Lance subtracts the age from, `now` by default.
    """
    # An hour that comes twice in the night counts as the one for which more is kept.
    early, late = ({version: at.replace(fold=fold).timestamp() for version, at in written} for fold in (0, 1))
    used_last = max(
        (version for version, at in late.items() if at <= now - keep.total_seconds()), default=None
    )
    if used_last is None or min(early) == used_last:
        return None
    # Where the clock here is far behind, no age reaches back far enough, and less goes.
    return max(timedelta(0), timedelta(seconds=(now if here is None else here) - early[used_last]) + SLOWEST)
