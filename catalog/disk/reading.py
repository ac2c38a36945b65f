"""Rows read from a Lance table: pages, scans, and the small print of its queries."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import Damage, InputError
from .lance import lance_errors, ordering
from .table import Table

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "MOST_RESULTS",
    "Row",
    "checked_limit",
    "checked_words",
    "exactly",
    "intact",
    "read",
    "scan",
    "to_arrow",
    "to_rows",
    "where",
    "where_async",
]


Row = dict[str, Any]
_Value = TypeVar("_Value")
_log = logging.getLogger(__name__)

MOST_RESULTS = 10_000
MOST_BY_ID = 1_000
"""Up to how many rows a page of a service is read by ids."""
RESCORED, PROBES = 40, 40
"""With a vector index: how many rows at the least are compared exactly once more, and how many lists of the index are
searched. The index alone returns approximate distances, and a threshold needs exact ones."""


def read(
    table: Table,
    predicate: str | None,
    columns: Sequence[str],
    *,
    order: str | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> list[Row]:
    """Return rows of a table that may not exist yet, sorted by the column `order`, descending with a leading minus.

    Rows that are equal there are sorted by id, so that pages do not overlap.
    """
    if limit == 0 or not table.exists():
        return []
    if order is not None and table.of_service:
        return _sorted_here(table, predicate, columns, order, limit, offset)

    def build(lance: Any) -> Any:
        query, names = where_async(lance.query(), predicate), [*columns]
        if order is not None:
            ascending = {order.removeprefix("-"): not order.startswith("-")}
            ascending.setdefault("id", True)
            query = query.order_by(ordering(ascending))
            names += ascending
        query = query.select([*dict.fromkeys(names)])
        query = query if limit is None else query.limit(limit)
        return query.offset(offset) if offset else query

    with lance_errors(f"the {table.name} table cannot be read"):
        asked = (predicate, tuple(columns), order, limit, offset)
        return to_rows(table.query(build, asked))


def _sorted_here(
    table: Table, predicate: str | None, columns: Sequence[str], order: str, limit: int | None, offset: int
) -> list[Row]:
    """Return a page that this process sorts; for a short one, only the order and the ids of all rows are read."""
    keys = [*dict.fromkeys((order.removeprefix("-"), "id"))]
    by = [(name, "descending" if order == f"-{name}" else "ascending") for name in keys]

    def found(where: str | None, names: Sequence[str]) -> pa.Table:
        query = lambda lance: where_async(lance.query(), where).select([*dict.fromkeys(names)])  # noqa: E731
        return table.query(query, (where, tuple(names))).sort_by(by)

    with lance_errors(f"the {table.name} table cannot be read"):
        if limit is None or limit > MOST_BY_ID:
            return to_rows(found(predicate, [*columns, *keys]).slice(offset, limit))
        ids = found(predicate, keys).slice(offset, limit)["id"].to_pylist()
        if not ids:
            return []
        named = ", ".join("'" + each.replace("'", "''") + "'" for each in ids)
        page = f"id IN ({named})" + (f" AND ({predicate})" if predicate else "")
        return to_rows(found(page, [*columns, *keys]).slice(0, limit))


def scan(table: Table, predicate: str | None, columns: Sequence[str]) -> pa.Table:
    """Return columns of every row that meets `predicate`, as arrow holds them; the table must exist."""
    with lance_errors(f"the {table.name} table cannot be read"):
        return where(table.table.search(), predicate).select(list(columns)).limit(None).to_arrow()


def intact(rows: Iterable[Row], decode: Callable[[Row], _Value]) -> Iterator[_Value]:
    """Yield the values of rows that match their checksums, and warn of the others."""
    for row in rows:
        try:
            yield decode(row)
        except Damage as error:
            _log.warning("%s; it is passed over", error)


def to_arrow(rows: list[Row], schema: pa.Schema) -> pa.Table:
    """Return rows as an arrow table of `schema`."""
    import pyarrow as pa

    return pa.Table.from_pylist(rows, schema=schema)


def to_rows(table: pa.Table) -> list[Row]:
    """Return rows as dictionaries, the vectors in them as float32 arrays, None where a row has none."""
    if "vector" not in table.column_names:
        rows: list[Row] = table.to_pylist()
        return rows
    # As Python numbers, the vectors would take most of the time of a search.
    rows = table.drop_columns(["vector"]).to_pylist()
    if rows:
        column = table["vector"].combine_chunks()
        vectors = iter(column.flatten().to_numpy().reshape(-1, column.type.list_size))  # those that are there
        for row, is_there in zip(rows, column.is_valid().to_pylist(), strict=True):
            row["vector"] = next(vectors) if is_there else None
    return rows


def where(query: Any, predicate: str | None) -> Any:
    """Return a query of the synchronous interface that filters before it searches."""
    return query.where(predicate, prefilter=True) if predicate else query


def where_async(query: Any, predicate: str | None) -> Any:
    """Return a query of the asynchronous interface, which filters before it searches by default."""
    return query.where(predicate) if predicate else query


def exactly(query: Any, count: int) -> Any:
    """Return a query for the `count` nearest with exact distances, where an index would give rough ones."""
    return query.limit(count).refine_factor(max(2, -(-RESCORED // count))).nprobes(PROBES)


def checked_limit(limit: int) -> int:
    """Return `limit`; raises InputError unless it is from 1 to MOST_RESULTS."""
    if not 1 <= limit <= MOST_RESULTS:
        raise InputError(f"the limit is {limit}; pass 1 to {MOST_RESULTS:,}")
    return limit


def checked_words(text: str) -> str:
    """Return `text` as a search for words takes it; raises InputError when no word is left."""
    # A text in quotes would be taken for a phrase, which the index, kept without positions, cannot answer.
    words = text.replace('"', " ").encode("utf-8", "replace").decode("utf-8").strip()
    if not words:
        raise InputError("the search text is empty; pass at least one word")
    return words
