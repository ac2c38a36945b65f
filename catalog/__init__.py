"""Music that fits what a RAG application just said: reuse a close match, or make and insert a new track."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .errors import (
    Busy,
    CatalogError,
    ConfigError,
    Damage,
    EncoderMismatch,
    InputError,
    NotFound,
    StorageError,
    Unavailable,
)

if TYPE_CHECKING:
    from .models import (
        Choices,
        Context,
        Decision,
        Features,
        Filter,
        Hit,
        Hits,
        Match,
        Request,
        Result,
        ServedResult,
        Track,
    )
    from .service.service import MusicService

    __version__: str

__all__ = [
    "Busy",
    "CatalogError",
    "Choices",
    "ConfigError",
    "Context",
    "Damage",
    "Decision",
    "EncoderMismatch",
    "Features",
    "Filter",
    "Hit",
    "Hits",
    "InputError",
    "Match",
    "MusicService",
    "NotFound",
    "Request",
    "Result",
    "ServedResult",
    "StorageError",
    "Track",
    "Unavailable",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import the service and the values when they are first used, so that `catalog --help` stays instant."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "__version__":
        value = importlib.import_module(".version", __name__).package_version()
    else:
        module = ".service.service" if name == "MusicService" else ".models"
        value = getattr(importlib.import_module(module, __name__), name)
    globals()[name] = value
    return value
