"""What happens to versions of a table that a dead writer, or a power cut, left unreadable: they are set aside."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from ..errors import Damage, StorageError
from .files import sync
from .lance import Connection, lance_errors
from .versions import Marks, TableFiles, ends_in_magic, is_whole, manifest_path, new_stamp

__all__ = ["recover"]


_log = logging.getLogger(__name__)
MOST_SET_ASIDE = 8
"""An acknowledged commit is synced before the next begins, so damage can only be in the last few versions."""


def recover(table: TableFiles, connection: Connection) -> None:
    """Set aside the newest versions that cannot be read, and note the newest that can as safe on the disk.

    The caller holds the lock of the table. Raises Damage, and puts all versions back, when none of the last eight can
    be read.
    """
    acknowledged = table.marks.acknowledged
    aside: list[Path] = []
    while newest := table.newest():
        head, manifest = newest
        # An acknowledged version was synced whole, so its manifest tells enough. A later one is read through.
        if _can_be_read(table, connection, manifest, thorough=head > acknowledged):
            break
        if len(aside) == MOST_SET_ASIDE:
            _put_back(table, aside)
            raise Damage(
                f"none of the last {MOST_SET_ASIDE} versions of the {table.name} table in {table.home} "
                "can be read; bring the folder back from a copy"
            )
        aside.append(_set_aside(table, head, manifest))
    head = newest[0] if newest else 0
    if head > acknowledged:
        table.sync(table.files())  # its writer died before it could
    marks = table.marks
    schema = marks.schema if head == marks.acknowledged else 0
    # What was remembered of the table may be of a version that is gone now, so the stamp is another one.
    table.write_marks(Marks(head, min(head, marks.compacted), new_stamp(), schema))
    if aside and head < acknowledged:
        _log.warning("the %s table lost its acknowledged version %d", table.name, acknowledged)


def _can_be_read(table: TableFiles, connection: Connection, manifest: Path, *, thorough: bool) -> bool:
    if not is_whole(manifest):
        return False
    if not thorough:
        return True
    # Reading every row reads no index, so the ends of the index files are looked at.
    indexes = (table.folder / "_indices").rglob("*")
    if not all(ends_in_magic(path) for path in indexes if path.suffix in (".lance", ".idx")):
        return False
    try:
        with lance_errors("reading"):
            for _ in connection.connect().open_table(table.name).search().to_batches():
                pass
    except StorageError:
        return False
    return True


def _set_aside(table: TableFiles, version: int, manifest: Path) -> Path:
    folder = table.home / "lance" / "damaged"
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"{table.name}-{version}-{os.urandom(3).hex()}.manifest"
    manifest.rename(target)
    # Lance's own note of the newest version may name the one set aside; it is a hint and is made anew.
    (manifest.parent / "latest_version_hint.json").unlink(missing_ok=True)
    sync([], [manifest.parent, folder])
    _log.warning(
        "version %d of the %s table could not be read and is set aside as %s", version, table.name, target
    )
    return target


def _put_back(table: TableFiles, aside: list[Path]) -> None:
    for path in aside:
        path.rename(manifest_path(table.folder, int(path.name.split("-")[1])))
