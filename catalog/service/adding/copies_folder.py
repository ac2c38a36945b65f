"""The folder of a home for files that are being added and are not in the catalog yet."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from ...disk.files import TEMPORARY

__all__ = ["copies_folder"]


ABANDONED_S = 86_400.0
"""The age from which a temporary file is of a process that died."""


@contextlib.contextmanager
def copies_folder(home: Path) -> Iterator[Path]:
    """Yield a folder of the home for copies that are not in the catalog yet; what dead processes left there goes."""
    folder = home / "cache" / "adding"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    latest = time.time() - ABANDONED_S
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            if path.stat().st_mtime <= latest or not _lives(path.name):
                path.unlink()
    yield folder


def _lives(name: str) -> bool:
    """Tell whether the process that a temporary file is named after lives."""
    number = name.removeprefix(TEMPORARY).partition("-")[0]
    if not number.isdecimal():
        return True
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
