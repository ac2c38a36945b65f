"""The filter by which a facet is counted: without the choice that was made in that very facet."""

from __future__ import annotations

from ..models import Condition, FieldName, Filter, Span

__all__ = ["without_own_choice"]


CHOSEN_BY: dict[str, FieldName] = {
    "style": "style",
    "role": "role",
    "quality": "quality",
    "environment": "environment",
    "backend": "by",
    "rating": "rating",
}
"""Facets of which a track has one value, with the field that narrows to it. Values chosen in one of them are
alternatives, so that the counts of the others must stay in sight. A track must have every mood that is chosen."""


def without_own_choice(where: Filter) -> dict[str, Filter]:
    """Return the facets in which values were chosen, each with `where` without that choice."""
    return {
        facet: where.model_copy(update={"conditions": kept})
        for facet, name in CHOSEN_BY.items()
        if len(kept := tuple(one for one in where.conditions if not _chooses(one, name)))
        < len(where.conditions)
    }


def _chooses(condition: Condition, name: FieldName) -> bool:
    """Return whether a condition names values of a field; a range such as rating:4.. names none."""
    if condition.field != name or condition.negated:
        return False
    return all(not isinstance(one, Span) or one.low == one.high for one in condition.any_of)
