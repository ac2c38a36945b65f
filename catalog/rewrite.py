"""The whole table written anew as one version: other vectors, or the shape of a newer schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catalog.durable import DurableTable, lance_errors
from catalog.errors import Damage, InputError
from catalog.migrations import upgrade
from catalog.models import Track
from catalog.schema import (
    SCHEMA_VERSION,
    from_track_row,
    row_sha256,
    table_encoder,
    table_version,
    track_schema,
    unit_vector,
    vector_sha256,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["migrate", "reembed"]

Row = dict[str, Any]
Encode = Callable[[Sequence[str]], Sequence[ArrayLike]]
_BATCH_ROWS, _BATCH_TEXTS = 1000, 64


def migrate(table: DurableTable) -> None:
    """Bring the table to the present schema; a no-op when another process has done it meanwhile."""
    with table.locked():
        old = table.table.schema
        version = table_version(old)
        if version < SCHEMA_VERSION:
            schema = track_schema(old.field("vector").type.list_size, table_encoder(old))
            rows = (upgrade(row, version) for row in _rows(table))
            _write(
                table, rows, schema, f"the upgrade from schema version {version} to {SCHEMA_VERSION} failed"
            )


def reembed(
    table: DurableTable, encode: Encode, encoder: str, texts_of: Callable[[Track], str]
) -> tuple[int, int]:
    """Give every row the vector of its text by `encode` and the table the identity `encoder`.

    Returns the number of rows and the length of the vectors. Nothing changes when `encode` raises. Raises InputError
    when it gives vectors of several lengths or another number than texts.
    """
    vectors: dict[str, NDArray[np.float32]] = {}
    _encode_missing(table, vectors, encode, texts_of)
    with table.locked():
        _encode_missing(table, vectors, encode, texts_of)
        lengths = {len(vector) for vector in vectors.values()} or {
            table.table.schema.field("vector").type.list_size
        }
        if len(lengths) > 1:
            raise InputError(
                f"the encoder gave vectors of lengths {sorted(lengths)}; all must be of one length"
            )
        dimension = lengths.pop()
        rows = (_with_vector(row, vectors[row["id"]], encoder) for row in _rows(table))
        _write(table, rows, track_schema(dimension, encoder), "the new vectors cannot be written")
    return len(vectors), dimension


def _encode_missing(
    table: DurableTable,
    vectors: dict[str, NDArray[np.float32]],
    encode: Encode,
    texts_of: Callable[[Track], str],
) -> None:
    texts = {row["id"]: _text(row, texts_of) for row in _rows(table) if row["id"] not in vectors}
    ids = list(texts)
    for start in range(0, len(ids), _BATCH_TEXTS):
        batch = ids[start : start + _BATCH_TEXTS]
        made = encode([texts[each] for each in batch])
        if len(made) != len(batch):
            raise InputError(f"the encoder gave {len(made)} vectors for {len(batch)} texts")
        vectors.update(zip(batch, map(unit_vector, made), strict=True))


def _text(row: Row, texts_of: Callable[[Track], str]) -> str:
    try:
        return texts_of(from_track_row(row))
    except Damage:
        return str(row["summary"])  # the row keeps its failing checksum, and with it the finding of `check`


def _with_vector(row: Row, vector: NDArray[np.float32], encoder: str) -> Row:
    intact = row_sha256(row) == row["row_sha256"]
    new = {**row, "encoder": encoder, "vector_sha256": vector_sha256(vector), "vector": vector}
    new["row_sha256"] = row_sha256(new) if intact else "damaged"
    return new


def _rows(table: DurableTable) -> Iterator[Row]:
    with lance_errors("the table cannot be read through"):
        for batch in table.table.search().to_batches(_BATCH_ROWS):
            yield from batch.to_pylist()


def _write(table: DurableTable, rows: Iterable[Row], schema: pa.Schema, what: str) -> None:
    import pyarrow as pa

    # Collected before the commit begins: an error while reading must not surface inside Lance's writer.
    batches = [pa.RecordBatch.from_pylist(chunk, schema=schema) for chunk in _chunks(rows)]
    data = pa.Table.from_batches(batches, schema=schema)
    table.replace(what, lambda connection: connection.create_table(table.name, data=data, mode="overwrite"))


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == _BATCH_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
