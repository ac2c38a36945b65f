"""Checkpoints: where they are on this machine, how they are fetched and converted, what they hold."""

from __future__ import annotations

from .conversion import convert
from .models import ModelInfo, available, find, license_of, models_home, pull, resolve, traces
from .sizes import MODELS

__all__ = [
    "MODELS",
    "ModelInfo",
    "available",
    "convert",
    "find",
    "license_of",
    "models_home",
    "pull",
    "resolve",
    "traces",
]
