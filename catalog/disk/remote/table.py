"""One Lance table on an object store, as the rooms above know a table.

A commit of Lance there is one conditional write of its manifest, which the store keeps before it answers. So nothing is
synced, nothing is noted beside the table, and writers take no turns: Lance tries the commit of who loses a race again.
What a reader knows is looked up anew before each write, when it is asked to, and else every few seconds.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, TypeVar

from ...errors import StorageError
from ..failpoint import failpoint
from ..lance import Connection, lance_errors, run
from ..reading import to_rows

__all__ = ["STALE_S", "ObjectTable"]


_Result = TypeVar("_Result")
STALE_S = 5.0
"""How old what a reader knows of a table may be."""
MOST_ANSWERS, LONGEST_BYTES = 1_000, 256 * 1024
"""Answers that are kept, and how long one may be."""
MOST_UNINDEXED, MOST_LISTED = 500, 2_000_000
"""Up to how many rows that an index lacks are compared one by one, in a table of up to how many rows."""
FRAGMENT_BITS = 32
"""An address is the number of a fragment, and below it the place of a row in it, in so many bits."""
MOST_ROWS = 10_000
"""Rows that are kept: 8 kB each with its vectors."""


class ObjectTable:
    """A table of the home at `address`, opened on first use. Threads may share it."""

    shared = True
    of_service = False

    def __init__(self, connection: Connection, address: str, name: str) -> None:
        self.name = name
        self.address = address
        self._connection = connection
        self._lock = threading.RLock()
        self._table: Any = None
        self._query_table: Any = None
        self._version = 0
        self._query_version = 0
        self._answers: dict[Hashable, tuple[int, Any]] = {}
        """The version, and the answer, by what was asked."""
        self._unindexed: dict[str, tuple[int, list[int] | None]] = {}
        """The version, and the addresses of the rows that an index lacks, by its column."""
        self._rows: dict[tuple[int, tuple[str, ...]], dict[str, Any]] = {}
        """Rows by their address and their columns."""
        self._looked_at = float("-inf")
        """When the table was last looked up, by the monotonic clock."""

    # Reading

    @property
    def table(self) -> Any:
        """The open Lance table, brought up to date where it was looked up too long ago."""
        if not self.exists():
            raise StorageError(f"there is no {self.name} table in {self.address}")
        return self._table

    @property
    def schema(self) -> Any:
        """The arrow schema of the table; raises StorageError."""
        with lance_errors(f"the {self.name} table in {self.address} cannot be read"):
            return self.table.schema

    def query(self, build: Callable[[Any], Any], asked: Hashable = None) -> Any:
        """Return the arrow table of the query that `build` makes of the table in LanceDB's asynchronous interface.

        The answer is kept under `asked` until another version is known, where it is short.
        """
        self.table  # noqa: B018  # opened and up to date
        version = self._version
        if asked is not None and (kept := self._answers.get(asked)) is not None and kept[0] == version:
            return kept[1]
        answer = run(build(self._for_queries()).to_arrow())
        if asked is not None and answer.nbytes <= LONGEST_BYTES:
            with self._lock:
                if len(self._answers) >= MOST_ANSWERS:
                    self._answers.clear()
                self._answers[asked] = version, answer
        return answer

    def rows_at(
        self, addresses: Sequence[int], columns: Sequence[str], kind: str
    ) -> dict[int, dict[str, Any]]:
        """Return these columns of the rows at some addresses, each as a dictionary with the vectors as arrays.

        What is at an address never changes, while the table is of one `kind`: a change writes the row elsewhere.
        """
        names = (kind, *columns)
        with self._lock:
            found = {each: row for each in addresses if (row := self._rows.get((each, names))) is not None}
        if missing := [each for each in addresses if each not in found]:
            query = self._for_queries().take_row_ids(missing).select([*columns]).with_row_id()
            new = {row.pop("_rowid"): row for row in to_rows(run(query.to_arrow()))}
            with self._lock:
                if len(self._rows) + len(new) > MOST_ROWS:
                    self._rows.clear()
                self._rows.update({(each, names): row for each, row in new.items()})
            found |= new
        return found

    def unindexed(self, column: str) -> list[int] | None:
        """Return the addresses of the rows that the index of `column` lacks; None without an index, or for many."""
        version, known = self.head(), self._unindexed.get(column)
        if known is None or known[0] != version:
            known = self._unindexed[column] = version or 0, self._look_unindexed(column)
        return known[1]

    def _look_unindexed(self, column: str) -> list[int] | None:
        table = self.table
        names = [index.name for index in table.list_indices() if column in index.columns]
        lacking = int(table.index_stats(names[0]).num_unindexed_rows) if names else MOST_UNINDEXED + 1
        if lacking > MOST_UNINDEXED or table.count_rows() > MOST_LISTED:
            return None
        if not lacking:
            return []
        # Addresses are listed without a request. What was written since the index was made is in the newest fragments.
        every = run(self._for_queries().query().select([]).with_row_id().to_arrow())["_rowid"].to_pylist()
        every.sort(reverse=True)
        newest, older = every[:lacking], every[lacking : lacking + 1]
        split = older and older[0] >> FRAGMENT_BITS == newest[-1] >> FRAGMENT_BITS
        return None if split else newest

    def _for_queries(self) -> Any:
        with self._lock:
            if self._query_table is None:
                self._query_table = self._connection.open_for_queries(self.name)
            elif self._query_version < self._version:
                run(self._query_table.checkout_latest())
            self._query_version = self._version
            return self._query_table

    def exists(self) -> bool:
        """Open the table unless it is open, bring it up to date, and tell whether there is one."""
        if time.monotonic() - self._looked_at > STALE_S:
            self.refresh()
        return self._table is not None

    def refresh(self) -> None:
        """Look up what others committed; raises StorageError."""
        with self._lock, lance_errors(f"the {self.name} table in {self.address} cannot be opened"):
            if self._table is None:
                self._table = self._opened()
            else:
                self._table.checkout_latest()
            self._note()

    def head(self) -> int | None:
        """Return the version that is known, None without a table."""
        return self._version if self.exists() else None

    @property
    def stamp(self) -> int | None:
        """A number that is another one after every commit that is known."""
        return self.head() or 0

    @property
    def schema_version(self) -> int:
        """0: it is not noted beside the table."""
        return 0

    def size_bytes(self) -> int:
        """Return the bytes of the files that the newest version has; raises StorageError."""
        with lance_errors(f"the {self.name} table in {self.address} cannot be looked at"):
            return int(self.table.stats()["total_bytes"]) if self.exists() else 0

    def count_rows(self) -> int:
        """Return the number of rows; raises StorageError."""
        with lance_errors(f"the {self.name} table in {self.address} cannot be read"):
            return int(self.table.count_rows())

    def close(self) -> None:
        """Close the table; the next use opens it anew."""
        with self._lock:
            self._table = self._query_table = None
            self._looked_at = float("-inf")

    # Writing

    def create(self, schema: Any) -> Any:
        """Make the empty table unless another process has, and return it."""
        with self._lock, lance_errors(f"the table {self.name} cannot be made in {self.address}"):
            try:
                self._table = self._connection.connect().create_table(self.name, schema=schema)
            except (OSError, RuntimeError, ValueError):
                self._table = self._opened()
                if self._table is None:
                    raise
            self._note()
        return self._table

    def commit(
        self, what: str, write: Callable[[Any], _Result], *, point: str = "row", adds_only: bool = False
    ) -> _Result:
        """Run `write(table)` on the newest version and return its result; the store has what it committed then.

        Failpoint `<point>.merged`. Raises StorageError, which begins with `what`.
        """
        del adds_only  # every commit gives another stamp
        self.refresh()
        table = self.table
        with lance_errors(what):
            result = write(table)
        failpoint(f"{point}.merged")
        with self._lock:
            self._note()
        return result

    commit_locked = commit

    def replace(self, what: str, write: Callable[[Any], Any]) -> None:
        """Refuse: to write a table anew would drop what others commit meanwhile."""
        del write
        raise StorageError(
            f"{what}: a table in {self.address} is not written anew, since other replicas may write to it"
        )

    @contextlib.contextmanager
    def locked(self, timeout_s: float | None = None) -> Iterator[None]:
        """Hold nothing: commits need no turns."""
        del timeout_s
        yield

    # Inside

    def _opened(self) -> Any:
        connection = self._connection.connect()
        try:
            return connection.open_table(self.name)
        except ValueError as error:
            if "was not found" in str(error) or "does not exist" in str(error):
                return None
            raise

    def _note(self) -> None:
        self._looked_at = time.monotonic()
        self._version = int(self._table.version) if self._table is not None else 0
