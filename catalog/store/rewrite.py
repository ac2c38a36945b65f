"""Rows that are written: new ones, changed ones, and whole tables as one version, with other columns."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from ..disk.lance import lance_errors
from ..disk.reading import Row, read, to_arrow, where
from ..disk.table import Table
from ..errors import Busy, Damage, InputError, NotFound
from ..models import Track
from ..search.filters import equals, one_of
from .migrations import upgrade
from .rows import (
    from_record,
    kept_brief,
    kept_ear,
    kept_sound,
    same_vector,
    to_track_row,
)
from .schema import VERSIONS, table_version

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "Change",
    "Encode",
    "VectorOf",
    "changed_row",
    "insert_missing",
    "migrate",
    "refuse_others",
    "replace_rows",
    "until_written",
]


Change = Callable[[Track], Mapping[str, Any]]
VectorOf = Callable[[Track], ArrayLike]
"""Return the vector of a track's context."""
Encode = Callable[[Sequence[str]], Sequence[ArrayLike]]
MOST_TRIES = 8
"""How often rows of a shared table are changed anew that others change at the same time."""
_BATCH_ROWS = 1000


def insert_missing(lance: Any, rows: Sequence[Row], schema: pa.Schema, *, alone: bool) -> int:
    """Add those rows to a Lance table whose ids are not there; return how many that are.

    `alone` says that nobody else writes meanwhile: then the index of ids is asked where there is one.
    """
    indexed = alone and any(index.columns == ["id"] for index in lance.list_indices())
    if indexed:
        same = one_of("id", [row["id"] for row in rows])
        there = {*lance.search().where(same).select(["id"]).limit(None).to_arrow()["id"].to_pylist()}
        new = [*{row["id"]: row for row in rows if row["id"] not in there}.values()]
        if new:
            lance.add(to_arrow(new, schema), on_bad_vectors="null")
        return len(new)
    if not alone and any(name.endswith("_next") for name in lance.schema.names):
        # With their nulls, what the switch to other vectors overtakes is refused by Lance; see `vectors.reembedding`.
        schema = lance.schema
    # A merge that uses a BTREE index on the column it merges by lets duplicates through; a scan does not.
    merge = lance.merge_insert("id").when_not_matched_insert_all().use_index(False)
    return int(merge.execute(to_arrow([*rows], schema), on_bad_vectors="null").num_inserted_rows)


def changed_row(track_id: str, rows: Sequence[Row], change: Change, vector_of: VectorOf | None) -> Row:
    """Return the row of a track with the fields that `change` returns; `rows` are those of its id, with their vectors.

    `vector_of` makes a vector anew that does not match its checksum; without it, that raises Damage. Raises NotFound
    without a row.
    """
    if not rows:
        raise NotFound(f"there is no track {track_id!r}")
    if len(rows) > 1:  # a merge would write the one over the other
        raise Damage(f"the id {track_id} names several rows; run `catalog doctor --fix`")
    track, vector = from_record(rows[0]), rows[0]["vector"]
    if not same_vector(rows[0], "vector"):
        if vector_of is None:
            raise Damage(
                f"track {track_id} cannot be changed: its vector does not match its checksum; "
                "run `catalog doctor --reembed`"
            )
        vector = vector_of(track)
    changed = track.model_copy(update=dict(change(track)))
    return to_track_row(changed, vector, kept_sound(rows[0]), kept_brief(rows[0]), kept_ear(rows[0]))


def replace_rows(table: Table, lance: Any, rows: Sequence[Row], read_sha256: Sequence[str]) -> set[str]:
    """Write rows in place of those of their ids, within a commit, and return the ids of those that were written.

    In a shared table a row is written only where it still has the checksum with which it was read.
    """
    same = f"target.{one_of('row_sha256', [*read_sha256])}" if table.shared else None
    merge = lance.merge_insert("id").when_matched_update_all(where=same).use_index(False)
    done = merge.execute(to_arrow([*rows], lance.schema), on_bad_vectors="null")
    ids = {row["id"]: row["row_sha256"] for row in rows}
    if not table.shared or done.num_updated_rows == len(rows):
        return {*ids}
    lance.checkout_latest()
    stored = where(lance.search(), one_of("id", [*ids])).select(["id", "row_sha256"]).limit(None).to_list()
    return {row["id"] for row in stored if row["row_sha256"] == ids[row["id"]]}


def until_written(table: Table, what: str, write: Callable[[Any], bool]) -> None:
    """Commit `write` until it tells that all is written; Busy where others change the same rows all the time."""
    for attempt in range(MOST_TRIES):
        if table.commit(what, write):
            return
        time.sleep(random.uniform(0.0, 0.05 * 2**attempt))
    raise Busy(f"{what}: others change it all the time; try again")


def refuse_others(table: Table, rows: Sequence[Row]) -> None:
    """Raise InputError where the id of a row names another track in the table."""
    # A generator need not give the same samples on every machine, and in a shared table the first row stands.
    same = ("key",) if table.shared else ("key", "audio_sha256")
    for row in rows:
        for other in read(table, equals("id", row["id"]), same, limit=1):
            if any(other[name] != row[name] for name in same):
                raise InputError(f"the id {row['id']} already names another track; draw a new id")


def migrate(table: Table, schema_from: Callable[[pa.Schema], pa.Schema]) -> None:
    """Bring the table from its schema to the present one; nothing to do where another process has done it meanwhile."""
    with table.locked():
        old = table.table.schema
        version, present = table_version(old), VERSIONS[table.name]
        if version < present:
            rows = (upgrade(row, table.name, version) for row in _rows(table))
            what = f"the upgrade of {table.name} from schema version {version} to {present} failed"
            _write(table, rows, schema_from(old), what)


def _rows(table: Table) -> Iterator[Row]:
    with lance_errors("the table cannot be read through"):
        for batch in table.table.search().to_batches(_BATCH_ROWS):
            yield from batch.to_pylist()


def _write(table: Table, rows: Iterable[Row], schema: pa.Schema, what: str) -> None:
    import pyarrow as pa

    # Collected before the commit begins: an error while reading must not surface inside Lance's writer.
    batches = [pa.RecordBatch.from_pylist(chunk, schema=schema) for chunk in _chunks(rows)]
    data = pa.Table.from_batches(batches, schema=schema)
    # Without this option Lance refuses every null vector. Where a vector must not be null, the schema still refuses it.
    options = {"mode": "overwrite", "on_bad_vectors": "null"}
    table.replace(what, lambda connection: connection.create_table(table.name, data=data, **options))


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == _BATCH_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
