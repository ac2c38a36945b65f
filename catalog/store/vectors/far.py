"""The nearest rows of a table that is far: an index orders candidates, and rows that are known are not read again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...disk.reading import PROBES, Row, where_async
from ...disk.remote.table import ObjectTable
from ...disk.table import Table
from ...search.filters import equals
from ..schema import TRACK_ROW

__all__ = ["hold_rows", "nearest_rows"]

MARGIN = 8
"""How many more rows than are wanted are compared exactly: the index has rounded vectors."""
TRIES = 3
"""How often a search is begun whose rows are written elsewhere before they are read."""
_COLUMNS = (*TRACK_ROW, "vector")


def hold_rows(table: Table, encoder: str | None) -> None:
    """Keep what searches compare of every row in memory once a far table is warm; a table that is near stays as it is.

    `encoder` is what made the vectors of texts.
    """
    if isinstance(table, ObjectTable):
        # The checksum of a row is of its record, which has the checksum of the vector.
        table.hold(_COLUMNS, encoder or "", same="row_sha256")


def nearest_rows(
    table: ObjectTable,
    column: str,
    unit: NDArray[np.float32],
    predicate: str | None,
    count: int,
    encoder: str,
) -> list[Row]:
    """Return the rows whose `column` is nearest to `unit`, best first, with their `_distance` by cosine.

    `encoder` is what made the vectors of texts. The index gives the addresses of more candidates than the `count` that
    are wanted, and their exact distances are computed here, so that a row that was read for another text takes no
    request. Rows that no index has yet are compared one by one, and come beside those that are wanted: they meet the
    predicate only where their records do, which the caller checks for every row. Where commits overtake every try, the
    rows that have no address any more are left out.
    """
    for _ in range(TRIES):
        distances, beside = _candidates(table, column, unit, predicate, count)
        rows = table.rows_at([*distances, *beside], _COLUMNS, encoder)
        wanted = table.rows_at(beside, ("vector", "brief", "brief_kind"), encoder)
        if rows.keys() >= {*distances, *beside} and wanted.keys() >= {*beside}:
            break
    distances = {each: distance for each, distance in distances.items() if each in rows}
    if column == "vector":  # of a brief vector the index has all, and its distances are exact
        distances = {each: 1.0 - _cosine(rows[each]["vector"], unit) for each in distances}
    best = sorted(distances, key=distances.__getitem__)[:count]
    for each, row in wanted.items():
        known = each in rows and row[column] is not None
        if known and (column == "vector" or _of_kind(row, predicate)):
            distances[each] = 1.0 - _cosine(row[column], unit)
            best.append(each)
    return [{**rows[each], "_distance": distances[each]} for each in sorted(best, key=distances.__getitem__)]


def _candidates(
    table: ObjectTable, column: str, unit: NDArray[np.float32], predicate: str | None, count: int
) -> tuple[dict[int, float], list[int]]:
    """Return distances by address as the index has them, and the addresses of other rows that no index has yet."""
    fresh = None if predicate and "id IN (" in predicate else table.unindexed(column)

    def near(lance: Any) -> Any:
        query = lance.query().nearest_to(unit).column(column).distance_type("cosine").nprobes(PROBES)
        query = where_async(query, predicate).limit(count + MARGIN)
        query = query.select(["_distance"]).with_row_id()
        # With rows that no index has, Lance would read the vectors of all candidates to compare them with these.
        return query if fresh is None else query.fast_search()

    found = table.query(near)
    distances = dict(zip(found["_rowid"].to_pylist(), found["_distance"].to_pylist(), strict=True))
    return distances, [each for each in fresh or () if each not in distances]


def _of_kind(row: Row, predicate: str | None) -> bool:
    return equals("brief_kind", row["brief_kind"]) in (predicate or "")


def _cosine(vector: Any, unit: NDArray[np.float32]) -> float:
    stored = np.asarray(vector, np.float32)
    return float(stored @ unit / max(float(np.linalg.norm(stored)), 1e-12))
