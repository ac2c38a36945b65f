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
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from ...errors import StorageError
from ..failpoint import failpoint
from ..lance import Connection, lance_errors, run
from ..table import AddsOnly
from .rows import Held, KeptRows

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
WARM_COLUMNS, MOST_WARM_ROWS = ("vector", "brief", "key", "state"), 500_000
"""Columns whose indexes are read before the first call, in tables of at most so many rows."""
MANY_MOVED, WARM_AGAIN_S = 12, 30.0
"""At how many rows that one look has to read a warm table is warmed again, and how long after the last time."""


class _Lacking(NamedTuple):
    """The addresses of the rows that an index lacks at one version, None for many; and whether there is that index."""

    version: int
    addresses: list[int] | None
    is_indexed: bool


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
        self._version = 0
        self._answers: dict[Hashable, tuple[int, Any]] = {}
        """The version, and the answer, by what was asked."""
        self._unindexed: dict[tuple[str, bool], _Lacking] = {}
        """By the column of an index; see `_lacking`."""
        self._rows = KeptRows(self._for_queries)
        self._warmed: tuple[int, float] | None = None
        """The version that was warmed, and when that was, by the monotonic clock."""
        self._looked_at = float("-inf")
        """When the table was last looked up, by the monotonic clock."""
        self.beside: Sequence[ObjectTable] = ()
        """Tables that are looked up in the same moment as this one, where they are as old."""

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
        found, read = self._rows.at(addresses, columns, kind)
        if read >= MANY_MOVED and self._is_moved():
            threading.Thread(target=self._warm_again, name="catalog-rows", daemon=True).start()
        return found

    def rows_with(
        self, column: str, value: str, columns: Sequence[str], most: int = MOST_UNINDEXED
    ) -> list[dict[str, Any]] | None:
        """Return these columns, `column` among them, of the rows where it is `value`; None for more than `most`.

        None too where a query takes less. Rows that the index of `column` lacks are read once for all that asks.
        Raises StorageError.
        """
        with lance_errors(f"the {self.name} table cannot be read"):
            lacking, found = self._lacking(column, or_few=True), []
            if lacking.addresses is None:
                return None
            if lacking.is_indexed:
                answer = self.query(lambda lance: _of(lance, column, value), (column, value))
                found = answer["_rowid"].to_pylist()
            if len(found) > most:
                return None
            addresses = {*found, *lacking.addresses}
            rows = self.rows_at([*addresses], columns, "")
        if not rows.keys() >= addresses:  # a commit of this moment wrote some elsewhere
            return None
        wanted = [row for row in rows.values() if row[column] == value]
        return wanted if len(wanted) <= most else None

    def hold(self, columns: Sequence[str], kind: str, same: str) -> None:
        """Keep these columns of every row in memory once the table is warm, as many as CATALOG_ROWS_MB can hold.

        `same` is one of the columns; rows in which it is equal hold the same.
        """
        self._rows.held = Held(tuple(columns), kind, same)

    def warm(self) -> None:
        """Bring the indexes that decisions need, and the rows that are held, into memory, where they fit in there."""
        if self.exists() and self.count_rows() <= MOST_WARM_ROWS:
            with lance_errors(f"the indexes of the {self.name} table cannot be read"):
                self._warmed = self._version, time.monotonic()
                for index in self.table.list_indices():
                    if not {*index.columns}.isdisjoint(WARM_COLUMNS):
                        self.table.prewarm_index(index.name)
                self._rows.hold_all()

    def _is_moved(self) -> bool:
        """Return whether a table that was warm has another version for a while."""
        with self._lock:
            if self._warmed is None or self._warmed[0] == self._version:
                return False
            if time.monotonic() - self._warmed[1] < WARM_AGAIN_S:
                return False
            self._warmed = self._version, time.monotonic()
            return True

    def _warm_again(self) -> None:
        with contextlib.suppress(StorageError):  # what is not in memory is read when it is needed
            self.warm()

    def unindexed(self, column: str) -> list[int] | None:
        """Return the addresses of the rows that the index of `column` lacks; None without an index, or for many."""
        return self._lacking(column, or_few=False).addresses

    def _lacking(self, column: str, *, or_few: bool) -> _Lacking:
        """Return which rows the index of `column` lacks; with `or_few` all of a small table without that index."""
        version, known = self.head(), self._unindexed.get((column, or_few))
        if known is None or known.version != version:
            names = [index.name for index in self.table.list_indices() if column in index.columns]
            addresses = self._addresses_of_unindexed(names, or_few=or_few)
            known = self._unindexed[column, or_few] = _Lacking(version or 0, addresses, bool(names))
        return known

    def _addresses_of_unindexed(self, indexes: Sequence[str], *, or_few: bool) -> list[int] | None:
        table = self.table
        if indexes:
            lacking = int(table.index_stats(indexes[0]).num_unindexed_rows)
        else:
            lacking = int(table.count_rows()) if or_few else MOST_UNINDEXED + 1
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
        return self._connection.for_queries(self._table if self._table is not None else self.table)

    def exists(self) -> bool:
        """Open the table unless it is open, bring it up to date, and tell whether there is one."""
        if self._is_stale():
            self._look_up()
        return self._table is not None

    def _is_stale(self) -> bool:
        return time.monotonic() - self._looked_at > STALE_S

    def _look_up(self) -> None:
        """Bring this table up to date, and at the same time those beside it that are as old."""
        others = [table for table in self.beside if table is not self and table._is_stale()]
        if not others:
            self._refresh_if_stale()
            return
        with ThreadPoolExecutor(len(others)) as threads:
            for table in others:
                # No thread begins while the interpreter ends. Where a look fails, the next use of that table tells.
                with contextlib.suppress(RuntimeError):
                    threads.submit(table._refresh_if_stale)
            self._refresh_if_stale()

    def _refresh_if_stale(self) -> None:
        with self._lock:  # another thread may have looked it up while this one waited
            if self._is_stale():
                self.refresh()

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

    def opened(self) -> Any:
        """Return the Lance table as it is now, opened anew: what other threads do with this one does not move it."""
        opened = self._opened()
        if opened is None:
            raise StorageError(f"there is no {self.name} table in {self.address}")
        return opened

    def close(self) -> None:
        """Close the table; the next use opens it anew."""
        with self._lock:
            self._table = None
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
        self, what: str, write: Callable[[Any], _Result], *, point: str = "row", adds_only: AddsOnly = False
    ) -> _Result:
        """Run `write(table)` on the newest version and return its result; the store has what it committed then.

        Where it fails, and the columns of the table changed meanwhile, it is run once more. Failpoint `<point>.merged`.
        Raises StorageError, which begins with `what`.
        """
        del adds_only  # every commit gives another stamp
        self.refresh()
        table, known = self.table, None if self.of_service else self.schema
        try:
            with lance_errors(what):
                result = write(table)
        except StorageError:
            self.refresh()
            if self.of_service or self.schema.equals(known):
                raise
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
        looked_at = time.monotonic()
        self._version = int(self._table.version) if self._table is not None else 0
        self._looked_at = looked_at  # where that failed, the next call looks again


def _of(lance: Any, column: str, value: str) -> Any:
    """Return a query for the addresses of the rows that an index finds; rows that it lacks are left out."""
    same = "'" + value.replace("'", "''") + "'"
    return lance.query().where(f"{column} = {same}").select([]).with_row_id().fast_search()
