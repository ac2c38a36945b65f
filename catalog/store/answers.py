"""Answers to earlier requests, kept so that an exact repeat needs neither Lance nor the encoder.

Answers are files below `cache/`: one for each request key, with its track, and one for each call as it was typed, with
all that is printed. Each states the stamps of the tables it was read from, and their versions; `TableFiles.stamp`
changes with every commit that may change an answer. An answer holds only while the stamps are the same, no table went
back to an earlier version, nothing is being committed, there is a table of tracks, and the audio file holds what was
stored. So a lost or damaged file costs time and never gives a wrong answer. Standard library only.
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


STAMPED = ("tracks", "judgements", "requests")
"""Tables that decide whether a track may be served again; the last where it was made for another request."""
OF_MADE = 2
"""How many of them decide whether a track is served again to the request that it was made for."""
MOST_KEPT = 10_000
"""Answers of one kind; at more, the older half is deleted."""
_PRUNED_EVERY = 64
"""One write in so many, at random, counts the files."""

Content = dict[str, Any]
Stamp = Sequence[int | None]


def stamp_of(home: Path) -> list[int | None]:
    """Return the stamps of the tables, None for one that has an unfinished commit.

    Read the stamp before the rows of an answer: a commit in between then makes the answer outdated, never wrong.
    """
    return [TableFiles(home, name).stamp for name in STAMPED]


def remember(
    home: Path, kind: str, name: str, stamp: Stamp, content: Mapping[str, Any], *, made: bool = True
) -> None:
    """Keep `content` under `name`, which is hexadecimal; nothing during a commit, and on an error of the disk.

    `made` tells that its track was made for this very request, so that the log of requests decides nothing.
    """
    known = [*stamp][: OF_MADE if made else None]
    if None in known:
        return
    versions = [TableFiles(home, table).head() or 0 for table, _ in zip(STAMPED, known, strict=False)]
    kept = {"stamp": known, "versions": versions, "content": dict(content)}
    text = json.dumps(kept, ensure_ascii=True, sort_keys=True)
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
        if audio.stat().st_size != content["audio_bytes"] or not _stands(home, kept):
            return None
        # Answers of earlier versions do not state it; the file is named by it.
        if digest_of(audio) != content.get("audio_sha256", audio.stem):
            _warn_of(content["audio_path"])
            return None
    except (OSError, ValueError, KeyError, TypeError, CatalogError):
        return None
    return content


def _stands(home: Path, kept: Mapping[str, Any]) -> bool:
    """Tell whether the tables that an answer was read from give it still."""
    versions = kept.get("versions", [0] * len(STAMPED))  # those of earlier programs do not state them
    for table, stamp, version in zip(STAMPED, kept["stamp"], versions, strict=False):
        now = TableFiles(home, table).state
        # A table that was put back from a copy has the stamp of that time, and lacks rows that were added later.
        if now is None or now[0] != stamp or now[1] < version:
            return False
        # The stamp of a table that was never changed is that of a table that is gone.
        if table == "tracks" and not now[1]:
            return False
    return len(kept["stamp"]) >= OF_MADE


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
