"""Put a finished model folder in its place, so that at every moment a whole model can be found.

Two folders cannot trade names in one step. An older folder is set aside under a known name first, and `standing`
looks there while the place is empty: for a moment, or until the next pull where a crash came in between.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

__all__ = ["place", "restore", "standing"]


def place(made: Path, target: Path) -> None:
    """Rename the folder `made`, on the same disk, to `target`; an older folder there is deleted afterwards."""
    # Content before names: after a power cut a name must not lead to a file that is not there.
    for path in (*made.iterdir(), made):
        _sync(path)
    restore(target)
    aside = _aside(target)
    if target.exists():
        shutil.rmtree(aside, ignore_errors=True)
        target.rename(aside)
    try:
        made.rename(target)
    except OSError:
        restore(target)
        raise
    _sync(target.parent)
    shutil.rmtree(aside, ignore_errors=True)


def standing(target: Path) -> Path:
    """Return the folder to read: `target`, or the one set aside while there is no `target`."""
    aside = _aside(target)
    return aside if aside.exists() and not target.exists() else target


def restore(target: Path) -> None:
    """Put a folder that was set aside back, if there is no `target`; callers hold the lock of the target."""
    if standing(target) != target:
        standing(target).rename(target)


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}.before")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
