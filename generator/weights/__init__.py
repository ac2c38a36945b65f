"""Checkpoints: where they are on this machine, how they are fetched and converted, what they hold."""

from __future__ import annotations

from .conversion import convert
from .ears import EARS, available_ears, find_ear, is_ear, pull_ear
from .files import MANIFEST
from .models import (
    ModelInfo,
    available,
    find,
    license_of,
    models_home,
    present,
    pull,
    resolve,
    traces,
    verify,
)
from .sizes import MODELS

__all__ = [
    "EARS",
    "MANIFEST",
    "MODELS",
    "ModelInfo",
    "available",
    "available_ears",
    "convert",
    "find",
    "find_ear",
    "is_ear",
    "license_of",
    "models_home",
    "present",
    "pull",
    "pull_ear",
    "resolve",
    "traces",
    "verify",
]
