"""Vocabulary: styles, environments, roles, quality tiers and defaults, as YAML read into strict pydantic."""

from __future__ import annotations

from .errors import PresetError
from .library import Library, Resolved, load
from .schema import BackendSettings, Defaults, Model, PromptMetadata, Reader, Role, RoleDucking, Style, Tier
from .vocabulary import ENVIRONMENTS, MOODS, TIMES_OF_DAY, Environment, TimeOfDay

__all__ = [
    "ENVIRONMENTS",
    "MOODS",
    "TIMES_OF_DAY",
    "BackendSettings",
    "Defaults",
    "Environment",
    "Library",
    "Model",
    "PresetError",
    "PromptMetadata",
    "Reader",
    "Resolved",
    "Role",
    "RoleDucking",
    "Style",
    "Tier",
    "TimeOfDay",
    "load",
]
