"""What the ear hears in a track: tags with their shares, and the mood."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat

from .base import Label, Unit, Value

__all__ = ["TAG_KINDS", "Heard", "HeardTag", "TagKind"]

TagKind = Literal["style", "mood", "instrument", "place"]
TAG_KINDS: tuple[TagKind, ...] = ("style", "mood", "instrument", "place")


class HeardTag(Value):
    """One thing that is heard in a track."""

    kind: TagKind
    name: Label
    """A style of the presets, or a mood, an instrument or a place of `presets.vocabulary`."""
    share: Annotated[FiniteFloat, Field(ge=0.0, le=1.0)]
    """What of all names of its kind falls to it; the shares of a kind sum to 1, those that are not kept included."""


class Heard(Value):
    """What the ear hears in a track, by zero-shot comparison with texts; see `music_catalog.ear.tags`."""

    ear: Label
    """The identity of the ear: its weights and the texts that it compared with."""
    tags: Annotated[tuple[HeardTag, ...], Field(max_length=64)] = ()
    """By kind, the greatest share first."""
    valence: Unit
    """How pleasant it sounds: the mean of all moods, weighed by their shares."""
    energy: Unit
    """How active it sounds, likewise."""

    def of(self, kind: TagKind) -> dict[str, float]:
        """Return the shares of the tags of a kind by name, the greatest first."""
        return {tag.name: tag.share for tag in self.tags if tag.kind == kind}

    def __str__(self) -> str:
        """Return one line: the tags of each kind with their shares, and the mood."""
        kinds = (
            f"{kind} " + ", ".join(f"{name} {share:.2f}" for name, share in self.of(kind).items())
            for kind in TAG_KINDS
            if self.of(kind)
        )
        return "; ".join((*kinds, f"valence {self.valence:.2f}, energy {self.energy:.2f}"))
