"""The audio files below the paths that somebody names."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError, NotFound

__all__ = ["BY_FFMPEG", "ENDINGS", "Found", "find", "no_file", "told"]


BY_SOUNDFILE = frozenset(
    (
        ".wav",
        ".wave",
        ".flac",
        ".mp3",
        ".ogg",
        ".oga",
        ".opus",
        ".aif",
        ".aiff",
        ".aifc",
        ".au",
        ".caf",
        ".w64",
    )
)
BY_FFMPEG = frozenset(
    (".m4a", ".m4b", ".mp4", ".aac", ".wma", ".alac", ".ape", ".wv", ".mka", ".webm", ".ac3", ".mp2", ".tta")
)
ENDINGS = BY_SOUNDFILE | BY_FFMPEG
"""Endings of audio files; those of the second kind need ffmpeg."""
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+\S")
"""An address; a path made of one has a slash less."""
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


_WEB = ("http", "https", "ftp")


class Found(NamedTuple):
    """An audio file that was found, or the object of one that a list names."""

    path: Path
    """Of an object, the last part of its address."""
    folder: str = ""
    """The folders between the one that was named and the file, with slashes."""
    name: str = ""
    """What it is called, where that is not its path."""
    address: str = ""
    """That of an object, which is fetched when its turn comes."""

    @property
    def said(self) -> str:
        """Its name, its address or its path as text."""
        return self.name or self.address or told(self.path)


def find(paths: Iterable[str | Path]) -> Iterator[Found]:
    """Yield the audio files below `paths`, each once, in the order of their names.

    A file that is named is taken whatever its name is. In folders, hidden files and folders and what is no audio file
    by its ending are passed over; links are followed, each folder is gone through once. Raises NotFound for a path
    that does not exist, InputError for an address, a pipe or a device.
    """
    seen: set[tuple[int, int]] = set()
    for given in paths:
        path = Path(given)
        if path.is_dir():
            yield from _below(path, path.resolve().name, seen)
        elif path.exists():
            if kind := no_file(path.stat().st_mode):
                raise InputError(f"{told(path)} is {kind}; name a file or a folder")
            if _is_new(path, seen):
                yield Found(path)
        elif address := _ADDRESS.match(os.fsdecode(given)):
            if address[1].lower() in _WEB:
                raise InputError(
                    f"{told(given)} is an address on the web; download it first, and add the file"
                )
            raise InputError(
                f"{told(given)} is an address, and audio of another catalog is added by a list of it: "
                "`catalog export --format jsonl --to list.jsonl` there, then `catalog add --manifest list.jsonl`"
            )
        else:
            raise NotFound(f"there is no file or folder {told(path)}; check its name")


def no_file(mode: int) -> str:
    """Return what a path is by the `st_mode` of its status, such as "a pipe"; "" for a file with bytes in it."""
    return "" if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "no file")


def told(path: str | Path) -> str:
    """Return a path as text that is valid Unicode: a name that is no UTF-8 is read as Latin-1."""
    data = os.fsencode(path)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _below(folder: Path, said: str, seen: set[tuple[int, int]]) -> Iterator[Found]:
    if not _is_new(folder, seen):
        return
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: (entry.is_dir(), entry.name))
    except OSError:
        entries = []  # a folder that may not be read
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _below(entry, f"{said}/{told(entry.name)}" if said else told(entry.name), seen)
        elif entry.suffix.lower() in ENDINGS and _is_wanted(entry, seen):
            yield Found(entry, said)


def _is_wanted(entry: Path, seen: set[tuple[int, int]]) -> bool:
    # A link that leads nowhere is wanted, so that it is named among what cannot be read.
    return not entry.exists() or (entry.is_file() and _is_new(entry, seen))


def _is_new(path: Path, seen: set[tuple[int, int]]) -> bool:
    """Tell whether a file or folder was not come by yet, under any name."""
    stat = path.stat()
    identity = stat.st_dev, stat.st_ino
    return identity not in seen and not seen.add(identity)  # type: ignore[func-returns-value]
