"""New vectors for a live table: columns beside the old ones, filled by merges, then the switch in one commit.

Readers and writers go on meanwhile with the old vectors. Each new vector names the checksum of the row it was made of,
so that a row that changes gets it anew, and a run may be stopped anywhere and the next one goes on.

Nothing is locked in a shared table. The switch therefore changes the type of a column beside the names: Lance commits
that as a Merge, which fails where any row was written since the version it began from, and after which a row that was
on its way is refused for the columns that it names and the table has no more.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...disk.lance import lance_errors
from ...disk.reading import Row, read, to_arrow
from ...disk.remote.table import ObjectTable
from ...disk.table import DurableTable, Table
from ...errors import Busy, Damage, InputError, StorageError
from ...models import Track
from ...search.filters import both, literal, one_of
from ..cells import canonical, sha256
from ..rewrite import Encode, migrate, replace_rows
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

__all__ = ["change_columns", "drop_columns", "encoded", "finish", "reembed_live"]

Commit = Callable[..., Any]
"""`DurableTable.commit`, or where its lock is held `commit_locked`."""
AT_ONCE = 1_000
"""Rows of one merge: a quarter of a minute of work, which is what a death costs."""
MOST_TRIES, CONFLICT = 200, "concurrent"
"""How often a change of the columns is begun that commits of others overtake, and the word by which Lance tells."""
SWITCHED = ("encoder", "vector_sha256", "record", "row_sha256", "vector")
"""The columns that say something of a vector."""
MADE_OF = "made_of_next"
"""The column with the checksum of the row that the new vector was made of. The switch changes its type."""
_READ = (*TRACK_COLUMNS, "sound", "brief_kind", "brief", "ear")
_MISSING = f"{MADE_OF} IS NULL OR {MADE_OF} <> row_sha256"


def reembed_live(
    table: Table,
    encode: Encode,
    encoder: str,
    texts_of: Callable[[Track], str],
    check: Callable[[], None],
    after_commit: Callable[[Table], None],
) -> int:
    """Give every row the vector of its text by `encode` and the table the identity `encoder`; go on where one stopped.

    Returns the length of the vectors; `finish` ends the run. Until the switch all reads are as before, and stay so when
    `encode` raises. `check` is called before columns go, and raises where another run may be at work. `after_commit` is
    called after each merge. Raises InputError when `encode` gives vectors of several lengths or another number than
    texts, Busy where others write to a shared table all the time.
    """
    migrate(table, lambda old: track_schema(old.field("vector").type.list_size, table_encoder(old)))
    if not _is_switched(table, encoder):
        _drop_others(table, encoder, check)
        rows = _missing(table)
        while rows:
            _fill(table, table.commit, rows, encode, encoder, texts_of)
            after_commit(table)
            # Fewer than that are the last, but for those that come meanwhile.
            rows = _missing(table) if len(rows) == AT_ONCE else []
        with table.locked():
            for _ in range(MOST_TRIES):
                while rows := _missing(table):
                    _fill(table, table.commit_locked, rows, encode, encoder, texts_of)
                if not _begun(table):
                    dimension = table.table.schema.field("vector").type.list_size
                    _begin(table.commit_locked, encoder, dimension)
                if _switch(table, encoder):
                    break
            else:
                raise Busy(
                    f"{table.name} cannot be switched to the new vectors: others write all the time; run it again at a "
                    "quieter time, and it goes on from here"
                )
    table.close()  # it was switched by another handle, and queries of this process know the old columns
    return int(table.schema.field("vector").type.list_size)


def finish(
    table: Table,
    encode: Encode,
    encoder: str,
    texts_of: Callable[[Track], str],
    check: Callable[[], None],
) -> int:
    """Drop the old columns, by which an earlier run that died after its switch is known; return the number of rows.

    `check` is called before, and raises where another run may be at work.
    """
    schema = table.schema
    check()
    if names := [name for name in SWITCHED if schema.field(name).nullable]:
        # Lance does not take this together with another type.
        strict = [{"path": name, "nullable": False} for name in names]
        what = "the new columns cannot be finished"
        change_columns(table.commit, what, lambda lance: lance.alter_columns(*strict), point="finish")
        check()
    drop_columns(table, [name for name in table.schema.names if name.endswith("_former")])
    table.close()
    if table.shared:
        _embed_strays(table, encode, encoder, texts_of)
    with lance_errors("the new vectors cannot be counted"):
        return int(table.table.count_rows())


def change_columns(commit: Commit, what: str, change: Callable[[Any], Any], *, point: str) -> None:
    """Commit a change of the columns that leaves what is served as it is; anew where commits of others overtake it."""
    for left in reversed(range(MOST_TRIES)):
        try:
            commit(what, change, point=point, adds_only=True)
            return
        except StorageError as error:
            if not left or CONFLICT not in str(error):
                raise
        time.sleep(random.uniform(0.0, 0.2))


def _is_switched(table: Table, encoder: str) -> bool:
    """Tell whether a run for `encoder` died after the switch."""
    schema = table.table.schema
    return "vector_former" in schema.names and table_encoder(schema) == encoder


def _begun(table: Table) -> bool:
    return "vector_next" in table.table.schema.names


def _next_encoder(schema: Any) -> str:
    """Return the encoder for which new columns are there, "" without any."""
    metadata = schema.field("vector_next").metadata if MADE_OF in schema.names else None
    return str((metadata or {}).get(ENCODER.encode(), b"").decode())


def _drop_others(table: Table, encoder: str, check: Callable[[], None]) -> None:
    """Drop what an earlier switch left, and what was filled for another encoder or by an earlier program."""
    schema = table.table.schema
    left = [name for name in schema.names if name.endswith("_former")]
    if _begun(table) and _next_encoder(schema) != encoder:
        left += [name for name in schema.names if name.endswith("_next")]
    check()
    drop_columns(table, left)


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
    vectors = encoded([_text(row, texts_of) for row in rows], encode)
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

    change_columns(commit, "the new vectors cannot be written", write, point="reembed")


def encoded(texts: Sequence[str], encode: Encode) -> list[NDArray[np.float32]]:
    """Return the unit vectors of texts; raises InputError where `encode` gives another number of them."""
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
    key = {"id": row["id"], "row_sha256": row["row_sha256"], MADE_OF: row["row_sha256"]}
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
    fields.append(pa.field(MADE_OF, pa.large_string()))
    what = "the columns for the new vectors cannot be added"
    change_columns(commit, what, lambda lance: lance.add_columns(pa.schema(fields)), point="reembed")


def _switch(table: Table, encoder: str) -> bool:
    """Rename the columns in one commit where no row lacks its new vector; return whether that was so."""
    what = "the table cannot be switched to the new vectors"

    def switch(lance: Any) -> bool:
        # Other threads of this process move the table that they share with this one.
        own = table.opened() if isinstance(table, ObjectTable) else lance
        if _next_encoder(own.schema) != encoder:
            raise Busy(f"{what}: another run embeds it anew with another encoder")
        if own.count_rows(_MISSING):
            return False
        own.alter_columns(*_renames())
        return True

    try:
        return bool(table.commit_locked(what, switch, point="switch"))
    except StorageError as error:
        if CONFLICT not in str(error):
            raise
        return False


def _renames() -> Iterator[dict[str, Any]]:
    import pyarrow as pa

    for name in SWITCHED:
        # Writers leave the old columns out until they are dropped, so they must be nullable.
        yield {"path": name, "rename": f"{name}_former", "nullable": True}
        yield {"path": f"{name}_next", "rename": name}
    yield {"path": MADE_OF, "rename": "made_of_former", "data_type": pa.string()}


def _embed_strays(table: Table, encode: Encode, encoder: str, texts_of: Callable[[Track], str]) -> None:
    """Embed rows whose writers were frozen within their commit from before the run began until after the switch."""
    others = f"encoder <> {literal(encoder)}"
    strays = [row["id"] for row in read(table, others, ("id",))]
    for start in range(0, len(strays), AT_ONCE):
        some = one_of("id", strays[start : start + AT_ONCE])
        rows = read(table, both(others, some), (*_READ, "vector"))
        vectors = encoded([_text(row, texts_of) for row in rows], encode)
        new = [_whole(row, vector, encoder) for row, vector in zip(rows, vectors, strict=True)]
        known = [row["row_sha256"] for row in rows]
        what = "rows that came meanwhile cannot be embedded"
        table.commit(what, partial(replace_rows, table, rows=new, read_sha256=known))


def _whole(row: Row, vector: NDArray[np.float32], encoder: str) -> Row:
    try:
        track = from_record(row).model_copy(update={"encoder": encoder})
    except Damage:
        return row
    return to_track_row(track, vector, kept_sound(row), kept_brief(row), kept_ear(row))


def drop_columns(table: Table, names: Sequence[str]) -> None:
    """Drop columns with their indexes."""
    if names:
        what = "columns cannot be dropped"
        with table.locked():
            change_columns(
                table.commit_locked, what, lambda lance: lance.drop_columns([*names]), point="drop"
            )
            if isinstance(table, DurableTable):
                table.indexes.write(table.table)  # their indexes went with them
