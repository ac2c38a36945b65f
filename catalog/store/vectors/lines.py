"""New vectors for the lines of a log, by merges of bounded size while others append to it.

A line states the encoder of its vector, so that a run may be stopped anywhere and the next one goes on. Vectors of
another length need another column: lines lose the former ones first, and each is what its checksum is of at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...disk.reading import Row, read, to_arrow
from ...disk.table import Table
from ...search.filters import both, literal, one_of
from ..log import WITH_VECTOR
from ..rewrite import Encode
from ..rows import matches, row_sha256, vector_sha256
from .reembedding import change_columns, drop_columns, encoded

__all__ = ["reembed_lines", "vectors_by", "vectors_for"]


AT_ONCE = 1_000
"""Lines of one merge."""
_RENAMES = (("vector", "vector_former"), ("vector_next", "vector"))

Vector = NDArray[np.float32]


def reembed_lines(
    table: Table,
    columns: Sequence[str],
    encoder: str,
    dimension: int,
    vectors_of: Callable[[Sequence[Row]], Sequence[Vector | None]],
    check: Callable[[], None],
) -> None:
    """Give every line that has a vector of another encoder the one that `vectors_of` returns, or none.

    `columns` are all but the vector, and `dimension` is the length of the new ones. `check` is called before each
    change, and raises where another run may be at work.
    """
    # A line without its vector that names an encoder lost it in a run that died, perhaps for another encoder.
    waits = f"encoder <> '' AND (encoder <> {literal(encoder)} OR vector_sha256 = '')"
    if table.schema.field("vector").type.list_size != dimension:
        check()
        _begin(table, dimension)
        while rows := read(table, both(waits, WITH_VECTOR), columns, limit=AT_ONCE):
            check()
            if not _write(table, [_with_vector(row, None, row["encoder"]) for row in rows], rows):
                break
        # What is appended before others know the new column loses its vector too, and gets one below.
        renames = [{"path": name, "rename": to} for name, to in _RENAMES]
        what = "the new vectors cannot be put in place"
        check()
        change_columns(table.commit, what, lambda lance: lance.alter_columns(*renames), point="switch")
    check()
    drop_columns(table, [name for name in ("vector_next", "vector_former") if name in table.schema.names])
    while rows := read(table, waits, columns, limit=AT_ONCE):
        found = zip(rows, vectors_of(rows), strict=True)
        new = [_with_vector(row, each, "" if each is None else encoder) for row, each in found]
        check()
        if not _write(table, new, rows):
            break
    table.close()  # queries of this process know the old column


def vectors_by(
    table: Table, name: str, rows: Sequence[Row], predicate: str | None = None
) -> dict[str, Vector]:
    """Return vectors of `table` by its column `name`, for the values that `rows` have there."""
    wanted = both(one_of(name, sorted({row[name] for row in rows})), predicate, WITH_VECTOR)
    # A value may have lines by the thousand, of which one is read with its vector.
    one_each = {row[name]: row["id"] for row in read(table, wanted, (name, "id"))}
    if not one_each:
        return {}
    some = both(one_of("id", [*one_each.values()]), predicate, WITH_VECTOR)
    found = read(table, some, (name, "vector"))
    return {row[name]: row["vector"] for row in found}


def vectors_for(rows: Sequence[Row], name: str, known: Mapping[str, Vector], encode: Encode) -> list[Vector]:
    """Return the vector in `known` for the column `name` of each row, or else that of its summary."""
    texts = {row[name]: row["summary"] or row[name] for row in rows if row[name] not in known}
    made = encoded([*texts.values()], encode) if texts else []
    vectors = {**known, **dict(zip(texts, made, strict=True))}
    return [vectors[row[name]] for row in rows]


def _begin(table: Table, dimension: int) -> None:
    """Add the column for vectors of `dimension`, in place of one for other vectors."""
    import pyarrow as pa

    if "vector_next" in table.schema.names:
        if table.schema.field("vector_next").type.list_size == dimension:
            return
        drop_columns(table, ["vector_next"])
    column = pa.schema([pa.field("vector_next", pa.list_(pa.float32(), dimension))])
    what = "the column for the new vectors cannot be added"
    change_columns(table.commit, what, lambda lance: lance.add_columns(column), point="reembed")


def _with_vector(row: Row, vector: Vector | None, encoder: str) -> Row:
    """Return the columns of a line that change with its vector, and its id."""
    digest = "" if vector is None else vector_sha256(vector)
    changed = {**row, "encoder": encoder, "vector_sha256": digest}
    digest_of_row = row_sha256(changed) if matches(row) else "damaged"
    names = ("id", "encoder", "vector_sha256")
    return {**{name: changed[name] for name in names}, "row_sha256": digest_of_row, "vector": vector}


def _write(table: Table, new: Sequence[Row], read_rows: Sequence[Row]) -> bool:
    """Write columns of lines where these are as they were read; return whether any was."""
    import pyarrow as pa

    same = f"target.{one_of('row_sha256', sorted({row['row_sha256'] for row in read_rows}))}"
    rows = [*{row["id"]: row for row in new}.values()]

    def write(lance: Any) -> bool:
        schema = pa.schema([lance.schema.field(name) for name in rows[0]])
        merge = lance.merge_insert("id").when_matched_update_all(where=same).use_index(False)
        return bool(merge.execute(to_arrow(rows, schema), on_bad_vectors="null").num_updated_rows)

    return table.commit(f"the new vectors of the {table.name} cannot be written", write, point="reembed")
