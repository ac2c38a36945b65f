"""A collection: tracks that a person put together by hand, or a search that is kept under a name."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from typing_extensions import Self

from .base import Value, clean_line

__all__ = ["MOST_TRACKS", "Collection"]

MOST_TRACKS = 10_000
"""Tracks that a playlist may hold."""


class Collection(Value):
    """A playlist, which has `track_ids` in their order, or a saved search, which has a `query` and is always fresh."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9]{12}$")]
    name: Annotated[str, AfterValidator(clean_line), Field(min_length=1, max_length=80)]
    created_at: datetime
    changed_at: datetime
    track_ids: Annotated[tuple[str, ...], Field(max_length=MOST_TRACKS)] | None = None
    query: Annotated[str, Field(max_length=2_000)] | None = None
    by: Literal["meaning", "words", "both", "sound"] = "both"
    """How the words of the query are searched for."""
    sort: Annotated[str, Field(max_length=40)] = "-created_at"
    """The order of a query without words."""
    deleted_at: datetime | None = None
    """When it was deleted; it can be restored for a week."""

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if not self.name:
            raise ValueError("a collection needs a name")
        if (self.track_ids is None) == (self.query is None):
            raise ValueError("a collection has either tracks or a query")
        return self
