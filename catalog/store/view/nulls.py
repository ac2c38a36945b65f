"""Columns of tracks as people read them: null where a value is missing.

The table has no nulls there, since comparisons drop them silently; `cells.NONE` has what it holds in their place.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, TypeVar

from ..cells import NONE
from ..schema import track_schema

if TYPE_CHECKING:
    import pyarrow as pa

    Columns = TypeVar("Columns", pa.Table, pa.RecordBatch)

__all__ = ["nullable", "reader_with_nulls", "with_nulls"]


def with_nulls(columns: Columns) -> Columns:
    """Return a table or a batch of tracks with null in place of what stands for a missing value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for place, field in enumerate(columns.schema):
        if _may_be_missing(field):
            values = columns.column(place)
            missing = pc.equal(values, pa.scalar(NONE[field.name], field.type))
            values = pc.if_else(missing, pa.scalar(None, field.type), values)
            columns = columns.set_column(place, field.with_nullable(True), values)
    return columns


def reader_with_nulls(reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """Return a reader of the same batches, each as `with_nulls` returns it."""
    import pyarrow as pa

    return pa.RecordBatchReader.from_batches(nullable(reader.schema), map(with_nulls, reader))


def nullable(schema: pa.Schema) -> pa.Schema:
    """Return the schema of what `with_nulls` returns."""
    for place, field in enumerate(schema):
        if _may_be_missing(field):
            schema = schema.set(place, field.with_nullable(True))
    return schema


def _may_be_missing(field: pa.Field) -> bool:
    # A query may give the name of a column to something else, of another type.
    return bool(_types().get(field.name) == field.type)


@cache
def _types() -> dict[str, pa.DataType]:
    """Return the types of the columns of tracks that may be missing."""
    return {field.name: field.type for field in track_schema(1, "") if field.name in NONE}
