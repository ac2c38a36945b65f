"""A stock of tracks that are made ahead for a corpus: the plan, and what came of it."""

from __future__ import annotations

from .base import Value
from .request import Choices, Context, QualityName
from .track import Track

__all__ = ["PlannedTrack", "Stock", "StockPlan"]


class PlannedTrack(Value):
    """One track of a plan: a style, and the text of the corpus that it would be made for."""

    key: str
    """The key of the request that makes it."""
    context: Context
    choices: Choices
    place: str
    """Where the text stands in the corpus: a line, a file or a row."""
    summary: str
    """What the text is about."""
    style: str
    role: str
    quality: QualityName
    backend: str
    duration_s: float
    newly_covered: int
    """How many of the texts that were read it serves and nothing before it does."""
    fit_gained: float = 0.0
    """By how much it raises the chances that the music fits the texts over those of the tracks before it, summed over
    the texts; the chance of a text that nothing before it serves counts from 0."""
    covered: int
    """How many are served once it is made."""
    share: float
    """`covered` over the texts that were read."""
    cost_s: float
    """How long making it takes; 0 for one that is there."""
    track_id: str | None = None
    """The track, where an earlier run made it."""


class StockPlan(Value):
    """The tracks that cover most of a corpus, the most useful first."""

    texts: int
    """How many texts the corpus has."""
    read: int
    """How many of them were read."""
    covered_before: int
    """How many of those the catalog serves already, the tracks of this plan aside."""
    tracks: tuple[PlannedTrack, ...]
    cost_s: float
    """How long making what is missing takes, in seconds."""
    cost_basis: tuple[str, ...] = ()
    """What the cost follows from, in words."""
    note: str = ""
    """Why there are fewer tracks than were asked for; "" where there are not."""
    languages: str = ""
    """Which texts get no track, or are served by one of their own alone, because of their language; "" where none."""

    @property
    def covered_already(self) -> int:
        """How many the catalog serves already, tracks of this plan included that are there."""
        return self.covered_before + sum(one.newly_covered for one in self.tracks if one.track_id)

    @property
    def share(self) -> float:
        """The share of the read texts that are served once all is made."""
        covered = self.tracks[-1].covered if self.tracks else self.covered_before
        return covered / self.read

    @property
    def missing(self) -> tuple[PlannedTrack, ...]:
        """The tracks that are not there yet."""
        return tuple(one for one in self.tracks if one.track_id is None)


class Stock(Value):
    """What came of a plan."""

    plan: StockPlan
    tracks: tuple[Track, ...] = ()
    """The tracks made, in the order of the plan; none for a dry run."""
