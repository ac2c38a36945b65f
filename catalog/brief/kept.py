"""Answers of a language model, kept as small files, and the time of its last failure."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..disk.files import write_file

__all__ = ["Kept", "Pause"]

MOST_KEPT = 10_000
"""Files in the folder; at more, the older half is deleted."""
PRUNED_EVERY = 64
"""One write in so many, at random, counts the files."""


class Kept:
    """JSON values by name, a file each. A damaged or lost file counts as none, and so does a disk that fails."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> dict[str, Any] | None:
        """Return what was kept under `name`, a hexadecimal text; None without any."""
        try:
            checksum, _, text = (self._folder / f"{name}.json").read_text("ascii").partition("\n")
            value = json.loads(text) if checksum == _sha256(text) else None
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def put(self, name: str, value: Mapping[str, Any]) -> None:
        """Keep `value` under `name`."""
        text = json.dumps(value, ensure_ascii=True, sort_keys=True)
        with suppress(OSError):
            # Not the folders above it: asking about a home that is not there yet does not make it.
            self._folder.mkdir(mode=0o700, exist_ok=True)
            # Not durable: the checksum shows a torn file, and the model can be asked again.
            data = f"{_sha256(text)}\n{text}".encode("ascii")
            write_file(self._folder / f"{name}.json", data, durable=False)
            if os.urandom(1)[0] % PRUNED_EVERY == 0:
                self._prune()

    def drop(self, name: str) -> None:
        """Forget what was kept under `name`."""
        with suppress(OSError):
            (self._folder / f"{name}.json").unlink(missing_ok=True)

    def _prune(self) -> None:
        with os.scandir(self._folder) as entries:
            files = sorted((entry.stat().st_mtime_ns, entry.path) for entry in entries)
        if len(files) > MOST_KEPT:
            for _, path in files[: len(files) // 2]:
                with suppress(OSError):
                    Path(path).unlink()


class Pause:
    """The time after a failure for which the endpoint is left alone, by every process of the home."""

    def __init__(self, kept: Kept, name: str, seconds: float) -> None:
        self._kept, self._name, self._seconds = kept, name, seconds
        # Beside the file, which a read-only home cannot have.
        self._own: dict[str, Any] | None = None

    def standing(self) -> tuple[float, str] | None:
        """Return the seconds that are left and why; None where the endpoint may be asked."""
        note = self._own or self._kept.get(self._name)
        if not note:
            return None
        try:
            left_s = float(note["until"]) - time.time()
            # A clock that was set back must not make it longer.
            return (left_s, str(note["why"])) if 0 < left_s <= self._seconds else None
        except (KeyError, TypeError, ValueError):
            return None

    def begin(self, why: str) -> None:
        """Leave the endpoint alone from now on."""
        self._own = {"until": time.time() + self._seconds, "why": why}
        self._kept.put(self._name, self._own)

    def end(self) -> None:
        """Let it be asked again."""
        if self._own or self._kept.get(self._name):
            self._own = None
            self._kept.drop(self._name)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()
