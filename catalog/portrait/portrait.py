"""All that is shown of a track beside its fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..generator.protocol import Audio
from ..models import Track
from .spectrum import spectrum_lines
from .structure import Keep, structure_json
from .words import in_words

__all__ = ["Portrait", "portrait"]


@dataclass(frozen=True)
class Portrait:
    """Beats and sections, words for what was measured, and the spectrum in letters."""

    numbers: dict[str, Any] = field(default_factory=dict)
    """`beats` and `sections`; see `structure_json`."""
    words: dict[str, str] = field(default_factory=dict)
    picture: tuple[str, ...] = ()


def portrait(track: Track, samples: Callable[[], Audio], keep: Keep, width: int) -> Portrait:
    """Return the portrait of a track, with a picture of `width` letters, none where that is 0.

    Raises what `samples` and `keep` raise.
    """
    numbers = structure_json(track, samples, keep)
    picture = spectrum_lines(samples(), width) if width else []
    return Portrait(numbers, in_words(track, numbers), tuple(picture))
