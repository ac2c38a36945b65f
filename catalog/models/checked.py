"""What the check after making found in a track."""

from __future__ import annotations

from pydantic import Field

from .base import Value

__all__ = ["Checked", "FoundFault"]


class FoundFault(Value):
    """Something that is wrong with the samples of a track."""

    kind: str = Field(min_length=1, max_length=40)
    """silence, clipping, drop-outs, stuck, tempo, or the name of a further check."""
    words: str = Field(max_length=500)
    """What is wrong, and where."""


class Checked(Value):
    """What the check after making found, and how many takes were made until this one was kept."""

    faults: tuple[FoundFault, ...] = ()
    """What is wrong with this track; it was kept all the same, since no other take was better."""
    takes: int = Field(default=1, ge=1)
    """How many takes were made, this one among them; the others were dropped."""
    failed: int = Field(default=0, ge=0)
    """How many of these takes had faults."""
    why: str = Field(default="", max_length=1000)
    """Why this take was kept; "" where it was the only one."""
