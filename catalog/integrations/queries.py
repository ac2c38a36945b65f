"""The query of the catalog for a retriever's question and its filter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InputError
from ..models import Filter
from ..request.context import read_context
from ..search.query import Query, parse
from ..service.service import MusicService
from ..validation import validated

__all__ = ["Where", "filter_from", "query_from"]


Where = str | Mapping[str, Any] | Filter | None
"""Hard facts: in the query language ("mood:calm length:30..60"), or the fields of Filter."""


def query_from(text: str, where: Filter) -> Query:
    """Return the query for `text` as plain words; a user's question is not in the query language. Raises InputError."""
    return Query(text=read_context(text).text, where=where)


def filter_from(where: Where, service: MusicService) -> Filter:
    """Return the filter that `where` describes. Raises InputError."""
    if where is None:
        return Filter()
    if isinstance(where, Filter):
        return where
    if isinstance(where, Mapping):
        return validated(Filter, where)
    if not isinstance(where, str):
        raise InputError(f"the filter is a {type(where).__name__}; write mood:calm, or pass fields of Filter")
    query = parse(where, service.known_names())
    if query.text:
        raise InputError(
            f"the filter has words to search for ({query.text}); give facts alone, such as mood:calm"
        )
    return query.where
