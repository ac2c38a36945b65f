"""New vectors for a live table: columns beside the old ones, filled by merges, then the switch in one commit.

Readers and writers go on meanwhile with the old vectors. A row that changes loses its new vector and gets it anew, so
that a run may be stopped anywhere and the next one goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...disk.lance import lance_errors
from ...disk.reading import Row, to_arrow
from ...disk.table import DurableTable, Table
from ...errors import Damage, InputError
from ...models import Track
from ..cells import canonical, sha256
from ..rewrite import Encode, migrate
from ..rows import (
    from_record,
    from_whole_track_row,
    kept_brief,
    kept_ear,
    kept_sound,
    to_track_row,
    unit_vector,
    vector_sha256,
)
from ..schema import ENCODER, TRACK_COLUMNS, table_encoder, track_schema

__all__ = ["reembed_live"]

Commit = Callable[..., Any]
"""`DurableTable.commit`, or where its lock is held `commit_locked`."""
AT_ONCE = 1_000
"""Rows of one merge: a quarter of a minute of work, which is what a death costs."""
SWITCHED = ("encoder", "vector_sha256", "record", "row_sha256", "vector")
"""The columns that say something of a vector."""
_READ = (*TRACK_COLUMNS, "sound", "brief_kind", "brief", "ear")
_MISSING = "vector_next IS NULL"


def reembed_live(
    table: Table,
    encode: Encode,
    encoder: str,
    texts_of: Callable[[Track], str],
    after_commit: Callable[[Table], None] = lambda _: None,
) -> tuple[int, int]:
    """Give every row the vector of its text by `encode` and the table the identity `encoder`; go on where one stopped.

    Returns the number of rows and the length of the vectors. Until the last commit all reads are as before, and stay
    so when `encode` raises. `after_commit` is called after each merge. Raises InputError when `encode` gives vectors
    of several lengths or another number than texts.
    """
    migrate(table, lambda old: track_schema(old.field("vector").type.list_size, table_encoder(old)))
    if not _is_switched(table, encoder):
        _drop_others(table, encoder)
        rows = _missing(table)
        while rows:
            _fill(table, table.commit, rows, encode, encoder, texts_of)
            after_commit(table)
            # Fewer than that are the last, but for those that come meanwhile.
            rows = _missing(table) if len(rows) == AT_ONCE else []
        with table.locked():
            while rows := _missing(table):
                _fill(table, table.commit_locked, rows, encode, encoder, texts_of)
            if not _begun(table):
                dimension = table.table.schema.field("vector").type.list_size
                _begin(table.commit_locked, encoder, dimension)
            what = "the table cannot be switched to the new vectors"
            table.commit_locked(what, lambda lance: lance.alter_columns(*_renames()), point="switch")
    _drop(table, [name for name in table.table.schema.names if name.endswith("_former")])
    table.close()  # queries of this process know the old columns
    with lance_errors("the new vectors cannot be counted"):
        return int(table.table.count_rows()), int(table.table.schema.field("vector").type.list_size)


def _is_switched(table: Table, encoder: str) -> bool:
    """Tell whether a run for `encoder` died after the switch."""
    schema = table.table.schema
    return "vector_former" in schema.names and table_encoder(schema) == encoder


def _begun(table: Table) -> bool:
    return "vector_next" in table.table.schema.names


def _drop_others(table: Table, encoder: str) -> None:
    """Drop what an earlier switch left, and what was filled for another encoder."""
    schema = table.table.schema
    left = [name for name in schema.names if name.endswith("_former")]
    if (
        _begun(table)
        and (schema.field("vector_next").metadata or {}).get(ENCODER.encode()) != encoder.encode()
    ):
        left += [name for name in schema.names if name.endswith("_next")]
    _drop(table, left)


def _missing(table: Table) -> list[Row]:
    """Return rows without a new vector, all their columns but the old one, `AT_ONCE` at the most."""
    with lance_errors("the rows to embed anew cannot be read"):
        query = table.table.search()
        if _begun(table):
            query = query.where(_MISSING)
        rows: list[Row] = query.select([*_READ]).limit(AT_ONCE).to_arrow().to_pylist()
    return rows


def _fill(
    table: Table,
    commit: Commit,
    rows: Sequence[Row],
    encode: Encode,
    encoder: str,
    texts_of: Callable[[Track], str],
) -> None:
    """Write the new vectors of `rows` beside the old ones, in one commit; a row that has changed is passed over."""
    vectors = _encoded([_text(row, texts_of) for row in rows], encode)
    if not _begun(table):
        _begin(commit, encoder, len(vectors[0]))
    dimension = table.table.schema.field("vector_next").type.list_size
    if lengths := {len(vector) for vector in vectors} - {dimension}:
        raise InputError(
            f"the encoder gave vectors of lengths {sorted({*lengths, dimension})}; all must be of one length"
        )
    new = [_new_columns(row, vector, encoder) for row, vector in zip(rows, vectors, strict=True)]

    def write(lance: Any) -> None:
        import pyarrow as pa

        for names in {tuple(each) for each in new}:
            schema = pa.schema([lance.schema.field(name) for name in names])
            alike = [each for each in new if tuple(each) == names]
            # Of rows with one id, and of a row that changes meanwhile, the checksum tells which was read.
            merge = lance.merge_insert(["id", "row_sha256"]).when_matched_update_all().use_index(False)
            merge.execute(to_arrow(alike, schema), on_bad_vectors="null")

    # Nothing that is served changes.
    commit("the new vectors cannot be written", write, point="reembed", adds_only=True)


def _encoded(texts: Sequence[str], encode: Encode) -> list[NDArray[np.float32]]:
    made = encode(texts)
    if len(made) != len(texts):
        raise InputError(f"the encoder gave {len(made)} vectors for {len(texts)} texts")
    return [unit_vector(each) for each in made]


def _text(row: Row, texts_of: Callable[[Track], str]) -> str:
    try:
        return texts_of(from_record(row))
    except Damage:
        return str(row["summary"])  # the row is kept, and so is its failing checksum, which `check` reports


def _new_columns(row: Row, vector: NDArray[np.float32], encoder: str) -> Row:
    """Return the columns of a row that are written: its key, the new vector and what says something of it.

    A row whose columns differ from its record gets the others from the record too.
    """
    key = {"id": row["id"], "row_sha256": row["row_sha256"]}
    changed = {"encoder": encoder, "vector_sha256": vector_sha256(vector)}
    try:
        track = from_record(row)
    except Damage:
        damaged = {**changed, "record": row["record"], "row_sha256": "damaged", "vector": vector}
        return {**key, **_next(damaged)}
    try:
        from_whole_track_row(row)
    except Damage:
        track = track.model_copy(update={"encoder": encoder})
        whole = to_track_row(track, vector, kept_sound(row), kept_brief(row), kept_ear(row))
        others = {name: value for name, value in whole.items() if name not in (*SWITCHED, "id")}
        return {**key, **_next({name: whole[name] for name in SWITCHED}), **others}
    record = canonical({**json.loads(row["record"]), **changed})
    return {**key, **_next({**changed, "record": record, "row_sha256": sha256(record), "vector": vector})}


def _next(values: Mapping[str, Any]) -> Row:
    return {f"{name}_next": values[name] for name in SWITCHED}


def _begin(commit: Commit, encoder: str, dimension: int) -> None:
    """Add the columns for the new vectors, all of them null. The vector's own metadata state its encoder."""
    import pyarrow as pa

    schema = track_schema(dimension, encoder)
    fields = [schema.field(name).with_name(f"{name}_next").with_nullable(True) for name in SWITCHED]
    fields[-1] = fields[-1].with_metadata({ENCODER: encoder})
    what = "the columns for the new vectors cannot be added"
    commit(what, lambda lance: lance.add_columns(pa.schema(fields)), point="reembed", adds_only=True)


def _renames() -> Iterator[dict[str, Any]]:
    for name in SWITCHED:
        # Writers leave the old columns out until they are dropped, so they must be nullable.
        yield {"path": name, "rename": f"{name}_former", "nullable": True}
        yield {"path": f"{name}_next", "rename": name, "nullable": False}


def _drop(table: Table, names: Sequence[str]) -> None:
    """Drop columns with their indexes."""
    if names:
        with table.locked():
            table.commit_locked(
                "columns cannot be dropped",
                lambda lance: lance.drop_columns([*names]),
                point="drop",
                adds_only=True,
            )
            if isinstance(table, DurableTable):
                table.indexes.write(table.table)  # their indexes went with them
