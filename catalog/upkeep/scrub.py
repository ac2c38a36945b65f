"""A slow check of everything that is stored: each row and each audio file by its checksum, over days.

A drive may alter a file that nobody reads. A service reads one track at a time, at a steady pace, and keeps in the home
how far it came. What it finds is told, in its log and by `catalog doctor`, and never deleted.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone

from ..disk.digests import read_again
from ..disk.locks import hold
from ..disk.reading import read
from ..errors import Busy, CatalogError, Damage
from ..models import Track
from ..search.filters import equals, literal
from ..store.audit import Problem
from ..store.rows import from_whole_track_row
from ..store.schema import TRACK_COLUMNS
from ..store.store import Store
from .companions import check_arrays, check_sidecar
from .place import Place, read_place, write_place

__all__ = ["Scrub", "check_track", "count_deep_check", "scrubbing", "still_damaged"]


_log = logging.getLogger(__name__)

START_S = 10.0
"""How long a service is left alone before its first track is read."""
LEAST_WAIT_S = 1.0
"""The rest between two tracks where a pass is behind."""
AGAIN_S = 600.0
"""How long a scrub rests after a table or a drive refused to be read."""
END_S = 30.0
"""How long the end of a service waits for the track that is being read."""
IDS_AT_ONCE = 100
_OF_TRACKS = ("altered-row", "missing-audio", "altered-audio", "altered-sidecar", "altered-array")
"""Problems whose subject is the id of a track."""


class Scrub:
    """Reads the tracks of a store in the order of their ids: all within `days`, and `most_mb_per_s` at most."""

    def __init__(self, store: Store, *, days: float, most_mb_per_s: float) -> None:
        self._store = store
        self._pass_s = days * 86_400.0
        self._bytes_per_s = most_mb_per_s * 1e6
        self._ids: list[str] = []
        """The next ids, which follow that of `_left`."""
        self._left = Place()

    def run(self, stop: threading.Event) -> None:
        """Check track after track until `stop` is set."""
        wait_s = START_S
        while not stop.wait(wait_s):
            try:
                size_bytes = self.step(datetime.now(timezone.utc))
                rest_s = self.rest_s(datetime.now(timezone.utc))
                wait_s = max(LEAST_WAIT_S, size_bytes / self._bytes_per_s, rest_s)
            except (CatalogError, OSError) as error:
                _log.warning("the scrub rests: %s", error)
                wait_s = AGAIN_S

    def rest_s(self, now: datetime) -> float:
        """Return the seconds until the next track is due: the tracks of a pass are spread evenly over its days."""
        share_s = self._pass_s / max(1, self._store.tracks.table.count(None))
        due = (self._left.began_at or now) + timedelta(seconds=share_s * (self._left.tracks + 1))
        # No longer than one share, wherever the clock was set to.
        return min(share_s, (due - now).total_seconds())

    def step(self, now: datetime) -> int:
        """Check the next track where it is due, or begin a pass; return how many bytes of audio were read.

        Raises StorageError or OSError where the table or the drive refuses; the track is tried again then.
        """
        # `catalog doctor --deep` may have ended the pass meanwhile.
        place = read_place(self._store.home)
        if place != self._left:
            self._left, self._ids = place, []
        if place.began_at is None:
            self._keep(place.model_copy(update={"began_at": now}))
        if self.rest_s(now) > 0:
            return 0
        track_id = self._next()
        if track_id is None:
            self._keep(self._left.ended(now))
            return 0
        problems, size_bytes = check_track(self._store, track_id)
        for problem in problems:
            _log.warning("%s; run `catalog doctor`", problem.detail)
        self._keep(self._left.past(track_id, size_bytes, damaged=bool(problems)))
        return size_bytes

    def _next(self) -> str | None:
        """Return the id of the next track, None at the end of a pass."""
        if not self._ids:
            later = f"id > {literal(self._left.after)}"
            rows = read(self._store.tables["tracks"], later, ("id",), order="id", limit=IDS_AT_ONCE)
            self._ids = [row["id"] for row in rows]
        return self._ids.pop(0) if self._ids else None

    def _keep(self, place: Place) -> None:
        write_place(self._store.home, place)
        self._left = place


@contextlib.contextmanager
def scrubbing(store: Store, *, days: float | None, most_mb_per_s: float) -> Iterator[None]:
    """Scrub the home of `store` in a thread while the body runs.

    Not with `days` None, nor where the home is read-only or remote, nor where another process scrubs it.
    """
    with contextlib.ExitStack() as stack:
        if days is None or store.blobs or not os.access(store.home, os.W_OK) or not _alone(store, stack):
            yield
            return
        scrub, stop = Scrub(store, days=days, most_mb_per_s=most_mb_per_s), threading.Event()
        thread = threading.Thread(target=scrub.run, args=(stop,), name="catalog-scrub", daemon=True)
        thread.start()
        try:
            yield
        finally:
            # Waited for: native code crashes when the interpreter ends under it.
            stop.set()
            thread.join(END_S)


def _alone(store: Store, stack: contextlib.ExitStack) -> bool:
    """Hold the scrub of the home until `stack` ends; return whether no other process does."""
    try:
        stack.enter_context(hold(store.home / "locks" / "scrub.lock", 0.0, "the scrub of this home"))
    except Busy:
        return False
    return True


def check_track(store: Store, track_id: str) -> tuple[list[Problem], int]:
    """Return what is wrong with the rows of an id and their files, and how many bytes of audio were read.

    Audio is read from the disk, not from the memory of the system. Raises StorageError or OSError where the table or
    the drive refuses.
    """
    problems, size_bytes = [], 0
    columns = (*TRACK_COLUMNS, "vector", "sound", "ear")
    for row in store.tracks.table.read(equals("id", track_id), columns=columns):
        try:
            track = from_whole_track_row(row)
        except Damage as error:
            problems.append(Problem(kind="altered-row", subject=track_id, detail=str(error)))
            continue
        found = _check_audio(store, track), check_sidecar(store, track)
        problems += [problem for problem in found if problem]
        problems += check_arrays(store, track)
        size_bytes += track.audio_bytes
    return problems, size_bytes


def _check_audio(store: Store, track: Track) -> Problem | None:
    try:
        path = store.audio.path_of(track)
        digest = read_again(path)
    except (Damage, FileNotFoundError):
        if track.state != "ready":
            return None  # a track that was mended is in the trash without its audio
        detail = f"{track.audio_path} of {track.id} is gone"
        return Problem(kind="missing-audio", subject=track.id, detail=detail)
    if digest == track.audio_sha256:
        return None
    detail = f"{track.audio_path} of {track.id} no longer holds what was stored"
    return Problem(kind="altered-audio", subject=track.id, detail=detail)


def still_damaged(store: Store) -> Sequence[Problem]:
    """Return what is wrong today with the tracks that the scrub found damaged."""
    return [
        problem for track_id in read_place(store.home).damaged for problem in check_track(store, track_id)[0]
    ]


def count_deep_check(store: Store, problems: Sequence[Problem]) -> None:
    """Keep that everything was read just now, and what was found; not where a table could not be read."""
    if any(problem.kind == "table" for problem in problems) or not os.access(store.home, os.W_OK):
        return
    found = [problem.subject for problem in problems if problem.kind in _OF_TRACKS]
    now = datetime.now(timezone.utc)
    write_place(store.home, Place(damaged=tuple(dict.fromkeys(found))).ended(now))
