"""Lines of the request log that wait in files, until a process that opens the table moves them into it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import Damage
from .checksummed import from_checked, to_checked
from .files import sync, write_file

__all__ = ["MOST_QUEUED", "delete", "enqueue", "line_in", "queued"]

MOST_QUEUED = 256
"""Lines that may wait; at more, the next call opens the table and moves them into it."""


def enqueue(home: Path, line: Mapping[str, Any]) -> None:
    """Keep a line of the log of requests, which has an `id`, in a file of its own; on the disk on return.

    Failpoints `queue.written`, `queue.synced`, `queue.renamed`. Raises OSError.
    """
    folder = home / "queue"
    if not folder.is_dir():
        folder.mkdir(mode=0o700, exist_ok=True)
        sync([], [home])
    write_file(folder / f"{line['id']}.json", to_checked(line), point="queue")


def line_in(data: bytes) -> dict[str, Any]:
    """Return the line in the bytes of a file. Raises Damage where they are not as they were written."""
    if not data.startswith(b"{"):
        return from_checked(data)
    # Earlier versions wrote the line alone.
    try:
        line: dict[str, Any] = json.loads(data)
        return line
    except (ValueError, RecursionError):
        raise Damage("the line is no JSON") from None


def queued(home: Path) -> list[Path]:
    """Return the files of the lines that wait."""
    try:
        with os.scandir(home / "queue") as entries:
            return sorted(Path(entry.path) for entry in entries if entry.name.endswith(".json"))
    except OSError:
        return []


def delete(paths: Sequence[Path]) -> None:
    """Delete the files of lines that are in the table; one that another process deleted is fine."""
    for path in paths:
        with suppress(OSError):
            path.unlink()
