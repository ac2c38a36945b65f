"""How many tracks of a list have each mood, style, role, quality, environment, tag, backend and rating."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..models import Track

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FACETS", "NONE", "Facets", "count_facets", "facets_of"]


Facets = dict[str, dict[str, int]]

FACETS = {
    "mood": "mood_tags",
    "style": "style",
    "role": "role",
    "quality": "quality",
    "environment": "environment",
    "tag": "tags",
    "backend": "backend",
    "rating": "rating",
}
"""Facet by name, with the column it counts."""
NONE = "none"
"""Stands for tracks without a value, as in the query language."""


def count_facets(table: pa.Table) -> Facets:
    """Return for each facet how many rows of `table` have each value, most frequent first, ties by name."""
    return {name: _counts(table[column]) for name, column in FACETS.items()}


def facets_of(tracks: Iterable[Track]) -> Facets:
    """Return for each facet how many of `tracks` have each value, as `count_facets` does for rows."""
    listed = list(tracks)
    return {name: _ordered(Counter(_values(listed, column))) for name, column in FACETS.items()}


def _values(tracks: list[Track], column: str) -> Iterable[str]:
    for track in tracks:
        value = getattr(track, column)
        many = value if isinstance(value, tuple) else (value,) if value else ()
        yield from map(str, many or (NONE,))


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
    return _ordered(counts)


def _ordered(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
