"""Hear the tracks of a catalog that its ear has not heard; what was heard stays, so that a second run goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence

from ...ear.loading import Ear
from ...ear.tags import Tagger
from ...errors import StorageError, Unavailable
from ...generator import AudioError, Progress, audio
from ...models import Heard, Track, Value
from ...store.rows import EarVector
from ...store.store import Store
from ..browse import of_ids

__all__ = ["HeardTracks", "hear_all", "hear_track"]

_log = logging.getLogger(__name__)

COMMIT_TRACKS, COMMIT_S = 32, 15.0
"""What was heard is written after so many tracks, or seconds: a kill loses no more."""


class HeardTracks(Value):
    """What a run of hearing came to."""

    ear: str
    heard: int = 0
    """Tracks that were heard in this run."""
    tagged: int = 0
    """How many of them got tags; none where the ear reads no texts."""
    failed: tuple[str, ...] = ()
    """The ids of tracks whose audio cannot be heard; the log says why."""
    left: int = 0
    """Ready tracks that this ear has not heard yet, those that failed aside."""


def hear_track(store: Store, ear: Ear, tagger: Tagger, track: Track) -> tuple[EarVector, Heard | None] | None:
    """Return what the ear hears of a track, with tags where it reads texts; None for a track without samples.

    Raises StorageError for audio that cannot be read, Unavailable for an ear that cannot be loaded.
    """
    try:
        sound = audio.read(store.audio.verified_path(track))
    except AudioError as error:
        raise StorageError(f"{error}; run `catalog doctor --deep`") from error
    vector = ear.hear(sound)
    if vector is None:
        return None
    try:
        tags = tagger.tags(vector)
    except Unavailable as error:
        _log.warning("track %s gets no tags: %s", track.id, error)
        return EarVector(ear.identity, vector), None
    return EarVector(ear.identity, vector), tags


def hear_all(
    store: Store,
    ear: Ear,
    tagger: Tagger,
    tracks: Sequence[Track] | None = None,
    *,
    limit: int | None = None,
    on_progress: Progress | None = None,
) -> HeardTracks:
    """Hear `tracks`, or the newest of those that this ear has not heard, at most `limit`; write as it goes.

    A track whose audio is damaged is named in the log and passed over. Raises Unavailable where the ear cannot be
    loaded, StorageError where nothing can be written; what `on_progress` raises stops it after a last write.
    """
    waiting = _unheard(store, ear.identity) if tracks is None else iter(tracks)
    unheard = store.tracks.count_ready() - store.tracks.count_heard(ear.identity)
    total = unheard if tracks is None else len(tracks)
    total = total if limit is None else min(total, limit)
    found: dict[str, tuple[EarVector, Heard | None]] = {}
    heard, tagged, failed, written_at = 0, 0, [], time.monotonic()
    try:
        for done, track in zip(range(total), waiting, strict=False):
            if on_progress is not None:
                on_progress(done, total)
            try:
                one = hear_track(store, ear, tagger, track)
            except StorageError as error:
                _log.warning("track %s is not heard: %s", track.id, error)
                one = None
            if one is None:
                failed.append(track.id)
                continue
            found[track.id] = one
            heard, tagged = heard + 1, tagged + (one[1] is not None)
            if len(found) >= COMMIT_TRACKS or time.monotonic() - written_at > COMMIT_S:
                store.tracks.put_ears(found)
                found, written_at = {}, time.monotonic()
    finally:
        store.tracks.put_ears(found)
    if on_progress is not None:
        on_progress(total, total)
    left = max(0, store.tracks.count_ready() - store.tracks.count_heard(ear.identity) - len(failed))
    return HeardTracks(ear=ear.identity, heard=heard, tagged=tagged, failed=tuple(failed), left=left)


def _unheard(store: Store, kind: str) -> Iterator[Track]:
    """Yield the tracks that an ear has not heard, the newest first; they are read as they are wanted."""
    ids = store.tracks.unheard(kind)
    for start in range(0, len(ids), COMMIT_TRACKS):
        found = of_ids(store, ids[start : start + COMMIT_TRACKS])
        yield from (found[each] for each in ids[start : start + COMMIT_TRACKS] if each in found)
