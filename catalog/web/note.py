"""The note a running service leaves in its home, by which the command line finds it. Standard library only.

The note holds a secret and is readable by its owner alone: who can read it can read the catalog too.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..version import package_version

__all__ = ["leave", "read", "settings_of", "withdraw"]


NAME = "serve.json"
SETTINGS = ("CATALOG_ENCODER", "CATALOG_MODELS")
"""The variables that decide, beside the configuration, what a call gives."""


def settings_of(home: str | Path, config: str | None) -> dict[str, Any]:
    """Return what decides the answers of a catalog: a service is used only by callers with the same settings."""
    own = Path(home) / "catalog.yaml"
    path = Path(config) if config else own if own.is_file() else None
    stamp = None
    if path is not None:
        with suppress(OSError):
            stat = path.stat()
            stamp = [stat.st_mtime_ns, stat.st_size]
    return {
        "version": package_version(),
        "config": str(path.resolve()) if path else None,
        "config_stamp": stamp,
        "environment": {name: os.environ.get(name) for name in SETTINGS},
    }


def leave(home: str | Path, note: Mapping[str, Any]) -> None:
    """Write the note of this process into `home`; it appears whole, and only its owner can read it."""
    content = json.dumps({"pid": os.getpid(), **note})
    descriptor, name = tempfile.mkstemp(dir=home, prefix=f".{NAME}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        Path(name).replace(Path(home) / NAME)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read(home: str | Path) -> dict[str, Any] | None:
    """Return the note of the service that runs in `home`; None without one, or when its process is gone."""
    try:
        note = json.loads((Path(home) / NAME).read_text("utf-8"))
        os.kill(int(note["pid"]), 0)
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    return note if isinstance(note, dict) and isinstance(note.get("address"), str) else None


def withdraw(home: str | Path) -> None:
    """Remove the note of this process; that of another stays."""
    note = read(home)
    if note and note["pid"] == os.getpid():
        with suppress(OSError):
            (Path(home) / NAME).unlink()
