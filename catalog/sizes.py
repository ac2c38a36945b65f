"""MusicGen's checkpoints among one another: which stands in for which, and which follow a melody."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.match import MODEL_RANKS

__all__ = ["choices_for", "melody_size"]

SIZES = tuple(name for name in MODEL_RANKS if name != "procedural")


def choices_for(size: str, *, melody: bool = False) -> Iterator[str]:
    """Yield `size`, then what can stand in for it: nothing larger, the nearest rank and kind first.

    With `melody` only checkpoints that follow one are yielded.
    """
    yield size
    others = [
        one
        for one in SIZES
        if one != size and MODEL_RANKS[one] <= MODEL_RANKS[size] and ("melody" in one or not melody)
    ]
    yield from sorted(others, key=lambda one: (-MODEL_RANKS[one], _unlike(one, size)))


def melody_size(size: str) -> str:
    """Return the checkpoint nearest to `size` that follows a melody; there is none as small as `small`."""
    if "melody" in size:
        return size
    stereo = "stereo-" if size.startswith("stereo-") else ""
    return f"{stereo}melody-large" if size.endswith("large") else f"{stereo}melody"


def _unlike(one: str, other: str) -> int:
    """Return in how much two differ, what they follow before how many channels they have."""
    melody = ("melody" in one) != ("melody" in other)
    return 2 * melody + (one.startswith("stereo-") != other.startswith("stereo-"))
