"""What is wrong with rows and files, and ways to put it aside without losing anything."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from ..disk import files
from ..disk.damage import indexes
from ..disk.files import set_aside
from ..disk.table import DurableTable
from ..errors import Damage, StorageError
from ..models import Track, Value
from ..search.filters import both, equals, literal, one_of
from .audio import AudioFiles, beside
from .rows import checked_id, from_record, from_whole_track_row, original_of
from .schema import TRACK_COLUMNS, TRACK_ROW
from .track_table import TrackTable, VectorOf

__all__ = [
    "KEPT_AFTER_PURGE",
    "Problem",
    "check",
    "clear",
    "drop",
    "forget_files",
    "forget_purged",
    "in_child",
    "keep_purged",
    "keep_rows",
    "mend",
    "move_audio",
    "read_through",
    "set_aside",
    "to_purge",
    "trashed_until",
]


Row = Mapping[str, Any]
LEFT_OVER_AFTER_S = 3600.0
"""The age from which a file that no row names is left over: a younger one may be of a track that is being made."""
KEPT_AFTER_PURGE = timedelta(days=7)
"""How long `lost/` keeps the rows and the audio of a purge; the first purge after that deletes them."""
_PURGED = "purged-"
"""How the names of the folders of purges begin; the time in seconds follows."""


class Problem(Value):
    """One finding of `Care.check`."""

    kind: Literal[
        "table",
        "index",
        "altered-row",
        "missing-audio",
        "altered-audio",
        "leftover",
        "altered-line",
        "altered-sidecar",
        "altered-array",
        "lost-original",
        "altered-collection",
    ]
    subject: str
    """The table, the column of an index with its table, the id of the track, the path below the home folder, or the log
    and the id of its line."""
    detail: str


def check(home: Path, tables: Sequence[DurableTable], tracks: TrackTable, *, deep: bool) -> list[Problem]:
    """Return what is wrong with tables, rows and files; `deep` reads audio too, and works in a child process."""
    problems = [
        Problem(kind="table", subject=table.name, detail=detail)
        for table in tables
        for detail in table.problems()
    ]
    try:
        problems += [
            Problem(kind="index", subject=f"{table.name}.{column}", detail=detail)
            for table in tables
            for column, detail in indexes.problems(table)
        ]
        return [*problems, *(in_child(home) if deep else read_through(home, tracks, deep=False))]
    except StorageError as error:
        return [*problems, Problem(kind="table", subject=tracks.durable.name, detail=str(error))]


def read_through(home: Path, tracks: TrackTable, *, deep: bool) -> list[Problem]:
    """Return what is wrong with rows and files, all read in this process."""
    stored = tracks.read(None, columns=(*TRACK_COLUMNS, "vector", "sound", "ear"))
    return [*_rows(home, stored, deep=deep), *_leftovers(home, stored)]


def clear(home: Path, tracks: TrackTable, relative: str) -> bool:
    """Move a file that no row names to `lost/`; return False where a row names it by now."""
    # Under the lock, so that no row that names the file is inserted between the look and the move.
    with tracks.durable.locked():
        stored = tracks.read(None, columns=("audio_path", "record"))
        if relative not in {problem.subject for problem in _leftovers(home, stored)}:
            return False
        set_aside(home, relative)
        return True


def mend(home: Path, tracks: TrackTable, track_id: str, vector_of: VectorOf | None) -> bool:
    """Write the rows under an id anew from their checked records, and drop those whose records are damaged.

    `vector_of` makes an altered vector anew. Returns False, and leaves the row, where it is needed and not given, and
    where the id in the record names another row.
    """
    rows = tracks.read(equals("id", track_id), columns=(*TRACK_COLUMNS, "vector"))
    own_ids = [checked_id(row) for row in rows]
    # Rows that do not belong under the id go first: a row is written by its id, to every row of that id.
    mended = True
    for row, own_id in zip(rows, own_ids, strict=True):
        if own_id is None:
            mended &= drop(home, tracks, row)
        elif own_id != track_id:
            mended &= tracks.rename(row, own_id)
    for own_id in {each for each in own_ids if mended and each is not None}:
        try:
            tracks.change(own_id, lambda _: {}, vector_of)
        except Damage:
            mended = False
    return mended


def drop(home: Path, tracks: TrackTable, row: Row) -> bool:
    """Copy a row to `lost/`, then delete it; return False where an intact row cannot be told from it."""
    predicate = both(equals("id", row["id"]), equals("row_sha256", row["row_sha256"]))
    what = f"row {row['id']} cannot be dropped"
    with tracks.durable.locked():
        stored = tracks.read(predicate, columns=(*TRACK_COLUMNS, "vector"))
        if any(checked_id(one) is not None for one in stored):
            return False
        keep_rows(home / "lost", stored)
        tracks.durable.commit_locked(what, lambda table: table.delete(predicate), point="drop")
    return True


def in_child(home: Path) -> list[Problem]:
    """Run the deep audit in a child process and return its findings; that the child died is one of them."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
    command = [
        sys.executable,
        "-c",
        "import sys; from music_catalog.store.store import audit_deep; audit_deep(sys.argv[1], int(sys.argv[2]))",
    ]
    most_s, most_bytes = _limits(home)
    try:
        done = subprocess.run(
            [*command, str(home), str(most_bytes)],
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=most_s,
        )
    except subprocess.TimeoutExpired:
        detail = f"reading everything was given up after {most_s:,.0f} s"
        return [Problem(kind="table", subject="tracks", detail=detail)]
    if done.returncode == 0:
        return [Problem.model_validate(item) for item in json.loads(done.stdout)]
    last = done.stderr.strip().splitlines()[-1:] or ["without a message"]
    how = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit {done.returncode}"
    return [
        Problem(kind="table", subject="tracks", detail=f"reading every row failed ({how}): {last[0][:300]}")
    ]


def _limits(home: Path) -> tuple[float, int]:
    """Return the seconds and the bytes of memory that a deep audit may take.

    Damage may make Lance read without end, or ask for all the memory there is. A sound catalog of 20,000 tracks took
    29 s and 1.5 GB on two busy cores; its limits are 1,500 s and 8.7 GB.
    """
    sizes = dict.fromkeys(("lance", "audio"), 0)
    for name in sizes:
        for folder, _, names in os.walk(home / name):
            for each in names:
                with contextlib.suppress(FileNotFoundError):  # it went meanwhile
                    sizes[name] += Path(folder, each).stat().st_size
    most_s = 600.0 + sizes["lance"] / 50e3 + sizes["audio"] / 2e6
    return most_s, 8_000_000_000 + 16 * sizes["lance"]


def _rows(home: Path, stored: Sequence[Row], *, deep: bool) -> Iterator[Problem]:
    """Yield what is wrong with the rows and their audio; the vectors must be there, and `deep` reads audio."""
    for track_id, count in Counter(row["id"] for row in stored).items():
        if count > 1:
            yield Problem(kind="table", subject="tracks", detail=f"the id {track_id} names {count} rows")
    for row in stored:
        try:
            track = from_whole_track_row(row)
        except Damage as error:
            yield Problem(kind="altered-row", subject=str(row["id"]), detail=str(error))
        else:
            yield from _audio(home, track, deep=deep)
            yield from _original(home, track, deep=deep)


def _leftovers(home: Path, stored: Sequence[Row]) -> Iterator[Problem]:
    """Yield the files below `audio/` that no row names and that are old enough."""
    named = _named(stored)
    named |= {other for path in named for other in beside(path)}
    newest = time.time() - LEFT_OVER_AFTER_S
    for path in AudioFiles(home).files():
        relative = path.relative_to(home).as_posix()
        if relative not in named and _modified(path) <= newest:
            yield Problem(kind="leftover", subject=relative, detail=f"{relative} belongs to no track")


def forget_files(home: Path, tracks: TrackTable, left_out: Sequence[Track]) -> None:
    """Delete the files of tracks that were not inserted, and what stands beside them, but those that rows name."""
    paths = sorted({path for track in left_out for path in _files_of(track)})
    if not paths:
        return
    # The table narrows the rows, so that few records are parsed while the lock is held.
    pattern = "|".join(re.escape(path) for path in paths)
    naming = f"({one_of('audio_path', paths)}) OR regexp_like(record, {literal(pattern)})"
    with tracks.durable.locked():
        named = _named(tracks.read(naming, columns=("audio_path", "record")))
        for path in set(paths) - named:
            for relative in (path, *beside(path)):
                with files.storing(f"{relative} cannot be deleted"):
                    files.inside(home, relative).unlink(missing_ok=True)


def keep_purged(home: Path, stored: Sequence[Row]) -> Path:
    """Write the rows of a purge to a new folder below `lost/`, on the disk on return; return the folder."""
    folder = home / "lost" / f"{_PURGED}{int(time.time())}-{os.urandom(3).hex()}"
    keep_rows(folder, stored)
    files.sync([], [home / "lost", home])
    return folder


def move_audio(home: Path, audio_paths: Sequence[str], folder: Path) -> None:
    """Move audio files, and what stands beside them, to `folder`; a file that is gone already is fine."""
    for relative in [each for path in audio_paths for each in (path, *beside(path))]:
        path = files.inside(home, relative)
        with files.storing(f"{relative} cannot be moved to {folder}"), contextlib.suppress(FileNotFoundError):
            path.rename(folder / path.name)
            files.sync([], [folder, path.parent])


def forget_purged(home: Path) -> None:
    """Delete for good what a purge put below `lost/` longer than `KEPT_AFTER_PURGE` ago."""
    latest = time.time() - KEPT_AFTER_PURGE.total_seconds()
    for folder in (home / "lost").glob(f"{_PURGED}*"):
        made = folder.name.removeprefix(_PURGED).partition("-")[0]
        if made.isdecimal() and int(made) <= latest:
            with files.storing(f"{folder} cannot be deleted"):
                shutil.rmtree(folder)


def _named(stored: Sequence[Row]) -> set[str]:
    """Return the paths that rows name, by their columns or by their records: a damaged one of the two loses no file."""
    named = {row["audio_path"] for row in stored}
    for row in stored:
        with contextlib.suppress(KeyError, TypeError, ValueError):
            named.add(str(json.loads(row["record"])["audio_path"]))
        if original := original_of(row):
            named.add(original)
    return named


def keep_rows(folder: Path, stored: Sequence[Row]) -> None:
    """Append rows as JSON to `rows.jsonl` in `folder`, on the disk on return."""
    path = folder / "rows.jsonl"
    with files.storing(f"rows cannot be kept in {path}"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8", errors="surrogatepass") as file:
            for row in stored:
                file.write(json.dumps(dict(row), default=str, ensure_ascii=False) + "\n")
        files.sync([path], [folder])


def _audio(home: Path, track: Track, *, deep: bool) -> Iterator[Problem]:
    if track.state != "ready" and not deep:
        return
    try:
        path = files.inside(home, track.audio_path)
        size = path.stat().st_size
    except (OSError, Damage):
        if track.state != "ready":
            return  # where the audio of a track went that was mended before
        yield Problem(
            kind="missing-audio", subject=track.id, detail=f"{track.audio_path} of {track.id} is gone"
        )
        return
    if size != track.audio_bytes:
        detail = f"{track.audio_path} of {track.id} has {size:,} bytes; {track.audio_bytes:,} were stored"
        yield Problem(kind="altered-audio", subject=track.id, detail=detail)
    elif deep and files.sha256_of(path) != track.audio_sha256:
        detail = f"{track.audio_path} of {track.id} no longer holds what was stored"
        yield Problem(kind="altered-audio", subject=track.id, detail=detail)


def _original(home: Path, track: Track, *, deep: bool) -> Iterator[Problem]:
    if track.original is None or track.state != "ready":
        return
    what = f"the original {track.original} of {track.id}, whose playable copy is another file,"
    try:
        path = files.inside(home, track.original)
        altered = path.stat().st_size != track.config.get("original_bytes")
        altered = altered or (deep and files.sha256_of(path) != track.config.get("original_sha256"))
    except (OSError, Damage):
        yield Problem(kind="lost-original", subject=track.id, detail=f"{what} is gone")
        return
    if altered:
        yield Problem(
            kind="lost-original", subject=track.id, detail=f"{what} no longer holds what was stored"
        )


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def to_purge(tracks: TrackTable, latest: datetime) -> tuple[list[Row], list[str]]:
    """Return the rows that came into the trash up to `latest`, and the paths of the audio that no other row names.

    Raises Damage when a row in the trash differs from its checked record, when another row's record or the audio
    it names does, and when two rows have one id: then nobody knows what may go.
    """
    going = trashed_until(tracks, latest)
    if not going:
        return [], []
    ids = [track.id for _, track in going]
    named: set[str] = set()
    for row in tracks.read(f"NOT ({one_of('id', ids)})", columns=(*TRACK_ROW, "audio_path")):
        named |= _files_of(other := from_record(row))
        if other.audio_path != row["audio_path"]:
            raise Damage(f"the row {row['id']!r} differs from its record; run `catalog doctor --fix`")
    paths = {path for _, track in going for path in _files_of(track)}
    return [row for row, _ in going], sorted(paths - named)


def trashed_until(tracks: TrackTable, latest: datetime) -> Sequence[tuple[Row, Track]]:
    """Return the rows that came into the trash up to `latest`, with their tracks.

    Raises Damage when a row in the trash differs from its checked record, and when two rows have one id.
    """
    trashed = tracks.read(equals("state", "trashed"), columns=TRACK_COLUMNS)
    going = [(row, from_whole_track_row(row)) for row in trashed]
    going = [(row, track) for row, track in going if track.trashed_at and track.trashed_at <= latest]
    ids = [track.id for _, track in going]
    if ids and tracks.count(one_of("id", ids)) != len(set(ids)):
        raise Damage("one id names several rows; run `catalog doctor`")
    return going


def _files_of(track: Track) -> set[str]:
    return {track.audio_path, *([track.original] if track.original else [])}
