"""What the ear hears in a track: tags with their shares, and the mood; and what is measured in its samples."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat

from .base import Label, Unit, Value

__all__ = ["TAG_KINDS", "Heard", "HeardTag", "Measured", "Suggested", "TagKind"]

Chance = Annotated[FiniteFloat, Field(ge=0.0, le=1.0)]
Least0 = Annotated[FiniteFloat, Field(ge=0.0)]
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


class Suggested(Value):
    """The brief that measured facts suggest; see `music_catalog.hearing.model`."""

    by: Label
    """The identity of the fitted model."""
    valence: Unit
    """How pleasant it sounds."""
    energy: Unit
    """How active it sounds."""
    styles: Annotated[dict[str, Chance], Field(max_length=64)] = Field(default_factory=dict)
    """The likeliest styles with their chances; the rest falls to the others."""

    @property
    def style(self) -> str:
        """The likeliest style; "" where there is none."""
        return max(self.styles, key=lambda name: (self.styles[name], name), default="")

    @property
    def sure(self) -> float:
        """The chance that the likeliest style is right, for sound like that which the model was fitted to."""
        return max(self.styles.values(), default=0.0)


class Measured(Value):
    """What is measured in samples: all but the loudness range on 45 s from the middle."""

    loudness_range_lu: Least0 | None = None
    """How far soft and loud parts lie apart (EBU Tech 3342); None under 3 s."""
    brightness_hz: Least0
    """The centre of gravity of the spectrum."""
    density_per_s: Least0
    """How many sounds begin in a second."""
    percussiveness: Chance
    """The share of what sounds that strikes and does not last."""
    suggests: Suggested | None = None
    """The music that the facts suggest; None for under 4 s."""
