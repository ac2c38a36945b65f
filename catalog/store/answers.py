"""Answers to earlier requests, kept so that an exact repeat needs neither Lance nor the encoder.

Answers are files below `cache/`: one for each request key, with its track, and one for each call as it was typed, with
all that is printed. Each states the stamps of the tables it was read from; `TableFiles.stamp` changes with every commit
that may change a row. An answer holds only while the stamps are the same, nothing is being committed, there is a table
of tracks, and the audio file holds what was stored. So a lost or damaged file costs time and never gives a wrong
answer. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..disk.digests import digest_of
from ..disk.files import inside, write_file
from ..disk.versions import TableFiles
from ..errors import CatalogError

__all__ = ["forget", "recall", "remember", "stamp_of", "traces_hold", "traces_of"]


STAMPED = ("tracks", "judgements")
"""Tables that decide whether a track may be served again."""
MOST_KEPT = 10_000
"""Answers of one kind; at more, the older half is deleted."""
_PRUNED_EVERY = 64
"""One write in so many, at random, counts the files."""

Content = dict[str, Any]


def stamp_of(home: Path) -> list[int] | None:
    """Return the stamps of the tables; None while one has an unfinished commit.

    Read the stamp before the rows of an answer: a commit in between then makes the answer outdated, never wrong.
    """
    stamps = [TableFiles(home, name).stamp for name in STAMPED]
    known = [stamp for stamp in stamps if stamp is not None]
    return known if len(known) == len(stamps) else None


def remember(
    home: Path, kind: str, name: str, stamp: Sequence[int] | None, content: Mapping[str, Any]
) -> None:
    """Keep `content` under `name`, which is hexadecimal. Without a stamp, or on an error of the disk, keep nothing."""
    if stamp is None:
        return
    text = json.dumps({"stamp": list(stamp), "content": dict(content)}, ensure_ascii=True, sort_keys=True)
    path = _path(home, kind, name)
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Not durable: the checksum shows a torn file, and a lost one is made again.
        write_file(path, f"{_sha256(text)}\n{text}".encode("ascii"), durable=False)
        if os.urandom(1)[0] % _PRUNED_EVERY == 0:
            _prune(path.parent)


def recall(home: Path, kind: str, name: str) -> Content | None:
    """Return the content kept under `name`; None without any, or where it no longer holds.

    The content names its audio file as `audio_path`, with `audio_bytes` and `audio_sha256`; that of an earlier version
    lacks the last.
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
        # The stamp of a table that was never changed is that of a table that is gone.
        if TableFiles(home, "tracks").head() is None:
            return None
        # Answers of earlier versions do not state it; the file is named by it.
        if digest_of(audio) != content.get("audio_sha256", audio.stem):
            _warn_of(content["audio_path"])
            return None
    except (OSError, ValueError, KeyError, TypeError, CatalogError):
        return None
    return content


def forget(home: Path, kinds: Iterable[str] = ("calls", "repeats")) -> None:
    """Delete the answers of some kinds; those that cannot be deleted stay."""
    import shutil  # takes some milliseconds, and a repeat does without

    for kind in kinds:
        shutil.rmtree(home / "cache" / kind, ignore_errors=True)


# Files that an answer depends on


def traces_of(paths: Iterable[Path]) -> list[list[Any]]:
    """Return path, time of change and size of files and folders; where there is none, the path alone."""
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


def _warn_of(audio_path: str) -> None:
    import logging

    logging.getLogger(__name__).warning(
        "%s is not served, since it no longer holds what was stored; run `catalog doctor --deep`", audio_path
    )


def _path(home: Path, kind: str, name: str) -> Path:
    return home / "cache" / kind / f"{name}.json"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _prune(folder: Path) -> None:
    """Delete the older half of the files when there are too many."""
    with os.scandir(folder) as entries:
        files = [(entry.stat().st_mtime_ns, entry.path) for entry in entries]
    if len(files) > MOST_KEPT:
        for _, path in sorted(files)[: len(files) // 2]:
            with suppress(OSError):
                Path(path).unlink()
