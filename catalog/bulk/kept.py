"""Tracks that workers made and that no row names yet: one file each in the cache, so that no death costs one."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from pydantic import ValidationError

from ..disk.checksummed import from_checked, to_checked
from ..disk.files import storing, write_file
from ..errors import Damage
from ..models import RequestRecord, Track
from ..store.rows import BriefVector, EarVector, NewTrack

__all__ = ["KeptTracks", "MadeTrack"]

_KEY = re.compile(r"[0-9a-f]{8,64}")
"""What the name of a file is made of: the key of a request."""


class MadeTrack(NamedTuple):
    """A track whose audio is stored, with the line of the log that tells of its making."""

    new: NewTrack
    line: RequestRecord

    @property
    def key(self) -> str:
        """The key of the request that it was made for."""
        return self.new.track.key


class KeptTracks:
    """The tracks of one home that were made and wait for their rows."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "cache" / "bulk"

    def put(self, made: Iterable[MadeTrack]) -> None:
        """Keep tracks; they are on the disk on return. Raises StorageError."""
        with storing("what was made cannot be kept"):
            self._folder.mkdir(parents=True, exist_ok=True)
            for one in made:
                write_file(self._path(one.key), to_checked(_content(one)))

    def keys(self) -> set[str]:
        """Return the keys of the tracks that are kept."""
        return {path.stem for path in self._folder.glob("*.json") if _KEY.fullmatch(path.stem)}

    def get(self, key: str) -> MadeTrack | None:
        """Return the track kept for a request, None where there is none or its file was altered."""
        try:
            return _made(from_checked(self._path(key).read_bytes()))
        except (OSError, Damage, ValidationError, KeyError, TypeError):
            return None

    def drop(self, keys: Iterable[str]) -> None:
        """Delete what is kept for these requests."""
        for key in keys:
            with contextlib.suppress(FileNotFoundError):
                self._path(key).unlink()

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise Damage(f"{key!r} is no key of a request")
        return self._folder / f"{key}.json"


def _content(made: MadeTrack) -> dict[str, Any]:
    new = made.new
    return {
        "track": new.track.model_dump(mode="json"),
        "line": made.line.model_dump(mode="json"),
        "vector": _numbers(new.vector),
        "sound": None if new.sound is None else _numbers(new.sound),
        "brief": None if new.brief is None else [new.brief.kind, _numbers(new.brief.vector)],
        "ear": None if new.ear is None else [new.ear.kind, _numbers(new.ear.vector)],
    }


def _made(content: dict[str, Any]) -> MadeTrack:
    brief, ear = content["brief"], content["ear"]
    new = NewTrack(
        Track.model_validate(content["track"]),
        _vector(content["vector"]),
        None if content["sound"] is None else _vector(content["sound"]),
        None if brief is None else BriefVector(brief[0], _vector(brief[1])),
        None if ear is None else EarVector(ear[0], _vector(ear[1])),
    )
    return MadeTrack(new, RequestRecord.model_validate(content["line"]))


def _numbers(vector: ArrayLike) -> list[float]:
    numbers: list[float] = np.asarray(vector, np.float32).tolist()
    return numbers


def _vector(numbers: list[float]) -> ArrayLike:
    return np.asarray(numbers, np.float32)
