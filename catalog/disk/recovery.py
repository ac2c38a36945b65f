"""What happens to versions of a table that a dead writer, or a power cut, left unreadable or altered: they go aside.

This is what is trusted. An acknowledged version was synced whole, so only the end of its manifest is looked at, and
that it is the version its name states. A later one counts when it reads to its end and its rows match their checksums.
An error of the system (no descriptor, no memory, no permission, a drive that does not answer) is no judgement: nothing
is changed then. Nothing is changed either when no version can be read.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import Damage, StorageError
from .damage.aside import put_back, report, set_aside, set_aside_later, version_of
from .files import refusal
from .lance import Connection, lance_errors
from .versions import Marks, TableFiles, is_whole, new_stamp

__all__ = ["EMPTY", "FROM_A_COPY", "IntactIds", "has_lost_its_schema", "recover", "sample"]


_log = logging.getLogger(__name__)
MOST_SET_ASIDE = 8
"""An acknowledged commit is synced before the next begins, so damage can only be in the last few versions."""
EMPTY = 1
"""The first version of a table, which has no rows."""
FROM_A_COPY = (
    "bring the folder back from a copy: `catalog restore --from DIR --force` takes the newest of those that "
    "`catalog doctor --backup DIR` made"
)
_BATCH_ROWS = 1000
_SAMPLE_ROWS = 3

IntactIds = Callable[[Any], Sequence["str | None"]]
"""Return the id of each row of an arrow batch of a table, None for a row that does not match its checksums."""


class _Rows(NamedTuple):
    """What a version holds."""

    intact: frozenset[str]
    """The ids of the rows that match their checksums."""
    altered: int


def recover(table: TableFiles, connection: Connection, intact_ids: IntactIds) -> None:
    """Set aside the newest versions that are damaged, and note the newest that is not as safe on the disk.

    The caller holds the lock of the table. Raises Damage when none of the last eight can be read, or none that has
    rows; StorageError or OSError when the system refuses. All versions are put back then. A table of which there was
    only the first version begins anew.
    """
    marks = table.marks
    with lance_errors(f"the {table.name} table in {table.home} cannot be opened"):
        connection.connect()  # what fails here tells nothing about a version

    def rows_of(version: int) -> _Rows | None:
        return _read_through(table, connection, version, marks.schema, intact_ids)

    aside: list[Path] = []
    try:
        head, rows = _newest_readable(table, connection, marks, rows_of, aside)
        if rows and rows.altered:
            head, rows = _with_fewest_altered(table, head, rows, marks.acknowledged, rows_of)
            set_aside_later(table, head, aside)
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
        put_back(table, aside)
        raise
    report(table, aside)
    if aside and head < marks.acknowledged:
        _log.warning("the %s table lost its acknowledged version %d", table.name, marks.acknowledged)
    if rows and rows.altered:
        _warn_of_altered(table.name, rows.altered, rows.altered + len(rows.intact))


def _newest_readable(
    table: TableFiles,
    connection: Connection,
    marks: Marks,
    rows_of: Callable[[int], _Rows | None],
    aside: list[Path],
) -> tuple[int, _Rows | None]:
    """Move versions that cannot be read to `aside`; return the newest that can, 0 where there is none.

    With it come its rows, None for an acknowledged version, which is not read.
    """
    while newest := table.newest():
        head, manifest = newest
        if is_whole(manifest):
            if head > marks.acknowledged:
                if rows := rows_of(head):
                    return head, rows
            elif not _is_a_copy(table, connection, head):
                return head, None
        if len(aside) == MOST_SET_ASIDE:
            raise Damage(
                f"none of the last {MOST_SET_ASIDE} versions of the {table.name} table in {table.home} "
                f"can be read; {FROM_A_COPY}"
            )
        set_aside(table, head, aside)
    return 0, None


def _with_fewest_altered(
    table: TableFiles, head: int, rows: _Rows, acknowledged: int, rows_of: Callable[[int], _Rows | None]
) -> tuple[int, _Rows]:
    """Return the version that counts, of `head` and those before it down to the acknowledged one, and its rows.

    One with altered rows gives way to an earlier one with fewer. Where it is not known what was acknowledged, the
    earlier one must have all its intact rows and more.
    """
    earlier = [version for version in table.versions() if acknowledged <= version < head]
    for version in earlier[:MOST_SET_ASIDE]:
        if not rows.altered:
            break
        other = rows_of(version)
        if other and other.altered < rows.altered and (acknowledged or other.intact > rows.intact):
            head, rows = version, other
    return head, rows


def _read_through(
    table: TableFiles, connection: Connection, version: int, schema: int, intact_ids: IntactIds
) -> _Rows | None:
    """Return the rows of a version, None where it cannot be read or is another one than its name states.

    Raises StorageError or OSError when the system refuses.
    """
    ids: list[str | None] = []
    try:
        with lance_errors(f"the {table.name} table in {table.home} cannot be read"):
            opened = connection.connect().open_table(table.name)
            if opened.version != version:
                opened.checkout(version)
            if opened.version != version or has_lost_its_schema(opened.schema, schema):
                return None
            opened.list_indices()  # in a part of the manifest that is read on its own
            for batch in opened.search().to_batches(_BATCH_ROWS):
                ids += intact_ids(batch)
    except StorageError as error:
        if refusal(error):
            raise
        return None
    return _Rows(frozenset(each for each in ids if each is not None), ids.count(None))


def _is_a_copy(table: TableFiles, connection: Connection, version: int) -> bool:
    """Tell whether the newest manifest, named `version`, is that of an earlier version."""
    try:
        with lance_errors(f"the {table.name} table in {table.home} cannot be read"):
            return bool(connection.connect().open_table(table.name).version < version)
    except StorageError as error:
        if refusal(error):
            raise
        return False  # opening it tells what is wrong


def has_lost_its_schema(schema: Any, noted: int) -> bool:
    """Tell whether an arrow schema states no version although the note of its table does.

    A manifest with a hole reads without an error, and lacks columns.
    """
    return noted > 1 and not schema.metadata  # tables of version 1 stated none


def sample(name: str, opened: Any, intact_ids: IntactIds) -> None:
    """Read a few rows, drawn at random, of an open table, and warn where they do not match their checksums."""
    try:
        with lance_errors(f"the {name} table cannot be read"):
            count = int(opened.count_rows())
            places = random.sample(range(count), min(count, _SAMPLE_ROWS))
            batches = opened.take_offsets(places).to_arrow().to_batches() if places else []
            ids = [each for batch in batches for each in intact_ids(batch)]
    except StorageError as error:
        _log.warning("%s", error)
    else:
        if altered := ids.count(None):
            _warn_of_altered(name, altered, len(ids))


def _warn_of_altered(name: str, altered: int, read: int) -> None:
    _log.warning(
        "%d of %d rows read from the %s table do not match their checksums; run `catalog doctor`",
        altered,
        read,
        name,
    )


def _begins_anew(
    table: TableFiles, connection: Connection, marks: Marks, aside: Sequence[Path], head: int
) -> bool:
    """Tell whether version `head` has no rows, 0 standing for no version, where those set aside can have had some."""
    if 0 < marks.acknowledged <= head:
        return False  # what was acknowledged is there
    if not head:
        versions = [marks.acknowledged, *map(version_of, aside)]
        return max(versions) > EMPTY or any(path.parent.name == "data" for path in table.files())
    with lance_errors(f"the {table.name} table in {table.home} cannot be read"):
        return not connection.connect().open_table(table.name).count_rows()
