"""One version of a table, read whole, compared with its checksums, and copied into a backup."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

from ..disk.files import refusal
from ..disk.lance import lance_errors
from ..disk.table import DurableTable
from ..disk.versions import Marks
from ..errors import Damage, StorageError
from ..models import Track
from ..store.audit import Problem
from ..store.rows import (
    from_judgement_row,
    from_request_row,
    from_whole_track_row,
    vector_sha256,
)
from ..store.schema import JUDGEMENT_COLUMNS, REQUEST_COLUMNS, TRACK_COLUMNS
from .objects import Objects, Stored
from .snapshots import TableState

__all__ = ["TrackAudio", "checked_row", "copy_table"]


ATTEMPTS = 3
"""A compaction may remove the files of a version while they are copied. At the last attempt writers wait."""
ROWS_AT_ONCE = 256
HINT = "latest_version_hint.json"
"""A note of Lance that it writes anew with each version, and does without."""


class TrackAudio(NamedTuple):
    """What a row says of the audio of its track."""

    track_id: str
    ready: bool
    path: str
    """Below the home folder."""
    stored: Stored


Row = Mapping[str, Any]
_COLUMNS: Mapping[str, Sequence[str]] = {
    "tracks": (*TRACK_COLUMNS, "vector", "sound", "ear"),
    "requests": (*REQUEST_COLUMNS, "vector"),
    "judgements": (*JUDGEMENT_COLUMNS, "vector"),
}
_LINES: Mapping[str, Callable[[Row], Any]] = {"requests": from_request_row, "judgements": from_judgement_row}


def copy_table(
    table: DurableTable, objects: Objects
) -> tuple[TableState, list[TrackAudio], list[Problem]] | None:
    """Copy the newest version of a table; return its state, the audio that its rows name, and what is wrong.

    A version that cannot be read to its end raises Damage. None without a table. Writers go on meanwhile, unless
    they compact the table again and again. Raises StorageError where the system refuses.
    """
    if not table.exists():
        return None
    for attempt in range(ATTEMPTS):
        last = attempt == ATTEMPTS - 1
        with contextlib.ExitStack() as stack:
            if os.access(table.home / "locks", os.W_OK):  # nobody writes to a home that is read-only
                stack.enter_context(table.locked())
            version, marks, paths = table.head() or 0, table.marks, sorted(table.files())
            if not last:
                stack.close()
            try:
                audio, count, problems = _read(table, version)
                files = {
                    path.relative_to(table.home).as_posix(): objects.add(path)
                    for path in paths
                    if path.name != HINT
                }
            except (StorageError, FileNotFoundError) as error:
                if last or refusal(error):
                    raise
                continue
        return _state(version, count, marks, files, sound=not problems), audio, problems
    raise AssertionError("the last attempt returns or raises")


def _state(version: int, rows: int, marks: Marks, files: Mapping[str, Any], *, sound: bool) -> TableState:
    return TableState(
        version=version,
        rows=rows,
        taken_at=datetime.now(timezone.utc),
        sound=sound,
        compacted=marks.compacted,
        schema_version=marks.schema,
        files=dict(files),
    )


def _read(table: DurableTable, version: int) -> tuple[list[TrackAudio], int, list[Problem]]:
    """Read every row of a version; return the audio that tracks name, the number of rows, and what is wrong."""
    audio, problems, count = [], [], 0
    for row in _rows(table, version):
        count += 1
        try:
            value = checked_row(table.name, row)
        except Damage as error:
            problems.append(Problem(kind="altered-row", subject=str(row["id"]), detail=str(error)))
            continue
        if isinstance(value, Track):  # a track has ten times the memory of what is kept of it
            stored = Stored(value.audio_sha256, value.audio_bytes)
            audio.append(TrackAudio(value.id, value.state == "ready", value.audio_path, stored))
            if value.original:
                whole = Stored(value.config["original_sha256"], value.config["original_bytes"])
                audio.append(TrackAudio(value.id, False, value.original, whole))
    return audio, count, problems


def _rows(table: DurableTable, version: int) -> Iterator[Row]:
    with lance_errors(f"version {version} of the {table.name} table in {table.home} cannot be read"):
        opened = table.opened_at(version)
        names = opened.schema.names  # one of an earlier version of the table lacks later columns
        columns = [name for name in _COLUMNS[table.name] if name in names]
        query = opened.search().select(columns).limit(None)
        for batch in query.to_batches(ROWS_AT_ONCE):
            yield from batch.to_pylist()


def checked_row(table: str, row: Row) -> Any:
    """Return the value of a row of one of the tables; raises Damage where a column or a vector was altered."""
    if table == "tracks":
        return from_whole_track_row(row)
    value, vector = _LINES[table](row), row["vector"]
    if row["vector_sha256"] != ("" if vector is None else vector_sha256(vector)):
        raise Damage(f"the vector of the row {row['id']!r} of the {table} does not match its checksum")
    return value
