"""Put a finished model folder in its place, so that at every moment a whole model can be found.

Linux and macOS let two folders trade names in one step. Where a file system cannot, an older folder is set aside under
a known name first, and `standing` looks there while the place is empty: for a moment, or until the next pull where a
crash came in between.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path

__all__ = ["place", "restore", "standing"]


def place(made: Path, target: Path) -> None:
    """Rename the folder `made`, on the same disk, to `target`; an older folder there is deleted afterwards.

    Where names can be traded the older one takes that of `made`, which its caller deletes.
    """
    # Content before names: after a power cut a name must not lead to a file that is not there.
    for path in (*made.iterdir(), made):
        _sync(path)
    restore(target)
    aside = _aside(target)
    if target.exists() and _traded(made, target):
        _sync(target.parent)
        return  # `made` is the older folder now, and goes with the one that it was made in
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


_CURRENT_FOLDER, _EXCHANGE, _SWAP = -100, 2, 2  # Linux's AT_FDCWD and RENAME_EXCHANGE, macOS's RENAME_SWAP


def _traded(one: Path, other: Path) -> bool:
    """Let two folders trade names, and tell whether the system and the file system could."""
    library, paths = ctypes.CDLL(None, use_errno=True), (os.fsencode(one), os.fsencode(other))
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        return bool(library.renamex_np(*paths, ctypes.c_uint(_SWAP)) == 0)
    if hasattr(library, "renameat2"):
        first, second = paths
        flags = ctypes.c_uint(_EXCHANGE)
        return bool(library.renameat2(_CURRENT_FOLDER, first, _CURRENT_FOLDER, second, flags) == 0)
    return False


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}.before")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
