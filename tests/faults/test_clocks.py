"""A clock that is hours ahead or behind, in one process or in all: nothing is lost, and makes and mending go on."""

from __future__ import annotations

import datetime as standard
import os
import sys
import time

from invariants import CRASH, SHORT, acknowledged, in_process, look_over, open_service, side_by_side, text_of

from music_catalog.models import Filter

HOURS = (-20 * 365 * 24, -30 * 24, -2, 2, 30 * 24, 20 * 365 * 24)
TRIES = 30


def set_clock(hours):
    """Set the clock of this process, as far as Python reads it, so many hours ahead."""
    real, shift = time.time, hours * 3600.0
    time.time = lambda: real() + shift
    time.time_ns = lambda: int((real() + shift) * 1e9)

    class Likewise(type):
        def __instancecheck__(cls, value):
            return isinstance(value, standard.datetime)

    class Shifted(standard.datetime, metaclass=Likewise):
        @classmethod
        def now(cls, tz=None):
            return standard.datetime.fromtimestamp(real() + shift, tz)

    for name, module in [*sys.modules.items()]:
        if name.startswith("music_catalog.") and getattr(module, "datetime", None) is standard.datetime:
            module.datetime = Shifted


def worked(home, hours, number):
    """Make, repeat, trash, mend, compact and purge with a wrong clock, while a make of the right clock is under way."""
    os.fsync = os.fdatasync = lambda descriptor: None
    set_clock(hours)
    with open_service(home) as service:
        made = [service.find_or_make(text_of(number + place), **SHORT).track for place in range(2)]
        again = service.find_or_make(text_of(number), **SHORT)
        trashed = service.store.tracks.trash(made[1].id)
        for problem in service.store.care.check():
            service.store.care.fix(problem, service.encoder.encode)
        service.store.care.compact()
        service.store.care.purge(older_than_s=86_400.0)
        service.history(since=standard.datetime.now(standard.timezone.utc) - standard.timedelta(days=1))
        states = {track.id: acknowledged(track) for track in service.store.tracks.list(Filter(state=None))}
    if again.track.id != made[0].id:
        raise AssertionError("a repeat was made again")
    return {made[0].id: states.get(made[0].id), made[1].id: acknowledged(trashed)}


def under_way(home, number):
    """Store audio without its row, as a make does before it inserts; return the track."""
    os.fsync = os.fdatasync = lambda descriptor: None
    with open_service(home) as service:
        track = service.find_or_make(text_of(number), **SHORT).track
        data = service.store.audio.path_of(track).read_bytes() + bytes(4)
        path, sha256, size = service.store.audio.put(data)
        service.store.audio.put_sidecar(path, {"id": "under way"})
    stored = {"audio_path": path, "audio_sha256": sha256, "audio_bytes": size}
    return track.model_copy(update={"id": f"way{number}", "key": f"way{number}", **stored})


def inserted(home, track):
    """Insert the row of a make that was under way; return its state, None where it was refused."""
    os.fsync = os.fdatasync = lambda descriptor: None
    with open_service(home) as service:
        try:
            service.store.tracks.insert(track, service.encoder.encode([track.context])[0])
        except OSError:
            return None
        return acknowledged(service.store.tracks.get(track.id))


def one_try(folder, number, hours):
    home, first = str(folder / f"{number}"), 10 * number
    try:
        track = in_process(under_way, home, first + 5)
        before = in_process(states_of, home)
        states = in_process(worked, home, hours, first)
        state = in_process(inserted, home, track)
    except Exception as error:
        return [(CRASH, f"{type(error).__name__}: {error}")]
    expected = {**before, **states, **({track.id: state} if state else {})}
    return in_process(look_over, home, {name: [each] for name, each in expected.items()})


def states_of(home):
    with open_service(home) as service:
        return {track.id: acknowledged(track) for track in service.store.tracks.list(Filter(state=None))}


def test_the_clock_is_wrong(tmp_path, dice, scaled, tally):
    cases = [*enumerate(dice.choices(HOURS, k=scaled(TRIES)))]
    with tally("clock of one process hours ahead or behind") as count:
        for (_, hours), found in side_by_side(lambda case: one_try(tmp_path, *case), cases):
            count.tried(f"{hours} hours", found)
