"""How many tracks of a list have each mood, style, role, quality, environment, backend and rating."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FACETS", "NONE", "Facets", "count_facets"]


Facets = dict[str, dict[str, int]]

FACETS = {
    "mood": "mood_tags",
    "style": "style",
    "role": "role",
    "quality": "quality",
    "environment": "environment",
    "backend": "backend",
    "rating": "rating",
}
"""Facet by name, with the column it counts."""
NONE = "none"
"""Stands for tracks without a value, as in the query language."""


def count_facets(table: pa.Table) -> Facets:
    """Return for each facet how many rows of `table` have each value, most frequent first, ties by name."""
    return {name: _counts(table[column]) for name, column in FACETS.items()}


def _counts(column: Any) -> dict[str, int]:
    import pyarrow as pa
    import pyarrow.compute as pc

    counts: dict[str, int] = {}
    if pa.types.is_list(column.type):
        empty = pc.sum(pc.equal(pc.list_value_length(column), 0)).as_py()
        counts = {NONE: empty} if empty else {}
        column = pc.list_flatten(column)
    for one in column.value_counts():
        value = one["values"].as_py()
        counts[str(value) if value else NONE] = one["counts"].as_py()
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
