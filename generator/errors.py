"""Errors of the generator room; the catalog turns them into its own tree at the border."""

from __future__ import annotations

__all__ = ["AudioError", "Cancelled", "GeneratorError", "WeightsError"]


class GeneratorError(Exception):
    """Base: a generator could not make what was requested."""


class WeightsError(GeneratorError):
    """Weights are missing, damaged or of another architecture."""


class AudioError(GeneratorError, ValueError):
    """Audio that cannot be read, written or shaped as requested."""


class Cancelled(GeneratorError):
    """The caller's progress callback asked to stop."""
