"""Tracks that are made are heard: before the call returns, or after it in a process of its own."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import Any

from ...disk.locks import hold
from ...ear.loading import Ear, NotHeard, load
from ...ear.tags import Tagger
from ...errors import Busy, CatalogError
from ...models import Track
from ...presets import Library
from ...store.rows import EarVector
from ...store.store import Store
from ..call import Call
from .filling import HeardTracks, hear_all, hear_track

__all__ = ["MadeTracks", "hear_made"]

_log = logging.getLogger(__name__)

RECENT = timedelta(hours=1)
"""The process in the background hears what was made in this time; what is older waits for `catalog hear`."""
NICE = 19
_started: list[subprocess.Popen[bytes]] = []
"""Processes that hear for this one: they go on after a service is closed, and end by themselves."""


class MadeTracks:
    """What is to be done about a track that was just made, as `ear.hear_made` of the configuration says."""

    def __init__(self, store: Store, library: Library) -> None:
        self._store = store
        self._library = library

    def at_once(self, call: Call, track: Track) -> tuple[Track, EarVector | None]:
        """Return a track with what is heard in it, where it is to be heard before the call returns."""
        if self._library.ear.hear_made != "at_once" or self.ear is None:
            return track, None
        try:
            with call.stage("hear"):
                heard = hear_track(self._store, self.ear, self.tagger, track)
        except CatalogError as error:
            _log.warning("track %s is not heard: %s", track.id, error)
            return track, None
        return (track, None) if heard is None else (track.model_copy(update={"heard": heard[1]}), heard[0])

    def later(self) -> None:
        """Have what was made heard by a process in the background, unless one of this process still does."""
        if self._library.ear.hear_made != "background" or self.ear is None or not sys.executable:
            return
        _started[:] = [each for each in _started if each.poll() is None]
        if _started:
            return  # it hears what is made while it runs, too
        command = [sys.executable, "-m", __package__.partition(".")[0], "hear", "--made"]
        options = ["--home", self._store.address, "--ear", self._library.ear.model]
        quiet: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        try:
            # One thread: the others would wait for the processors that the callers of this process use.
            alone = {**os.environ, "OMP_NUM_THREADS": "1"}
            _started.append(
                subprocess.Popen([*command, *options], env=alone, start_new_session=True, **quiet)
            )
        except OSError as error:
            _log.warning("what was made is not heard: %s", error)

    @property
    def listens(self) -> bool:
        """Whether the configuration lets the ear hear what is made."""
        return self._library.ear.hear_made != "off"

    @cached_property
    def ear(self) -> Ear | None:
        """The ear of the configuration; None where there is none."""
        try:
            return load(self._library.ear.model)
        except NotHeard:
            return None
        except CatalogError as error:
            _log.warning("what is made is not heard: %s", error)
            return None

    @cached_property
    def tagger(self) -> Tagger:
        """What compares vectors of the ear with the texts of the library; only where there is an ear."""
        assert self.ear is not None
        return Tagger(self.ear, self._library.styles)


def hear_made(store: Store, ear: Ear, tagger: Tagger) -> HeardTracks:
    """Hear what was made lately, with the least claim on the processor, until nothing is left of it.

    One process at a time does this in a home; another one returns at once.
    """
    _give_way()
    done = HeardTracks(ear=ear.identity)
    with contextlib.suppress(Busy), hold(store.home / "locks" / "hear.lock", 0.0, "the hearing of tracks"):
        passed_over: set[str] = set()
        while tracks := [one for one in _recent(store, ear.identity) if one.id not in passed_over]:
            done = hear_all(store, ear, tagger, tracks)
            passed_over |= {one.id for one in tracks}
    return done


def _give_way() -> None:
    """Leave the processor of this process to all others."""
    with contextlib.suppress(OSError):
        os.nice(NICE)
    with contextlib.suppress(OSError):
        # Where Linux shares the processor by session, niceness counts inside of one alone.
        Path("/proc/self/autogroup").write_text(str(NICE))


def _recent(store: Store, kind: str) -> list[Track]:
    first = datetime.now(timezone.utc) - RECENT
    tracks = (store.tracks.get(each) for each in store.tracks.unheard(kind, 200))
    return [track for track in tracks if track is not None and track.created_at >= first]
