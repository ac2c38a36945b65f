"""What happens to versions of a table that a dead writer, or a power cut, left unreadable: they are set aside.

A version is judged by what Lance finds in it. An error of the system (no descriptor, no memory, no permission, a drive
that does not answer) is no judgement: nothing is changed then. Nothing is changed either when no version can be read.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import Damage, StorageError
from .files import refusal, sync
from .lance import Connection, lance_errors
from .versions import Marks, TableFiles, ends_in_magic, is_whole, manifest_path, new_stamp

__all__ = ["EMPTY", "FROM_A_COPY", "has_lost_its_schema", "recover"]


_log = logging.getLogger(__name__)
MOST_SET_ASIDE = 8
"""An acknowledged commit is synced before the next begins, so damage can only be in the last few versions."""
EMPTY = 1
"""The first version of a table, which has no rows."""
FROM_A_COPY = (
    "bring the folder back from a copy: `catalog restore --from DIR --force` takes the newest of those that "
    "`catalog doctor --backup DIR` made"
)


def recover(table: TableFiles, connection: Connection) -> None:
    """Set aside the newest versions that cannot be read, and note the newest that can as safe on the disk.

    The caller holds the lock of the table. Raises Damage when none of the last eight can be read, or none that has
    rows; StorageError or OSError when the system refuses. All versions are put back then. A table of which there was
    only the first version begins anew.
    """
    marks = table.marks
    with lance_errors(f"the {table.name} table in {table.home} cannot be opened"):
        connection.connect()  # what fails here tells nothing about a version
    aside: list[Path] = []
    try:
        head = _set_aside_unreadable(table, connection, marks, aside)
        if aside and _begins_anew(table, connection, marks, aside, head):
            raise Damage(
                f"no version of the {table.name} table in {table.home} that has rows can be read; {FROM_A_COPY}"
            )
        if head > marks.acknowledged:
            table.sync(table.files())  # its writer died before it could
        schema = marks.schema if head == marks.acknowledged else 0
        # What was remembered of the table may be of a version that is gone now, so the stamp is another one.
        table.write_marks(Marks(head, min(head, marks.compacted), new_stamp(), schema))
    except BaseException:
        _put_back(table, aside)
        raise
    for path in aside:
        _log.warning(
            "version %d of the %s table could not be read and is set aside as %s",
            _version_in(path),
            table.name,
            path,
        )
    if aside and head < marks.acknowledged:
        _log.warning("the %s table lost its acknowledged version %d", table.name, marks.acknowledged)


def _set_aside_unreadable(table: TableFiles, connection: Connection, marks: Marks, aside: list[Path]) -> int:
    """Move versions that cannot be read to `aside`; return the newest that can, 0 where there is none."""
    while newest := table.newest():
        head, manifest = newest
        # An acknowledged version was synced whole, so its manifest tells enough. A later one is read through.
        if is_whole(manifest) and (
            head <= marks.acknowledged or _reads_through(table, connection, marks.schema)
        ):
            if aside:
                sync([], [manifest.parent, aside[0].parent])
            return head
        if len(aside) == MOST_SET_ASIDE:
            raise Damage(
                f"none of the last {MOST_SET_ASIDE} versions of the {table.name} table in {table.home} "
                f"can be read; {FROM_A_COPY}"
            )
        _set_aside(table, head, manifest, aside)
    return 0


def _reads_through(table: TableFiles, connection: Connection, schema: int) -> bool:
    """Tell whether the newest version reads to its end; raises StorageError or OSError when the system refuses."""
    # Reading every row reads no index, so the ends of the index files are looked at.
    indexes = (path for path in table.files() if path.is_relative_to(table.folder / "_indices"))
    if not all(ends_in_magic(path) for path in indexes if path.suffix in (".lance", ".idx")):
        return False
    try:
        with lance_errors(f"the {table.name} table in {table.home} cannot be read"):
            opened = connection.connect().open_table(table.name)
            for _ in opened.search().to_batches():
                pass
            return not has_lost_its_schema(opened.schema, schema)
    except StorageError as error:
        if refusal(error):
            raise
        return False


def has_lost_its_schema(schema: Any, noted: int) -> bool:
    """Tell whether an arrow schema states no version although the note of its table does.

    A manifest with a hole reads without an error, and lacks columns.
    """
    return noted > 1 and not schema.metadata  # tables of version 1 stated none


def _begins_anew(
    table: TableFiles, connection: Connection, marks: Marks, aside: Sequence[Path], head: int
) -> bool:
    """Tell whether version `head` has no rows, 0 standing for no version, where those set aside can have had some."""
    if 0 < marks.acknowledged <= head:
        return False  # what was acknowledged is there
    if not head:
        versions = [marks.acknowledged, *map(_version_in, aside)]
        return max(versions) > EMPTY or any(path.parent.name == "data" for path in table.files())
    with lance_errors(f"the {table.name} table in {table.home} cannot be read"):
        return not connection.connect().open_table(table.name).count_rows()


def _set_aside(table: TableFiles, version: int, manifest: Path, aside: list[Path]) -> None:
    folder = table.home / "lance" / "damaged"
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"{table.name}-{version}-{os.urandom(3).hex()}.manifest"
    manifest.rename(target)
    aside.append(target)
    # Lance's own note of the newest version may name the one set aside; it is a hint and is made anew.
    (manifest.parent / "latest_version_hint.json").unlink(missing_ok=True)


def _put_back(table: TableFiles, aside: Sequence[Path]) -> None:
    for path in aside:
        path.rename(manifest_path(table.folder, _version_in(path)))
    with contextlib.suppress(OSError):  # a system that refuses is told by the error that led here
        sync([], [table.folder / "_versions", *{path.parent for path in aside}])


def _version_in(path: Path) -> int:
    return int(path.name.split("-")[1])
