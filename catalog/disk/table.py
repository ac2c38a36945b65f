"""One Lance table whose acknowledged commits survive the death of the process and of the machine.

Lance commits by linking a manifest file and syncs nothing, so a power cut may leave a manifest that is empty, or one
whose data files are. Three rules close that gap: writers take turns under a file lock; what a commit wrote is synced
before it counts as acknowledged, and its version noted in a small file; on opening, versions newer than that note are
read through, and set aside when they cannot be.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ..errors import CatalogError, Damage, StorageError
from .failpoint import failpoint
from .files import storing, sync
from .lance import Connection, run
from .locks import hold

__all__ = ["DurableTable", "lance_errors"]


_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")

_MAGIC = b"LANC"
_TRAILER_BYTES = 16
_MANIFEST = re.compile(r"(\d+)\.manifest")
_NEWEST_FIRST = 2**64 - 1
_MOST_SET_ASIDE = 8
"""An acknowledged commit is synced before the next begins, so damage can only sit in the last few versions."""


class Marks(NamedTuple):
    """What is noted beside a table."""

    acknowledged: int = 0
    """The newest version known to be on the disk whole."""
    compacted: int = 0
    stamp: int = 0
    """Drawn anew whenever a row may have changed."""
    schema: int = 0


class DurableTable:
    """A table in `home/lance/<name>.lance`, its lock in `home/locks`, its acknowledged version beside it."""

    def __init__(
        self,
        connection: Connection,
        home: Path,
        name: str,
        *,
        lock_timeout_s: float = 0.0,
        version_of: Callable[[Any], int] = lambda _: 0,
    ) -> None:
        self.name = name
        self.folder = home / "lance" / f"{name}.lance"
        self._connection = connection
        self._home = home
        self._lock = home / "locks" / f"{name}.lock"
        self._acked_path = home / "lance" / f"{name}.acked"
        self._lock_timeout_s = lock_timeout_s
        self._version_of = version_of
        self._table: Any = None
        self._query_table: Any = None

    @property
    def table(self) -> Any:
        """The open Lance table, which sees every commit of other processes. Opened on first use."""
        if not self.exists():
            raise StorageError(f"there is no {self.name} table in {self._home}")
        return self._table

    def query(self, build: Callable[[Any], Any]) -> Any:
        """Return the arrow table of the query that `build` makes of the table in LanceDB's asynchronous interface."""
        self.table  # noqa: B018  # opened, and mended, before it is read
        opened = self._query_table  # another thread may let go of it
        if opened is None:
            opened = self._query_table = self._connection.open_for_queries(self.name)
        return run(build(opened).to_arrow())

    def exists(self) -> bool:
        """Open the table unless it is, and tell whether there is one; without any, Lance is not asked."""
        if self._table is None and self.head() is not None:
            self._open()
        return self._table is not None

    def head(self) -> int | None:
        """Return the newest version on the disk, None without any."""
        newest = self._newest()
        return newest[0] if newest else None

    @property
    def compacted(self) -> int:
        """The version the table had after it was last compacted."""
        return self._read_marks().compacted

    @property
    def acknowledged(self) -> int:
        """The newest version known to be on the disk whole; 0 when unknown."""
        return self._read_marks().acknowledged

    @property
    def schema_version(self) -> int:
        """The schema version of the table as it was last written; 0 when unknown, as for an unfinished commit."""
        marks, newest = self._read_marks(), self._newest()
        whole = newest and marks.acknowledged == newest[0] and _manifest_ends_well(newest[1])
        return marks.schema if whole else 0

    @property
    def stamp(self) -> int | None:
        """A number that is another one whenever a row may have changed; None while a commit is unfinished.

        Rows that are only added leave it. It is read from two small files, without Lance; 0 without a table.
        """
        marks = self._read_marks()
        return marks.stamp if marks.acknowledged == (self.head() or 0) else None

    def create(self, schema: Any) -> Any:
        """Make the empty table unless another process has, and return it."""
        with self.locked():
            if self.head() is None:
                with lance_errors(f"the table {self.name} cannot be made in {self._home}"):
                    self._table = self._connection.connect().create_table(self.name, schema=schema)
                self._acknowledge(frozenset(), point="create", changed=False, reshaped=True)
                sync([], [self.folder.parent, self._home])
        return self.table

    def commit(
        self, what: str, write: Callable[[Any], _Result], *, point: str = "row", adds_only: bool = False
    ) -> _Result:
        """Run `write(table)` alone among writers and return its result once everything it wrote is on the disk.

        With `adds_only` the rows that were there stay as they are, and so does `stamp`. Failpoints `<point>.merged`,
        `<point>.synced`, `<point>.acknowledged`. Raises Busy when the lock is not had in time, StorageError when Lance
        or the disk refuses; `what` begins the message.
        """
        with self.locked():
            return self.commit_locked(what, write, point=point, adds_only=adds_only)

    def commit_locked(
        self, what: str, write: Callable[[Any], _Result], *, point: str = "row", adds_only: bool = False
    ) -> _Result:
        """Like `commit`, for a caller that already holds the lock."""
        table = self.table
        # A writer that died after its commit left files nobody synced; then everything is synced, not the new alone.
        settled = self.acknowledged == self.head()
        known = self._files() if settled else frozenset()
        with lance_errors(what):
            result = write(table)
        failpoint(f"{point}.merged")
        with storing(what):
            self._acknowledge(known, point=point, changed=not (adds_only and settled))
        return result

    def replace(self, what: str, write: Callable[[Any], Any]) -> None:
        """Make a new version of the whole table, schema too, by `write(connection)`; the caller holds the lock."""
        known = self._files()
        with lance_errors(what):
            self._table, self._query_table = write(self._connection.connect()), None
        failpoint("table.replaced")
        with storing(what):
            self._acknowledge(known, point="replace", reshaped=True)

    def mark_compacted(self) -> None:
        """Note that the newest version is a compacted one; the caller holds the lock."""
        self._write_marks(self._read_marks()._replace(compacted=self.head() or 0))

    @contextlib.contextmanager
    def locked(self, timeout_s: float | None = None) -> Iterator[None]:
        """Hold the write lock of this table, for `timeout_s` seconds at most waited for; Busy after that."""
        self.exists()  # opens the table, which may need the lock itself, to recover
        with self._alone(self._lock_timeout_s if timeout_s is None else timeout_s):
            yield

    def problems(self) -> list[str]:
        """Say what is wrong with the newest version, judged by its files alone."""
        newest, acknowledged = self._newest(), self.acknowledged
        if newest is None:
            return (
                [f"the {self.name} table is gone; version {acknowledged} was there"] if acknowledged else []
            )
        head, manifest = newest
        if not _manifest_ends_well(manifest):
            return [f"version {head} of the {self.name} table cannot be read"]
        if head < acknowledged:
            return [f"the {self.name} table is at version {head}; version {acknowledged} was there"]
        return []

    def close(self) -> None:
        """Let go of the open table; the next use opens it anew."""
        self._table = self._query_table = None

    def size_bytes(self) -> int:
        """Return the bytes of every file of the table."""
        return sum(path.stat().st_size for path in self._files())

    @contextlib.contextmanager
    def _alone(self, timeout_s: float) -> Iterator[None]:
        with hold(self._lock, timeout_s, f"the {self.name} table of {self._home}"):
            yield

    def _open(self) -> None:
        newest = self._newest()
        if newest and not (self.acknowledged == newest[0] and _manifest_ends_well(newest[1])):
            self._look_into(*newest)
        if self.head() is None:
            return  # not even the first version was whole
        with lance_errors(f"the {self.name} table in {self._home} cannot be opened"):
            self._table = self._connection.connect().open_table(self.name)

    def _look_into(self, head: int, manifest: Path) -> None:
        readable = _manifest_ends_well(manifest)
        if os.access(self.folder.parent, os.W_OK):
            # A writer between its commit and its note is no damage: it holds the lock. Only an unreadable manifest
            # is worth waiting for.
            with contextlib.suppress(TimeoutError), self._alone(0.0 if readable else self._lock_timeout_s):
                self._recover()
        elif not readable:
            raise Damage(
                f"version {head} of the {self.name} table in {self._home} cannot be read; "
                "make the folder writable and open it once, and the version before it is taken"
            )

    def _recover(self) -> None:
        """Set aside the newest versions that cannot be read; the caller holds the lock."""
        acknowledged = self.acknowledged
        aside: list[Path] = []
        while newest := self._newest():
            if self._sound(newest[1], thorough=newest[0] > acknowledged):
                break
            if len(aside) == _MOST_SET_ASIDE:
                self._put_back(aside)
                raise Damage(
                    f"none of the last {_MOST_SET_ASIDE} versions of the {self.name} table in {self._home} "
                    "can be read; bring the folder back from a copy"
                )
            aside.append(self._set_aside(*newest))
        head = newest[0] if newest else 0
        if head > acknowledged:
            self._sync(self._files())  # its writer died before it could
        marks = self._read_marks()
        schema = marks.schema if head == marks.acknowledged else 0
        self._write_marks(Marks(head, min(head, marks.compacted), _new_stamp(), schema))
        if aside and head < acknowledged:
            _log.warning("the %s table lost its acknowledged version %d", self.name, acknowledged)

    def _sound(self, manifest: Path, *, thorough: bool) -> bool:
        if not _manifest_ends_well(manifest):
            return False
        if not thorough:
            return True
        indexes = self.folder / "_indices"
        if not all(_ends_in_magic(path) for path in indexes.rglob("*") if path.suffix in (".lance", ".idx")):
            return False
        try:
            with lance_errors("reading"):
                for _ in self._connection.connect().open_table(self.name).search().to_batches():
                    pass
        except StorageError:
            return False
        return True

    def _set_aside(self, version: int, manifest: Path) -> Path:
        folder = self._home / "lance" / "damaged"
        folder.mkdir(mode=0o700, exist_ok=True)
        target = folder / f"{self.name}-{version}-{os.urandom(3).hex()}.manifest"
        manifest.rename(target)
        # Lance's own note of the newest version may name the one set aside; it is a hint and is made anew.
        (manifest.parent / "latest_version_hint.json").unlink(missing_ok=True)
        sync([], [manifest.parent, folder])
        _log.warning(
            "version %d of the %s table could not be read and is set aside as %s",
            version,
            self.name,
            target,
        )
        return target

    def _put_back(self, aside: list[Path]) -> None:
        for path in aside:
            version = int(path.name.split("-")[1])
            path.rename(self.folder / "_versions" / f"{_NEWEST_FIRST - version}.manifest")

    def _newest(self) -> tuple[int, Path] | None:
        """Return the newest version and its manifest. Lance names manifests by their distance to 2**64 - 1."""
        found: tuple[int, str] | None = None
        folder = self.folder / "_versions"
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
            versions = ((_MANIFEST.fullmatch(entry.name), entry.name) for entry in entries)
            found = max(
                ((_NEWEST_FIRST - int(match[1]), name) for match, name in versions if match), default=None
            )
        return (found[0], folder / found[1]) if found else None

    def _files(self) -> frozenset[Path]:
        return frozenset(Path(folder, name) for folder, _, names in os.walk(self.folder) for name in names)

    def _acknowledge(
        self, known: frozenset[Path], *, point: str, changed: bool = True, reshaped: bool = False
    ) -> None:
        self._sync(self._files() - known)
        failpoint(f"{point}.synced")
        marks = self._read_marks()
        self._write_marks(
            Marks(
                acknowledged=self.head() or 0,
                compacted=marks.compacted,
                stamp=_new_stamp() if changed else marks.stamp,
                schema=self._version_of(self._table.schema) if reshaped or not marks.schema else marks.schema,
            )
        )
        failpoint(f"{point}.acknowledged")

    def _sync(self, paths: frozenset[Path]) -> None:
        folders = {parent for path in paths for parent in path.parents if parent.is_relative_to(self.folder)}
        sync(sorted(paths), sorted(folders))

    def _read_marks(self) -> Marks:
        try:
            numbers = [int(number) for number in self._acked_path.read_text("ascii").split()]
            return Marks(*numbers)
        except (OSError, ValueError, TypeError):
            return Marks()

    def _write_marks(self, marks: Marks) -> None:
        # Fewer bytes than a disk sector, always the same length, overwritten in place: one sync, never half of it.
        data = (" ".join(f"{number:020d}" for number in marks) + "\n").encode("ascii")
        new = not self._acked_path.exists()
        descriptor = os.open(self._acked_path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, data, 0)
            getattr(os, "fdatasync", os.fsync)(descriptor)
        finally:
            os.close(descriptor)
        if new:
            sync([], [self._acked_path.parent])


@contextlib.contextmanager
def lance_errors(what: str) -> Iterator[None]:
    """Turn whatever Lance raises, panics included, into a StorageError that begins with `what`."""
    try:
        yield
    except CatalogError:
        raise
    except (OSError, RuntimeError, ValueError) as error:
        raise StorageError(f"{what}: {_in_short(error)}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise Damage(f"{what}: {_in_short(error)}; run `catalog doctor --deep`") from None


def _new_stamp() -> int:
    # Drawn, not counted: a folder brought back from a copy must not come to a number it had before.
    return secrets.randbits(63) | 1


def _in_short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if "No space left" in text or "os error 28" in text:
        return "the disk is full; free some space and try again"
    if "Read-only file system" in text or "os error 30" in text:
        return "the file system is mounted read-only"
    return text if len(text) <= 300 else text[:299] + "…"


def _manifest_ends_well(path: Path) -> bool:
    """Tell whether a manifest has its trailer: position of its message, format version, magic."""
    trailer, size = _trailer(path)
    return trailer.endswith(_MAGIC) and int.from_bytes(trailer[:8], "little") < size


def _ends_in_magic(path: Path) -> bool:
    return _trailer(path)[0].endswith(_MAGIC)


def _trailer(path: Path) -> tuple[bytes, int]:
    """Return the last 16 bytes of a file and its size in bytes; nothing and 0 when it is shorter or gone."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size >= _TRAILER_BYTES:
            file.seek(-_TRAILER_BYTES, os.SEEK_END)
            return file.read(_TRAILER_BYTES), size
    return b"", 0
