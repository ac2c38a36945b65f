"""Soundtracks that a service made: a folder each, in the cache of its home, and the recordings sent for them."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..disk.files import storing, write_file
from ..errors import InputError, NotFound

__all__ = ["SOURCE", "SUMMARY", "VOICE", "Soundtracks", "not_there", "unreadable"]


ID = re.compile(r"[0-9a-f]{16}")
MOST_STORIES = 20
MIX_S, VOICE_S = 3600.0, 24 * 3600.0
"""How long a mix that nobody fetched, and a recording for a story, are kept."""
SUMMARY, SOURCE, VOICE = "story.json", "story.jsonl", "voice"
"""What was made of a story, its parts as they were sent, and the recording of a mix."""


class Soundtracks:
    """Stories, of which the newest are kept, mixes and recordings, in folders of `cache/soundtracks/` of a home."""

    def __init__(self, home: Path) -> None:
        self._home = home / "cache" / "soundtracks"

    def begin(self, kind: str) -> tuple[str, Path]:
        """Make the folder of a new "story", "mix" or "voice"; return its id and its path. Raises StorageError.

        What is older than its kind is kept for goes first.
        """
        self._forget()
        name = secrets.token_hex(8)
        folder = self._home / kind / name
        with storing("what is sent cannot be kept"):
            folder.mkdir(parents=True, mode=0o700)
        return name, folder

    def share(self, kind: str, name: str) -> None:
        """Let every process of the home have what was sent for one, before its job is queued. Raises StorageError."""

    def folder(self, kind: str, name: str) -> Path:
        """Return the folder of that kind and id. Raises NotFound."""
        folder = self._home / kind / name
        if not ID.fullmatch(name) or not folder.is_dir():
            raise not_there(kind, name)
        return folder

    def file(self, kind: str, name: str, file: str) -> Path:
        """Return a file of one that is whole. Raises NotFound."""
        path = self.folder(kind, name) / file
        if not path.is_file():
            raise NotFound(f"the {kind} {name} has no {file}")
        return path

    def delete(self, kind: str, name: str) -> None:
        """Delete one. Raises NotFound."""
        shutil.rmtree(self.folder(kind, name), ignore_errors=True)

    def drop(self, kind: str, name: str) -> None:
        """Delete what there is of one that could not be made, as far as it can be deleted."""
        shutil.rmtree(self._home / kind / name, ignore_errors=True)

    def recording(self, name: str) -> Path:
        """Return the file of a recording that was sent for a story. Raises InputError where it is gone."""
        try:
            return self.file("voice", name, "recording")
        except NotFound:
            raise InputError(f"the recording {name!r} is not here; send it again") from None

    def write_story(self, name: str, facts: dict[str, Any]) -> None:
        """Keep what was made of a story; it counts as whole from then on. Raises StorageError."""
        with storing("the story cannot be kept"):
            write_file(self.folder("story", name) / SUMMARY, json.dumps(facts, ensure_ascii=False).encode())

    def write_mix(self, name: str, file: str) -> None:
        """Keep the mix that was written to `file` of its folder; the recording that it was made of goes."""
        del file
        (self.folder("mix", name) / VOICE).unlink()

    def story(self, name: str) -> dict[str, Any]:
        """Return what was made of a story. Raises NotFound."""
        try:
            facts: dict[str, Any] = json.loads(self.file("story", name, SUMMARY).read_bytes())
        except (OSError, ValueError):
            raise unreadable(name) from None
        return facts

    def stories(self) -> Iterator[dict[str, Any]]:
        """Yield what was made of each story that is whole, the newest first."""
        for folder in self._folders("story"):
            if (folder / SUMMARY).is_file():
                yield self.story(folder.name)

    def _folders(self, kind: str) -> list[Path]:
        found = [path for path in (self._home / kind).glob("*") if ID.fullmatch(path.name)]
        return sorted(found, key=_changed, reverse=True)

    def _forget(self) -> None:
        old = self._folders("story")[MOST_STORIES:]
        for kind, kept_s in (("mix", MIX_S), ("voice", VOICE_S)):
            old += [folder for folder in self._folders(kind) if time.time() - _changed(folder) > kept_s]
        for folder in old:
            shutil.rmtree(folder, ignore_errors=True)


def not_there(kind: str, name: str) -> NotFound:
    """Return the error for an id that nothing of its kind has."""
    return NotFound(f"there is no {kind} {name!r}; {MOST_STORIES} stories are kept, and a mix for an hour")


def unreadable(name: str) -> NotFound:
    """Return the error for a story whose summary cannot be read."""
    return NotFound(f"the story {name} cannot be read; have it made again")


def _changed(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0
