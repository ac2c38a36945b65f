"""Checkpoints: where they are on this machine, how they are fetched and converted, what they hold."""

from __future__ import annotations

from .conversion import convert
from .files import MANIFEST
from .models import ModelInfo, available, find, license_of, models_home, pull, resolve, traces, verify
from .sizes import MODELS

__all__ = [
    "MANIFEST",
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
    "verify",
]
