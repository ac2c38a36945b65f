"""What a call returns: the decision with its candidates, and the result."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from .base import Value
from .display import one_line
from .filter import Filter
from .request import Request
from .track import Track

__all__ = ["Action", "Candidate", "Decision", "Match", "Result", "ServedResult"]

Action = Literal["reused", "generated", "none"]


class Candidate(Value):
    """A track that meets the hard facts, and how well it fits."""

    track_id: str
    style: str
    summary: str
    similarity: float
    """Cosine of the two context vectors."""
    mood_distance: float
    """0 for the same mood, 1 for the opposite one."""
    score: float
    """Similarity less a penalty for differences in mood, place and time; compared with the threshold."""
    against: tuple[str, ...] = ()
    """Reasons against it, in words."""
    refused: bool = False
    """The mood differs too much, whatever the score."""
    probability: float | None = None
    """Probability that the music fits, from `evidence`; None without weights for the encoder in use."""
    evidence: dict[str, float] = Field(default_factory=dict)
    """The inputs of the probability."""
    passes: float | None = None
    """Chance that nobody would object to its music under the text, from `music`; None without a brief of the text."""
    fits: float | None = None
    """Chance that a music supervisor would play it without a second thought."""
    music: dict[str, float] = Field(default_factory=dict)
    """The inputs of the two chances."""
    sounds: str = ""
    """How its music stands to what the text wants, in a listener's words."""
    heard: str = ""
    """What is heard of it and how sure that is, in words; "" where it is taken for what was asked of it."""
    worth: float | None = None
    """The number by which it is compared with others that may be served; None where it is the score."""
    needed: float | None = None
    """What that number must reach; None where nothing is reused but repeats."""
    admissible: bool = False
    """It passes a rule that may decide, so it may be served. Only such candidates are chosen from."""
    same_scene: bool = False
    """It may be served as a track of the same scene and mood."""


class Decision(Value):
    """Whether to reuse, and why."""

    action: Literal["reuse", "make"]
    rule: Literal[
        "exact",
        "similar",
        "music",
        "growth",
        "below_threshold",
        "uncertified",
        "no_candidate",
        "always",
        "never",
        "theme",
        "varied",
        "least_recent",
        "variant",
        "stock",
        "chosen",
        "chosen_music",
    ]
    """`similar` reuses a track of the same scene, `music` one of another scene whose music serves the text; `growth`
    makes one, since too few serve it yet. `theme` to `variant` choose for a listener among the candidates that may be
    served: see catalog/reuse/variety.py. `stock` makes ahead of requests. `chosen` and `chosen_music` are a person's
    choice, whatever the other rules say."""
    reason: str
    threshold: float
    track_id: str | None = None
    variant_of: str | None = None
    """The track of which a variant is to be made."""
    similarity: float | None = None
    """Similarity of the best candidate, reused or not."""
    score: float | None = None
    """Score of the best candidate, reused or not."""
    probability: float | None = None
    """What was compared with the threshold: by the rule "music" the chance to pass, else that the scene is the same."""
    certificate: str = ""
    """Id of the certificate whose threshold decided; "" when none did."""
    candidates: tuple[Candidate, ...] = ()
    filter: Filter | None = None
    considered: int = 0
    """How many ready tracks the table has, before the hard facts."""
    rejected_by: dict[str, int] = Field(default_factory=dict)
    """How many ready tracks each hard fact alone rejects; under "feedback" how many near tracks were left out because
    somebody rejected them for this request or one near it. Filled only for an explanation."""

    def __repr__(self) -> str:
        """Return one line: what was decided, by which rule, and why."""
        return f"<Decision {self.action} by {self.rule}: {one_line(self.reason, 120)}>"

    __str__ = __repr__


class Match(Value):
    """A track that serves a request."""

    track: Track
    path: Path
    similarity: float | None
    decision: Decision
    request: Request

    @property
    def reason(self) -> str:
        """Return why this track was chosen."""
        return self.decision.reason

    def __repr__(self) -> str:
        """Return one line: the track, and why it was chosen."""
        return f"<Match {self.track!r}: {one_line(self.reason, 120)}>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return self.track.as_html(self.path, (self.reason,))


class Result(Value):
    """What a call returns: the track, the path of its file, and how it came about."""

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

    def __repr__(self) -> str:
        """Return one line: what was done, the track, and why."""
        track = f" {self.track!r}" if self.track else ""
        return f"<Result {self.action}{track}: {one_line(self.reason, 120)}>"

    __str__ = __repr__

    def _repr_html_(self) -> str | None:
        if self.track is None or self.path is None:
            return None
        return self.track.as_html(self.path, (f"{self.action}: {self.reason}", *self.warnings))


class ServedResult(Result):
    """A result with a track, as every call returns that reuses one or makes one."""

    track: Track
    path: Path
