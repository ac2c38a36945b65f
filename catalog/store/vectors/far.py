"""The nearest rows of a table that is far: an index orders candidates, and rows that are known are not read again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...disk.reading import PROBES, RESCORED, Row, where_async
from ...disk.remote.table import ObjectTable
from ..schema import TRACK_ROW

__all__ = ["nearest_rows"]


def nearest_rows(
    table: ObjectTable, column: str, unit: NDArray[np.float32], predicate: str | None, count: int, kind: str
) -> list[Row]:
    """Return the `count` rows whose `column` is nearest to `unit`, best first, with their `_distance` by cosine.

    `kind` says what the vectors are of. The index gives the addresses of more candidates than are wanted, and their
    exact distances are computed here, so that a row that was read for another text takes no request.
    """

    def near(lance: Any) -> Any:
        query = lance.query().nearest_to(unit).column(column).distance_type("cosine").nprobes(PROBES)
        query = where_async(query, predicate).limit(max(RESCORED, 2 * count))
        return query.select(["_distance"]).with_row_id()

    addresses = table.query(near)["_rowid"].to_pylist()
    rows = table.rows_at(addresses, (*TRACK_ROW, "vector", "brief"), kind)
    found = [{**rows[each], "_distance": 1.0 - _cosine(rows[each][column], unit)} for each in addresses]
    return sorted(found, key=lambda row: float(row["_distance"]))[:count]


def _cosine(vector: Any, unit: NDArray[np.float32]) -> float:
    stored = np.asarray(vector, np.float32)
    return float(stored @ unit / max(float(np.linalg.norm(stored)), 1e-12))
