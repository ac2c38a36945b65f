"""What is wrong with the rows and the objects of a remote home."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

from ...disk.lance import lance_errors
from ...disk.remote.holds import hold_versions
from ...errors import Damage
from ...models import Track
from ...objects.blobs import Blob, Blobs
from ..audio import beside
from ..audit import LEFT_OVER_AFTER_S, Problem
from ..rows import from_whole_track_row, original_of
from ..schema import TRACK_COLUMNS
from ..track_table import TrackTable
from .purged import left_by_purges

__all__ = ["find_problems"]


ROWS_AT_ONCE, READ_AT_ONCE = 1_024, 8
"""Rows that are in memory, and audio objects that are fetched, at the same time."""


def find_problems(blobs: Blobs, tracks: TrackTable, *, deep: bool) -> Iterator[Problem]:
    """Yield what is wrong with rows and audio; `deep` compares the bytes of every audio object with their sha256.

    Rows are read before objects are listed, since the audio of a row is there before it. Raises StorageError.
    """
    ready: list[Track] = []
    named: set[str] = set()
    times: Counter[str] = Counter()
    altered: list[Problem] = []
    with hold_versions(blobs):
        for row in _rows(tracks):
            times[row["id"]] += 1
            named |= {str(row["audio_path"]), *([original] if (original := original_of(row)) else [])}
            try:
                track = from_whole_track_row(row)
            except Damage as error:
                altered.append(Problem(kind="altered-row", subject=str(row["id"]), detail=str(error)))
                continue
            named.add(track.audio_path)
            if track.state == "ready":
                ready.append(track)
    yield from altered
    for track_id in (each for each, count in times.items() if count > 1):
        detail = f"the id {track_id} names {times[track_id]} rows"
        yield Problem(kind="table", subject="tracks", detail=detail)
    objects = {blob.path: blob for blob in blobs.list("audio")}
    wrong = {track.id for track in ready if not _has_size(objects, track)}
    for track in (each for each in ready if each.id in wrong):
        yield _missing_or_altered(objects, track)
    if deep:
        yield from _altered(blobs, [track for track in ready if track.id not in wrong])
    yield from _orphans(objects, named | left_by_purges(blobs))


def _rows(tracks: TrackTable) -> Iterator[Mapping[str, Any]]:
    if not tracks.durable.exists():
        return
    names = tracks.known((*TRACK_COLUMNS, "vector", "sound", "ear"))
    with lance_errors("the tracks cannot be read"):
        query = tracks.durable.table.search().select([*names]).limit(None)
        for batch in query.to_batches(ROWS_AT_ONCE):
            yield from batch.to_pylist()


def _has_size(objects: Mapping[str, Blob], track: Track) -> bool:
    found = objects.get(track.audio_path)
    return found is not None and found.size_bytes == track.audio_bytes


def _missing_or_altered(objects: Mapping[str, Blob], track: Track) -> Problem:
    found = objects.get(track.audio_path)
    if found is None:
        detail = f"{track.audio_path} of {track.id} is gone"
        return Problem(kind="missing-audio", subject=track.id, detail=detail)
    detail = (
        f"{track.audio_path} of {track.id} has {found.size_bytes:,} bytes; {track.audio_bytes:,} were stored"
    )
    return Problem(kind="altered-audio", subject=track.id, detail=detail)


def _altered(blobs: Blobs, tracks: list[Track]) -> Iterator[Problem]:
    by_path: dict[str, list[Track]] = {}
    for track in tracks:
        by_path.setdefault(track.audio_path, []).append(track)

    def sha256_at(path: str) -> str | None:
        if (parts := blobs.parts(path)) is None:
            return None
        sha256 = hashlib.sha256()
        for part in parts:
            sha256.update(part)
        return sha256.hexdigest()

    with ThreadPoolExecutor(READ_AT_ONCE) as threads:
        for path, sha256 in zip(by_path, threads.map(sha256_at, by_path), strict=True):
            for track in (each for each in by_path[path] if each.audio_sha256 != sha256):
                what = "is gone" if sha256 is None else "no longer holds what was stored"
                kind = "missing-audio" if sha256 is None else "altered-audio"
                yield Problem.model_validate(
                    {"kind": kind, "subject": track.id, "detail": f"{path} of {track.id} {what}"}
                )


def _orphans(objects: Mapping[str, Blob], named: set[str]) -> Iterator[Problem]:
    """Yield the objects that no row names; a younger one may be of a track that is being made."""
    known = named | {other for path in named for other in beside(path)}
    latest = datetime.now(timezone.utc) - timedelta(seconds=LEFT_OVER_AFTER_S)
    for path, blob in objects.items():
        if path not in known and blob.changed_at <= latest:
            yield Problem(kind="leftover", subject=path, detail=f"{path} belongs to no track")
