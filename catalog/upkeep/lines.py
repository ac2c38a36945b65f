"""The lines of the logs: which of them no longer match their checksums, and how they are mended."""

from __future__ import annotations

from collections.abc import Iterator

from ..disk.reading import Row
from ..errors import CatalogError
from ..models import Judgement, RequestRecord
from ..search.filters import equals
from ..store.audit import Problem, keep_rows
from ..store.judgements import FORMAT as JUDGEMENTS
from ..store.judgements import as_rejection
from ..store.log import LogTable
from ..store.rows import matches, row_sha256, vector_sha256
from ..store.store import Store
from .flipped import mended_row, mended_vector

__all__ = ["check_lines", "mend_line"]


Log = LogTable[Judgement] | LogTable[RequestRecord]


def check_lines(store: Store, *, deep: bool) -> Iterator[Problem]:
    """Yield the lines that were altered, with their vectors where `deep`; the vectors of judgements in any case."""
    for log in _logs(store):
        name, vectors = log.durable.name, deep or log is store.judgements.table
        try:
            for row in log.rows(vectors=vectors):
                if (wrong := _wrong_with(row)) is not None:
                    subject = f"{name}:{row['id']}"
                    detail = f"the line {row['id']} of the {name} does not match its checksum ({wrong})"
                    if name == "judgements" and as_rejection(row) is not None:
                        detail += f"; it counts as a rejection of track {row['track_id']}"
                    yield Problem(kind="altered-line", subject=subject, detail=detail)
        except CatalogError as error:
            yield Problem(kind="table", subject=name, detail=str(error))


def mend_line(store: Store, problem: Problem) -> bool:
    """Mend the altered lines that a problem names, and return whether none is left.

    A line with one altered bit becomes what it was. Any other is copied to `lost/`: a judgement that may have been a
    rejection stays one, under a new checksum, so that no rejected track is served; other lines are deleted. An altered
    vector is left out, and the line stays.
    """
    name, _, line_id = problem.subject.partition(":")
    log = next(log for log in _logs(store) if log.durable.name == name)
    for row in [*log.rows(equals("id", line_id), vectors=True)]:
        if _wrong_with(row) is not None:
            _mend(store, log, row)
    return not any(map(_wrong_with, log.rows(equals("id", line_id), vectors=True)))


def _mend(store: Store, log: Log, row: Row) -> None:
    mended = _mended(row) if matches(row) else mended_row(row)
    if mended is None:
        keep_rows(store.home / "lost", [row])
        judgement = as_rejection(row) if log is store.judgements.table else None
        mended = None if judgement is None else JUDGEMENTS.to_row(judgement, None, "")
    log.replace(row, mended)


def _mended(row: Row) -> Row:
    """Return an intact line with its vector as it was, else without it."""
    vector = mended_vector(row["vector"], row["vector_sha256"]) if row["vector"] is not None else None
    if vector is not None:
        return {**row, "vector": vector}
    bare = {**row, "vector": None, "vector_sha256": "", "encoder": ""}
    return {**bare, "row_sha256": row_sha256(bare)}


def _wrong_with(row: Row) -> str | None:
    """Return what does not match, None where a line is as it was written."""
    if not matches(row):
        return "a column"
    if "vector" in row and row["vector_sha256"] != (
        "" if row["vector"] is None else vector_sha256(row["vector"])
    ):
        return "its vector"
    return None


def _logs(store: Store) -> tuple[Log, ...]:
    return store.requests.table, store.judgements.table
