"""What a search for a request found."""

from __future__ import annotations

from dataclasses import dataclass

from ...models import Filter, Track

__all__ = ["Search"]


@dataclass(frozen=True)
class Search:
    """The nearest tracks for a request."""

    facts: Filter
    """The hard facts that every hit meets."""
    hits: list[tuple[Track, float]]
    """Tracks with the cosine of the contexts, without those that people rejected."""
    rejected: int
    """How many near tracks were left out because people rejected them."""
    considered: int
    """Ready tracks in the store before the hard facts were applied."""
