"""The filter of a search, however a framework's user writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.context import validated
from catalog.errors import InputError
from catalog.models import Filter

__all__ = ["fields"]


def fields(where: Mapping[str, Any] | Filter | None) -> dict[str, Any]:
    """Return the fields of Filter that `where` sets. Raises InputError."""
    if where is None:
        return {}
    if isinstance(where, Mapping):
        where = validated(Filter, where)
    if not isinstance(where, Filter):
        raise InputError(f"the filter is a {type(where).__name__}; pass the fields of Filter as a mapping")
    return where.model_dump(exclude_unset=True)
