"""Stored audio analysed by workers: what is measured in its samples, and what the ear hears."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from numpy.typing import ArrayLike

from ..ear.loading import Ear
from ..errors import CatalogError, Unavailable
from ..generator import AudioError, Progress, audio
from ..generator.audio import timbre
from ..hearing.measuring import measured
from ..models import Heard, Measured, Track
from ..service.browse import of_ids
from ..service.ears.filling import HeardTracks, hear_track
from ..service.stages import Flow
from ..store.rows import EarVector
from .workers import Workers, in_parts, opener_of

__all__ = ["hear_all", "hear_part", "measure_all", "measure_part"]

_log = logging.getLogger(__name__)

MOST_TRACKS = 16
"""Tracks of one part: seconds of work."""
COMMIT_TRACKS = 512
"""What is known of so many tracks is written in one commit: a death costs no more."""
Found = tuple[str, Any]


class Sound(NamedTuple):
    """What was measured in the samples of a track; None for what a silent or short one does not have."""

    vector: ArrayLike | None
    facts: Measured | None


def measure_part(flow: Flow, tracks: Sequence[Track]) -> list[tuple[str, Sound]]:
    """Measure the samples of tracks; return what was found, by id. Audio that cannot be read is passed over."""
    found = []
    for track in tracks:
        try:
            sound = audio.read(flow.store.audio.verified_path(track), max_bytes=track.audio_bytes)
            facts = measured(sound, tempo_bpm=track.tempo_bpm, musical_key=track.musical_key)
            found.append((track.id, Sound(timbre.sound_vector(sound), facts)))
        except (AudioError, CatalogError) as error:
            _log.warning("track %s cannot be measured: %s", track.id, error)
    return found


def hear_part(flow: Flow, tracks: Sequence[Track]) -> list[tuple[str, tuple[EarVector, Heard | None]]]:
    """Have tracks heard by the ear of the configuration; return what it hears, by id.

    Raises Unavailable without an ear.
    """
    ear = flow.made.ear
    if ear is None:
        raise Unavailable("a worker has no ear; run `catalog models pull clap` there")
    found = []
    for track in tracks:
        try:
            heard = hear_track(flow.store, ear, flow.made.tagger, track)
        except CatalogError as error:
            _log.warning("track %s is not heard: %s", track.id, error)
            continue
        if heard is not None:
            found.append((track.id, heard))
    return found


def measure_all(workers: Workers, flow: Flow, on_progress: Progress | None = None) -> int:
    """Have the samples measured of tracks that lack something measured; return how many tracks have more now.

    What is known is written as it comes, so that the same call again goes on.
    """
    tracks = flow.store.tracks
    waiting = {track.id: track for track in (*tracks.without_sound(), *tracks.unmeasured())}

    def keep(found: dict[str, Sound]) -> None:
        tracks.put_sounds({each: one.vector for each, one in found.items() if one.vector is not None})
        tracks.put_measured({each: one.facts for each, one in found.items() if one.facts is not None})

    return _analyse(workers, flow, measure_part, [*waiting.values()], keep, on_progress)


def hear_all(
    workers: Workers, flow: Flow, ear: Ear, *, limit: int | None = None, on_progress: Progress | None = None
) -> HeardTracks:
    """Have the newest tracks heard that `ear`, the one of the configuration, has not heard; at most `limit`.

    What is heard is written as it comes, so that the same call again goes on.
    """
    tracks, tagged = flow.store.tracks, 0
    ids = tracks.unheard(ear.identity, limit)
    waiting = [*of_ids(flow.store, ids).values()]
    done: set[str] = set()

    def keep(found: dict[str, tuple[EarVector, Heard | None]]) -> None:
        nonlocal tagged
        tracks.put_ears(found)
        tagged += sum(tags is not None for _, tags in found.values())
        done.update(found)

    heard = _analyse(workers, flow, hear_part, waiting, keep, on_progress)
    failed = tuple(track.id for track in waiting if track.id not in done)
    left = max(0, tracks.count_ready() - tracks.count_heard(ear.identity) - len(failed))
    return HeardTracks(ear=ear.identity, heard=heard, tagged=tagged, failed=failed, left=left)


def _analyse(
    workers: Workers,
    flow: Flow,
    function: Callable[[Flow, Any], Sequence[Found]],
    waiting: Sequence[Track],
    keep: Callable[[dict[str, Any]], None],
    on_progress: Progress | None,
) -> int:
    """Run `function` over `waiting` in parts and `keep` what it finds; return of how many tracks it found something."""
    parts, found, count, done = in_parts(waiting, MOST_TRACKS), dict[str, Any](), 0, 0
    try:
        for number, some in workers.run(function, opener_of(flow), parts):
            found.update(some)
            count, done = count + len(some), done + len(parts[number])
            if on_progress is not None:
                on_progress(done, len(waiting))
            if len(found) >= COMMIT_TRACKS:
                keep(found)
                found = {}
    finally:
        keep(found)
    return count
