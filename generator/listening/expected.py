"""What was asked of a piece of music, as far as it decides whether something heard in it is a fault."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Expected", "Fault"]


@dataclass(frozen=True)
class Fault:
    """Something that is wrong with samples."""

    kind: str
    """silence, clipping, drop-outs, stuck, tempo, or the name of a further check."""
    words: str
    """What is wrong and where, without a full stop."""
    severity: float
    """How much of the music it spoils, 0 to 1, to compare takes."""


@dataclass(frozen=True)
class Expected:
    """What was asked for; the defaults blame as much as can be blamed."""

    fade_in_s: float = 0.0
    fade_out_s: float = 0.0
    one_shot: bool = False
    """A sting or an effect, which may ring out and end in silence."""
    may_repeat: bool = False
    """It is to loop, or to repeat itself much, so that repetition is no fault."""
    may_crackle: bool = False
    """It has the sounds of a fire, of rain or of an old record, whose crackle cannot be told from clicks."""
    tempo_bpm: float | None = None
    """Beats per minute that were asked for; None where none were, or where no beat is asked for."""
