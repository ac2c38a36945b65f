"""Errors of the generator room; the catalog turns them into its own tree at the border."""

from __future__ import annotations

import traceback

__all__ = ["AudioError", "Cancelled", "GeneratorError", "WeightsError", "drop_locals"]


class GeneratorError(Exception):
    """Base: a generator could not make what was requested."""


class WeightsError(GeneratorError):
    """Weights are missing, damaged or of another architecture."""


class AudioError(GeneratorError, ValueError):
    """Audio that cannot be read, written or shaped as requested."""


class Cancelled(GeneratorError):
    """The caller's progress callback asked to stop."""


def drop_locals(error: BaseException) -> None:
    """Let go of what the frames of an error, and of those behind it, hold in their variables.

    A frame in the middle of a generation holds all keys and values, as long as somebody keeps the error. Where it was
    raised can still be told.
    """
    seen: set[int] = set()
    behind: list[BaseException | None] = [error]
    while behind:
        one = behind.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            traceback.clear_frames(one.__traceback__)
            behind += [one.__cause__, one.__context__]
