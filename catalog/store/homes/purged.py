"""Audio of purged tracks on an object store: what no row names goes a week after the purge, in steps a day apart.

Objects are named by their content, so that whoever makes or adds the same samples anew meets an object that is to go.
No lock holds across machines, and a delete has no condition. So audio is first condemned, by an object of its own:

- a writer relies on audio under its usual name only where it was not condemned after it was there, and takes another
  name otherwise;
- condemned audio is deleted a day later, where no row names it then. Rows of writers that saw it uncondemned are in
  the table by that time;
- it stays condemned for a day more, so that a delete that was sent twice, or by a process that was frozen, meets no
  audio that somebody relies on.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from ...disk.remote.table import ObjectTable
from ...objects.blobs import Blobs
from ...search.filters import one_of
from ..audio import beside
from ..audit import KEPT_AFTER_PURGE
from ..track_table import TrackTable

__all__ = ["RECORDS", "Purged", "condemn", "is_condemned", "left_by_purges"]


RECORDS = "lost/purged-"
"""How the objects with the rows of a purge begin."""
KEPT_CONDEMNED = timedelta(days=1)
CLOCK = "lost/clock"
"""An object that each look writes, to learn what time it is by the clock of the store."""
_MARKS, _CONDEMNED = "lost/", "lost/audio/"
_LEFT = (RECORDS, _CONDEMNED)
_WAITS, _DELETED = b"condemned", b"deleted"
_AUDIO = re.compile(r"audio/[0-9a-f]{2}/[0-9a-f]{64}(?:-[0-9a-f]{8})?\.[a-z0-9]{1,8}")
_AT_ONCE = 100
"""Paths that are asked of the table at once."""


def is_condemned(blobs: Blobs, path: str) -> bool:
    """Tell whether audio is to be deleted, so that no new row may name it."""
    return blobs.size(f"{_MARKS}{path}") is not None


def condemn(blobs: Blobs, path: str) -> None:
    """Make writers that store the same audio from now on take another name for it."""
    blobs.create(f"{_MARKS}{path}", _WAITS)


def left_by_purges(blobs: Blobs) -> set[str]:
    """Return the paths of audio that a purge left for a while: named by the rows that it kept, or condemned."""
    left: set[str] = set()
    for blob in blobs.list("lost"):
        if blob.path.startswith(RECORDS):
            left |= {*_audio_in(blobs.get(blob.path) or b"")}
        elif blob.path.startswith(_CONDEMNED):
            left.add(blob.path.removeprefix(_MARKS))
    return left


class Purged:
    """What purges of a remote home left; any process may look after it, and `catalog care` does."""

    def __init__(self, blobs: Blobs, tracks: TrackTable) -> None:
        self._blobs, self._tracks = blobs, tracks
        table = tracks.durable
        assert isinstance(table, ObjectTable)
        self._table = table

    def forget(self) -> int:
        """Delete what purges left for long enough; return how many audio files went. Raises StorageError."""
        if not any(path.startswith(_LEFT) for path, _ in self._listed()):
            return 0
        self._blobs.put(CLOCK, b"-")
        listed = self._listed()
        now = dict(listed)[CLOCK]
        records = [path for path, at in listed if path.startswith(RECORDS) and now - at >= KEPT_AFTER_PURGE]
        marks = [path for path, at in listed if path.startswith(_CONDEMNED) and now - at >= KEPT_CONDEMNED]
        if not (records or marks) or not self._is_there():
            return 0  # without a table nobody knows what is named
        for record in records:
            self._condemn(record)
        return self._delete(path.removeprefix(_MARKS) for path in marks)

    def _is_there(self) -> bool:
        self._table.refresh()
        return self._table.exists()

    def _listed(self) -> list[tuple[str, datetime]]:
        return [(blob.path, blob.changed_at) for blob in self._blobs.list("lost")]

    def _condemn(self, record: str) -> None:
        """Condemn the audio that the rows of a purge name and no row of the table; the rows go then."""
        paths = {*_audio_in(self._blobs.get(record) or b"")}
        for path in paths - self._named(paths):
            condemn(self._blobs, path)
        self._blobs.delete(record)

    def _delete(self, condemned: Iterable[str]) -> int:
        """Delete condemned audio with what is beside it, and end what was deleted a day ago."""
        waiting = set()
        for path in condemned:
            if self._blobs.get(f"{_MARKS}{path}") == _WAITS:
                waiting.add(path)
            else:
                self._blobs.delete(f"{_MARKS}{path}")
        named, count = self._named(waiting), 0
        for path in waiting:
            mark = f"{_MARKS}{path}"
            if path in named:
                self._blobs.delete(mark)
            elif self._blobs.get(mark) == _WAITS:  # nobody was here while this process was frozen
                for each in (path, *beside(path)):
                    self._blobs.delete(each)
                self._blobs.put(mark, _DELETED)
                count += 1
        return count

    def _named(self, paths: set[str]) -> set[str]:
        """Return those of `paths` that a row names, in the trash or not, by its column or by its record."""
        named: set[str] = set()
        self._table.refresh()  # rows that others inserted
        ordered = sorted(paths)
        for start in range(0, len(ordered), _AT_ONCE):
            some = ordered[start : start + _AT_ONCE]
            pattern = "|".join(re.escape(path) for path in some)
            wanted = f"({one_of('audio_path', some)}) OR regexp_like(record, '{pattern}')"
            for row in self._tracks.read(wanted, columns=("audio_path", "record")):
                named |= {path for path in some if path in f"{row['audio_path']} {row['record']}"}
        return named


def _audio_in(rows: bytes) -> Iterator[str]:
    """Yield the paths of audio and of originals that rows name, as a purge kept them."""
    for line in rows.splitlines():
        with contextlib.suppress(ValueError, AttributeError):  # altered by hand: its audio stays
            row = json.loads(line)
            yield from _AUDIO.findall(f"{row.get('audio_path')} {row.get('record')}")
