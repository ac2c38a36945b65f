"""The files of the indexes of a table, and the note of what was written into them.

Lance fails for good where an index file is gone, and believes an altered one. So an index that is damaged is dropped:
reads scan the rows instead, until it is made anew.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ...errors import Damage, StorageError
from ..checksummed import from_checked, to_checked
from ..digests import digest_of
from ..files import refusal, sha256_of, storing, write_file
from ..lance import lance_errors
from ..versions import TableFiles, ends_in_magic

__all__ = [
    "DamagedIndex",
    "IndexFiles",
    "IndexedTable",
    "drop_altered",
    "drop_damaged",
    "look_over",
    "problems",
]


_log = logging.getLogger(__name__)

FOLDER = "_indices"
_CHECKED = (".lance", ".idx")
"""How the names of files end that have Lance's last bytes."""


SAMPLE_BYTES = 4_000_000
WAIT_S = 10.0
"""How long opening a table waits for a writer where an index is damaged."""


class DamagedIndex(NamedTuple):
    """An index that reads must not use."""

    name: str
    columns: tuple[str, ...]
    reason: str
    """Empty where a process died before it noted the index: nobody knows whether its files are whole."""


class _File(NamedTuple):
    size: int
    mtime_ns: int
    sha256: str

    def looks_same(self, path: Path) -> bool:
        stat = path.stat()
        return (stat.st_size, stat.st_mtime_ns) == (self.size, self.mtime_ns)


class _Note(NamedTuple):
    files: Mapping[str, _File]
    """The files of the indexes by their paths below `_indices`, which begin with the number of the index."""
    lost: Mapping[str, str]
    """Columns whose index was dropped and not made anew yet, each with the reason."""


class IndexFiles:
    """The index files of a table, and the note `home/lance/<name>.indexes` beside it."""

    def __init__(self, table: TableFiles) -> None:
        self._folder = table.folder / FOLDER
        self._path = table.folder.with_suffix(".indexes")

    def is_noted(self) -> bool:
        """Tell whether the table has a note."""
        return self._path.exists()

    def written(self, paths: frozenset[Path]) -> bool:
        """Tell whether one of these files is of an index."""
        return any(path.is_relative_to(self._folder) for path in paths)

    def look_same(self) -> bool:
        """Tell whether every file has the size and the time that are noted; no file is read."""
        note = self._read()
        if note is None:
            return not self._folder.is_dir()
        try:
            return all(file.looks_same(self._folder / path) for path, file in note.files.items())
        except FileNotFoundError:
            return False

    def sample_same(self) -> bool:
        """Tell whether files drawn at random, of `SAMPLE_BYTES` in all, have the sha256 that is noted."""
        note, left = self._read(), SAMPLE_BYTES
        files = list(note.files.items()) if note else []
        random.shuffle(files)
        for path, file in files:
            left -= file.size
            if left < 0:
                break
            if sha256_of(self._folder / path) != file.sha256:
                return False
        return True

    def damaged(self, lance: Any, *, whole: bool) -> list[DamagedIndex]:
        """Return the indexes of an open table that are damaged.

        Files are compared with their sha256 where their size or time is another one; with `whole`, all are.
        """
        note = self._read()
        found = []
        for index in lance.list_indices():
            reason = self._reason(index.index_uuid, note, whole=whole)
            if reason is not None:
                found.append(DamagedIndex(index.name, tuple(index.columns), reason))
        return found

    def altered(self, number: str) -> bool:
        """Tell whether a file of the index of that number does not hold what is noted; raises OSError.

        A file is read once in a process for as long as it stays the same.
        """
        files = _files_of(number, self._read())
        try:
            return any(digest_of(self._folder / path) != file.sha256 for path, file in files.items())
        except FileNotFoundError:
            return True

    @property
    def lost(self) -> Mapping[str, str]:
        """Columns whose index was dropped because of damage and is not made anew yet, each with the reason."""
        note = self._read()
        return note.lost if note else {}

    def write(self, lance: Any, lost: Mapping[str, str] | None = None) -> None:
        """Note the files of the indexes that an open table has, on the disk on return; the caller holds its lock.

        `lost` adds columns whose index was dropped; an empty reason takes one off the note.
        """
        known = self._read() or _Note({}, {})
        indexes = lance.list_indices()
        files = {
            path.relative_to(self._folder).as_posix(): path
            for index in indexes
            for path in sorted((self._folder / index.index_uuid).rglob("*"))
            if path.is_file()
        }
        indexed = {column for index in indexes for column in index.columns}
        note = _Note(
            {name: _noted(path, known.files.get(name)) for name, path in files.items()},
            {
                column: reason
                for column, reason in {**known.lost, **(lost or {})}.items()
                if reason and column not in indexed
            },
        )
        write_file(self._path, to_checked(note._asdict()))

    def _read(self) -> _Note | None:
        """Return the note; None without one, and where it was altered."""
        try:
            content = from_checked(self._path.read_bytes())
            return _Note({name: _File(*file) for name, file in content["files"].items()}, content["lost"])
        except (FileNotFoundError, Damage):
            return None

    def _reason(self, number: str, note: _Note | None, *, whole: bool) -> str | None:
        """Return why an index is damaged, None where it is not."""
        folder = self._folder / number
        if note is None:
            # Tables of an earlier version of this program have no note.
            paths = [path for path in folder.rglob("*") if path.suffix in _CHECKED]
            return None if paths and all(map(ends_in_magic, paths)) else f"files in {folder} are gone or cut"
        files = _files_of(number, note)
        return next(self._altered(files, whole=whole), None) if files else ""

    def _altered(self, files: Mapping[str, _File], *, whole: bool) -> Iterator[str]:
        for name, file in files.items():
            path = self._folder / name
            try:
                if (whole or not file.looks_same(path)) and sha256_of(path) != file.sha256:
                    yield f"{path} does not hold what was written"
            except FileNotFoundError:
                yield f"{path} is gone"


def _files_of(number: str, note: _Note | None) -> dict[str, _File]:
    """Return what is noted of the files of an index, by their paths; nothing where it is not noted yet."""
    files = note.files if note else {}
    return {path: file for path, file in files.items() if path.startswith(f"{number}/")}


def _noted(path: Path, known: _File | None) -> _File:
    """Return what is noted of a file: what was noted before, unless it is the same file with another time."""
    if known and known.looks_same(path):
        return known
    stat, sha256 = path.stat(), sha256_of(path)
    return known if known and known.sha256 != sha256 else _File(stat.st_size, stat.st_mtime_ns, sha256)


class IndexedTable(Protocol):
    """What is needed of a `DurableTable`, which imports this module."""

    name: str
    folder: Path
    indexes: IndexFiles

    @property
    def table(self) -> Any:
        """The open Lance table."""

    def exists(self) -> bool:
        """Open the table, and tell whether there is one."""

    def locked(self, timeout_s: float | None = None) -> contextlib.AbstractContextManager[None]:
        """Hold the write lock."""

    def commit_locked(
        self, what: str, write: Callable[[Any], None], *, point: str = ..., adds_only: bool = ...
    ) -> None:
        """Run `write` on the Lance table as one commit."""


def look_over(table: IndexedTable, *, whole: bool) -> None:
    """Drop the damaged indexes of an open table, and note the files of the others as they are.

    A table that cannot be written keeps them, with a warning. `whole` as for `IndexFiles.damaged`.
    """
    writable = os.access(table.folder.parent, os.W_OK)
    try:
        damaged = [index for index in _damaged(table, whole=whole) if index.reason]
        if not writable:
            for index in damaged:
                _log.warning("%s; make the folder writable and open it once", _unusable(table, index))
            return
        # Searches fail while a damaged index is there, which is worth waiting for a writer.
        with contextlib.suppress(TimeoutError), table.locked(WAIT_S if damaged else 0.0):
            if not drop_damaged(table, whole=whole):
                table.indexes.write(table.table)
    except StorageError as error:
        if refusal(error):
            raise
        _log.warning("%s", error)


def drop_damaged(table: IndexedTable, *, whole: bool) -> bool:
    """Drop the damaged indexes of an open table, and tell whether there was one; see `IndexFiles.damaged`.

    Reads scan the rows until an index is made anew. The caller holds the lock.
    """
    damaged = _damaged(table, whole=whole)
    for index in damaged:
        what = f"the index {index.name} of the {table.name} table cannot be dropped"
        drop = partial(_drop, name=index.name)
        table.commit_locked(what, drop, point="index", adds_only=True)
        if index.reason:
            _log.warning("%s; reads scan until `catalog doctor --fix` makes it anew", _unusable(table, index))
    if damaged:
        table.indexes.write(
            table.table, {column: index.reason for index in damaged for column in index.columns}
        )
    return bool(damaged)


def drop_altered(table: IndexedTable, index: Any) -> bool:
    """Drop an index of an open table, one of LanceDB's list, where a file of it does not hold what was written.

    Returns whether that was so. Raises Damage where the table cannot be written.
    """
    what = f"the index files of the {table.name} table cannot be read"
    with storing(what):
        if not table.indexes.altered(index.index_uuid):
            return False
    if not os.access(table.folder.parent, os.W_OK):
        raise Damage(
            f"the index {index.name} of the {table.name} table does not hold what was written; "
            "make the folder writable and try again, and it is made anew"
        )
    with table.locked():
        drop_damaged(table, whole=True)  # another process may have done it meanwhile
    return True


def problems(table: IndexedTable) -> list[tuple[str, str]]:
    """Return the columns whose index is damaged, or was dropped for that, each with a sentence; reads index files."""
    if not table.exists():
        return []
    damaged = _damaged(table, whole=True)
    found = {column: _unusable(table, index) for index in damaged for column in index.columns if index.reason}
    lost = {
        column: f"the index of {table.name}.{column} was dropped: {reason}"
        for column, reason in table.indexes.lost.items()
    }
    return [*{**lost, **found}.items()]


def _damaged(table: IndexedTable, *, whole: bool) -> list[DamagedIndex]:
    with lance_errors(f"the indexes of the {table.name} table cannot be looked at"):
        return table.indexes.damaged(table.table, whole=whole)


def _drop(lance: Any, name: str) -> None:
    # A commit recovers the table first, which drops damaged indexes too.
    if any(index.name == name for index in lance.list_indices()):
        lance.drop_index(name)


def _unusable(table: IndexedTable, index: DamagedIndex) -> str:
    return f"the index of {table.name}.{', '.join(index.columns)} cannot be used: {index.reason}"
