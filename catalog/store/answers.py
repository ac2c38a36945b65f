"""What served a request before, kept so that a repeat needs neither Lance nor the encoder; and its line for the log.

Answers are files below `cache/`: one by request key with its track, one by the call as it was typed with all that is
printed. Each states the stamps of the tables it was read from, which change with every commit that may change a row
(`TableFiles.stamp`), and is believed only while they stand, nothing is being committed, and the audio file has its
size. So a lost or damaged file costs time, never a wrong answer. The line of the log waits in `queue/`, one synced file
each, until a process that opens the table takes it over. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..disk.files import inside, write_file
from ..disk.versions import TableFiles
from ..errors import CatalogError

__all__ = ["recall", "remember", "stamp_of", "traces_hold", "traces_of"]


STAMPED = ("tracks", "judgements")
"""Tables that decide whether a track may be served again."""
MOST_KEPT = 10_000
_CHECKED_EVERY = 64

Content = dict[str, Any]


def stamp_of(home: Path) -> list[int] | None:
    """Return the stamps of the tables; None while one has an unfinished commit. Read it before what it vouches for."""
    stamps = [TableFiles(home, name).stamp for name in STAMPED]
    known = [stamp for stamp in stamps if stamp is not None]
    return known if len(known) == len(stamps) else None


def remember(
    home: Path, kind: str, name: str, stamp: Sequence[int] | None, content: Mapping[str, Any]
) -> None:
    """Keep `content` under `name`, which is hexadecimal; without a stamp, or where it cannot be written, nothing."""
    if stamp is None:
        return
    text = json.dumps({"stamp": list(stamp), "content": dict(content)}, ensure_ascii=True, sort_keys=True)
    path = _path(home, kind, name)
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Not durable: the checksum shows a torn file, and a lost one is made again.
        write_file(path, f"{_sha256(text)}\n{text}".encode("ascii"), durable=False)
        if os.urandom(1)[0] % _CHECKED_EVERY == 0:
            _prune(path.parent)


def recall(home: Path, kind: str, name: str) -> Content | None:
    """Return what was kept under `name`, None when there is nothing, or nothing that still holds.

    The content names its audio file as `audio_path` and `audio_bytes`.
    """
    try:
        checksum, _, text = _path(home, kind, name).read_text("ascii").partition("\n")
        if checksum != _sha256(text):
            return None
        kept = json.loads(text)
        content: Content = kept["content"]
        audio = inside(home, content["audio_path"])
        if audio.stat().st_size != content["audio_bytes"] or kept["stamp"] != stamp_of(home):
            return None
    except (OSError, ValueError, KeyError, TypeError, CatalogError):
        return None
    return content


# What else an answer rests on


def traces_of(paths: Iterable[Path]) -> list[list[Any]]:
    """Return path, time of change and size of files and folders; of those that are not there nothing but the path."""
    return [[str(path), *_trace(path)] for path in paths]


def traces_hold(traces: Iterable[Sequence[Any]]) -> bool:
    """Tell whether files and folders are as they were for `traces_of`."""
    return all(_trace(Path(path)) == trace for path, *trace in traces)


def _trace(path: Path) -> list[int]:
    try:
        stat = path.stat()
    except OSError:
        return []
    return [stat.st_mtime_ns, stat.st_size]


def _path(home: Path, kind: str, name: str) -> Path:
    return home / "cache" / kind / f"{name}.json"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _prune(folder: Path) -> None:
    """Delete the older half of the files when there are too many."""
    with os.scandir(folder) as entries:
        found = [(entry.stat().st_mtime_ns, entry.path) for entry in entries]
    if len(found) > MOST_KEPT:
        for _, path in sorted(found)[: len(found) // 2]:
            with suppress(OSError):
                Path(path).unlink()
