"""What comes back: the decision with its candidates, and the result."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from .base import Value
from .filter import Filter
from .request import Request
from .track import Track

__all__ = ["Action", "Candidate", "Decision", "Match", "Result"]

Action = Literal["reused", "generated", "none"]


class Candidate(Value):
    """A track that met the hard facts, with how well it fits."""

    track_id: str
    style: str
    summary: str
    similarity: float
    """Cosine of the two context vectors."""
    mood_distance: float
    """0 for the same mood, 1 for the opposite one."""
    score: float
    """Similarity less what the differences in mood, place and time cost; comparable to the threshold."""
    against: tuple[str, ...] = ()
    """What speaks against it, in words."""
    refused: bool = False
    """The mood differs too much; no score makes up for that."""
    probability: float | None = None
    """That the music fits, from `evidence`; None where no weights are known for the encoder in use."""
    evidence: dict[str, float] = Field(default_factory=dict)
    """What the probability is worked out from."""
    admissible: bool = False
    """It may be served: it passes the rule that decided. Any choice among candidates stays inside these."""


class Decision(Value):
    """Whether to reuse, and why."""

    action: Literal["reuse", "make"]
    rule: Literal[
        "exact",
        "similar",
        "below_threshold",
        "uncertified",
        "no_candidate",
        "always",
        "never",
        "theme",
        "varied",
        "least_recent",
        "variant",
    ]
    """The last four are a choice for a listener among what may be served: see catalog/reuse/variety.py."""
    reason: str
    threshold: float
    track_id: str | None = None
    variant_of: str | None = None
    """The track beside which a variant is to be made."""
    similarity: float | None = None
    """Of the best candidate, reused or not; so is the score."""
    score: float | None = None
    probability: float | None = None
    certificate: str = ""
    """Id of the certificate whose threshold decided; "" when none did."""
    candidates: tuple[Candidate, ...] = ()
    filter: Filter | None = None
    considered: int = 0
    """Ready tracks in the table before the hard facts were applied."""
    rejected_by: dict[str, int] = Field(default_factory=dict)
    """How many ready tracks each hard fact alone rejects, and "feedback" how many near ones were left out, as somebody
    rejected them for this request or one near it; empty unless it was asked for."""


class Match(Value):
    """A track found for a request."""

    track: Track
    path: Path
    similarity: float | None
    decision: Decision
    request: Request

    @property
    def reason(self) -> str:
        """Say why this track was chosen."""
        return self.decision.reason


class Result(Value):
    """What a call gives back: the track, where its file is, and how it came about."""

    action: Action
    track: Track | None
    path: Path | None
    similarity: float | None
    """Cosine of the two contexts where a track is reused; None for a new one."""
    reason: str
    decision: Decision
    request: Request
    request_id: str
    warnings: tuple[str, ...] = ()
    timings_s: dict[str, float] = Field(default_factory=dict)
