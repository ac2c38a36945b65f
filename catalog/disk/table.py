"""One Lance table whose acknowledged commits survive the death of the process and of the machine.

Lance commits by linking a manifest file and syncs nothing, so a power cut may leave a manifest that is empty, or one
whose data files are. Three rules close that gap: writers take turns under a file lock; what a commit wrote is synced
before it counts as acknowledged, and its version noted in a small file; on opening, versions newer than that note are
read through, and set aside when they cannot be or when their rows do not match their checksums.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ..errors import Damage, StorageError
from .damage.aside import set_aside_after, set_aside_unreadable
from .damage.indexes import IndexFiles, drop_damaged, look_over
from .failpoint import failpoint
from .files import evict, refusal, storing, sync
from .lance import Connection, lance_errors, run
from .locks import hold
from .recovery import EMPTY, FROM_A_COPY, IntactIds, has_lost_its_schema, recover, sample
from .versions import Marks, TableFiles, is_whole, new_stamp

__all__ = ["AddsOnly", "DurableTable", "Table"]


AddsOnly = bool | Callable[[], bool]
"""Whether a commit leaves what was answered before as it is; a function is asked once the rows are written."""
_Result = TypeVar("_Result")
_SAMPLED: set[Path] = set()
"""The folders of the tables that this process has read a few rows of."""


class Table(Protocol):
    """What the rooms above know of a table, on a disk or an object store; `DurableTable` says what each part does."""

    name: str
    shared: bool
    """Whether writers take no turns, so that a row is changed only where it is as it was read."""
    of_service: bool
    """Whether a service answers for it: it may ignore an order, and be sent a request twice whose answer was lost."""

    @property
    def table(self) -> Any: ...

    @property
    def schema(self) -> Any: ...

    @property
    def stamp(self) -> int | None: ...

    @property
    def schema_version(self) -> int: ...

    def query(self, build: Callable[[Any], Any], asked: Hashable = None) -> Any: ...

    def exists(self) -> bool: ...

    def head(self) -> int | None: ...

    def close(self) -> None: ...

    def size_bytes(self) -> int: ...

    def create(self, schema: Any) -> Any: ...

    def commit(
        self, what: str, write: Callable[[Any], _Result], *, point: str = "row", adds_only: AddsOnly = False
    ) -> _Result: ...

    def commit_locked(
        self, what: str, write: Callable[[Any], _Result], *, point: str = "row", adds_only: AddsOnly = False
    ) -> _Result: ...

    def replace(self, what: str, write: Callable[[Any], Any]) -> None: ...

    def locked(self, timeout_s: float | None = None) -> contextlib.AbstractContextManager[None]: ...


class DurableTable(TableFiles):
    """A table in `home/lance`, opened on first use; its lock is in `home/locks`."""

    shared = of_service = False

    def __init__(
        self,
        connection: Connection,
        home: Path,
        name: str,
        *,
        lock_timeout_s: float = 0.0,
        version_of: Callable[[Any], int] = lambda _: 0,
        intact_ids: IntactIds = lambda batch: [""] * len(batch),
    ) -> None:
        """`version_of` returns the schema version that an arrow schema states."""
        super().__init__(home, name)
        self.indexes = IndexFiles(self)
        self._connection = connection
        self._lock = home / "locks" / f"{name}.lock"
        self._lock_timeout_s = lock_timeout_s
        self._version_of = version_of
        self._intact_ids = intact_ids
        self._table: Any = None
        self._query_table: Any = None

    # Reading

    @property
    def table(self) -> Any:
        """The open Lance table, which sees every commit of other processes. Opened on first use."""
        if not self.exists():
            raise StorageError(f"there is no {self.name} table in {self.home}")
        return self._table

    @property
    def schema(self) -> Any:
        """The arrow schema of the table."""
        return self.table.schema

    def query(self, build: Callable[[Any], Any], asked: Hashable = None) -> Any:
        """Return the arrow table of the query that `build` makes of the table in LanceDB's asynchronous interface.

        `asked` says what it asks for, where a table that is far keeps answers; this one reads anew.
        """
        del asked
        self.table  # noqa: B018  # opened, and recovered, before it is read
        opened = self._query_table  # read once: another thread may close it
        if opened is None:
            opened = self._query_table = self._connection.open_for_queries(self.name)
        return run(build(opened).to_arrow())

    def opened_at(self, version: int) -> Any:
        """Return the Lance table as it was at `version`, opened anew; commits of others do not move it."""
        table = self._connection.connect().open_table(self.name)
        table.checkout(version)
        return table

    def exists(self) -> bool:
        """Open the table unless it is open, and tell whether there is one; without any, Lance is not loaded."""
        if self._table is None:
            if self.head() is not None:
                self._open()
            elif (version := self.marks.acknowledged) > EMPTY:
                raise Damage(
                    f"the {self.name} table in {self.home} is gone, and version {version} was there; {FROM_A_COPY}"
                )
        return self._table is not None

    def close(self) -> None:
        """Close the table; the next use opens it anew."""
        self._table = self._query_table = None

    # Writing

    def create(self, schema: Any) -> Any:
        """Make the empty table unless another process has, and return it."""
        with self.locked():
            if self.head() is None:
                with lance_errors(f"the table {self.name} cannot be made in {self.home}"):
                    self._table = self._connection.connect().create_table(self.name, schema=schema)
                self._sync_new(frozenset(), point="create")
                self._note_head(point="create", changed=False, reshaped=True)
                sync([], [self.folder.parent, self.home])
        return self.table

    def commit(
        self, what: str, write: Callable[[Any], _Result], *, point: str = "row", adds_only: AddsOnly = False
    ) -> _Result:
        """Run `write(table)` alone among writers and return its result once everything it wrote is on the disk.

        With `adds_only` the rows that were there stay as they are, and so does `stamp`; a function is asked after
        `write`, so that what it reads of another table is no older than these rows. Failpoints `<point>.merged`,
        `<point>.synced`, `<point>.acknowledged`. Raises Busy when the lock is not had in time, StorageError when Lance
        or the disk refuses; `what` begins the message.
        """
        with self.locked():
            return self.commit_locked(what, write, point=point, adds_only=adds_only)

    def commit_locked(
        self,
        what: str,
        write: Callable[[Any], _Result],
        *,
        point: str = "row",
        adds_only: AddsOnly = False,
        check: Callable[[Any, Any], bool] | None = None,
    ) -> _Result:
        """Like `commit`, for a caller that already holds the lock.

        `check` is given the Lance table as it was and as it reads from the disk now. Where it returns False, or what
        was written cannot be read, the version before stays the newest and Damage is raised.
        """
        self.exists()
        # A writer may have died after its commit while the table was open here.
        before = self.head()
        if self.marks.acknowledged != before:
            with storing(what):
                recover(self, self._connection, self._intact_ids)
            self._table, self._query_table = self._opened(what), None
            drop_damaged(self, whole=False)
            before = self.head()
        known = self.file_paths()
        table = self.table
        # Without a note, an index of a process that dies here would pass for one of an earlier version of this program.
        if not self.indexes.is_noted():
            with storing(what), lance_errors(what):
                self.indexes.write(table)
        with lance_errors(what):
            result = write(table)
        failpoint(f"{point}.merged")
        with storing(what):
            new = self._sync_new(known, point=point)
            if check and before and self.head() != before:
                self._read_back(what, before, new, check)
            if self.indexes.written(new):
                self.indexes.write(table)
            self._note_head(point=point, changed=not (adds_only() if callable(adds_only) else adds_only))
        return result

    def replace(self, what: str, write: Callable[[Any], Any]) -> None:
        """Make a new version of the whole table, schema too, by `write(connection)`; the caller holds the lock."""
        known = self.file_paths()
        with lance_errors(what):
            # The query table has the old schema, so it is opened anew.
            self._table, self._query_table = write(self._connection.connect()), None
        failpoint("table.replaced")
        with storing(what):
            self._sync_new(known, point="replace")
            self._note_head(point="replace", reshaped=True)

    def set_aside_unreadable(self) -> bool:
        """Set aside the versions before the newest that cannot be opened, and tell whether there was one.

        The caller holds the lock.
        """
        return set_aside_unreadable(self, self.opened_at)

    def mark_compacted(self) -> None:
        """Note that the newest version is a compacted one; the caller holds the lock."""
        self.write_marks(self.marks._replace(compacted=self.head() or 0))

    @contextlib.contextmanager
    def locked(self, timeout_s: float | None = None) -> Iterator[None]:
        """Hold the write lock of this table, and wait for it `timeout_s` seconds at most; Busy after that."""
        self.exists()  # before the lock is taken: opening may recover the table, which takes the lock itself
        with self._alone(self._lock_timeout_s if timeout_s is None else timeout_s):
            yield

    # Inside

    @contextlib.contextmanager
    def _alone(self, timeout_s: float) -> Iterator[None]:
        with hold(self._lock, timeout_s, f"the {self.name} table of {self.home}"):
            yield

    def _open(self) -> None:
        what = f"the {self.name} table in {self.home} cannot be opened"
        with storing(what):
            newest = self.newest()
            settled = newest is not None and self.marks.acknowledged == newest[0] and is_whole(newest[1])
            if newest and not settled:
                self._recover_if_free(newest[0], readable=is_whole(newest[1]))
                newest = self.newest()
            if newest is None:
                return  # not even the first version was whole
            table = self._opened(what)
            if table.version < newest[0]:  # the manifest of that name is a copy of an earlier one
                self._recover_if_free(newest[0], readable=False)
                table = self._opened(what)
        first = self.folder not in _SAMPLED
        if first:
            _SAMPLED.add(self.folder)
            sample(self.name, table, self._intact_ids)
        self._table = table
        with storing(f"the index files of the {self.name} table in {self.home} cannot be looked at"):
            same = settled and self.indexes.look_same() and not (first and not self.indexes.sample_same())
            if not same:
                look_over(self, whole=first)

    def _opened(self, what: str) -> Any:
        schema = self.marks.schema
        with lance_errors(what):
            table = self._connection.connect().open_table(self.name)
            if has_lost_its_schema(table.schema, schema):
                raise Damage(f"{what}: its newest version has lost its columns; {FROM_A_COPY}")
        return table

    def _recover_if_free(self, head: int, *, readable: bool) -> None:
        """Recover the table, whose newest version is not the noted one, unless its writer is still at work."""
        if os.access(self.folder.parent, os.W_OK):
            # A writer between its commit and its note is no damage: it holds the lock, and a reader takes the version
            # as it is. Only an unreadable manifest is worth waiting for.
            with contextlib.suppress(TimeoutError), self._alone(0.0 if readable else self._lock_timeout_s):
                recover(self, self._connection, self._intact_ids)
        elif not readable:
            raise Damage(
                f"version {head} of the {self.name} table in {self.home} cannot be read; "
                "make the folder writable and open it once, and the version before it is taken"
            )

    def _sync_new(self, known: frozenset[str], *, point: str) -> frozenset[Path]:
        """Sync the files that are not `known`, and return them; only then may the version be noted."""
        new = frozenset(map(Path, self.file_paths() - known))
        self.sync(new)
        failpoint(f"{point}.synced")
        return new

    def _read_back(
        self, what: str, before: int, new: frozenset[Path], check: Callable[[Any, Any], bool]
    ) -> None:
        evict(new)  # what the system keeps of a file in memory tells nothing about the drive
        try:
            with lance_errors(what):
                same = check(self.opened_at(before), self.opened_at(self.head() or 0))
        except StorageError as error:
            if refusal(error):
                raise
            same = False
        if not same:
            set_aside_after(self, before)
            raise Damage(f"{what}: what was written does not read as it should; version {before} stays")

    def _note_head(self, *, point: str, changed: bool = True, reshaped: bool = False) -> None:
        """Note the newest version as safe on the disk."""
        marks = self.marks
        self.write_marks(
            Marks(
                acknowledged=self.head() or 0,
                compacted=marks.compacted,
                stamp=new_stamp() if changed else marks.stamp,
                schema=self._version_of(self._table.schema) if reshaped or not marks.schema else marks.schema,
            )
        )
        failpoint(f"{point}.acknowledged")
