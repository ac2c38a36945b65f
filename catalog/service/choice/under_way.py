"""Misses of one service at the same time: a call waits for a track that is being made and that will serve it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ...generator import Progress
from ...generator.thread.line import LINE, POLL_S
from ...reuse.decision import like
from ...reuse.terms import Terms
from ..call import Call

__all__ = ["UnderWay", "Unended", "alike"]


class UnderWay:
    """The calls of one service whose tracks are being made. Calls near one another share a track, as in turn."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: list[tuple[Call, int]] = []

    @contextmanager
    def noted(self, call: Call, terms: Terms, on_progress: Progress | None) -> Iterator[None]:
        """Wait while a track is being made that `call` would reuse, then note the call until the body is over.

        Who waits can cancel by `on_progress`. Nobody waits for a call of the own thread, nor on the generators' thread,
        where that would never end.
        """
        me = threading.get_ident()
        while not self._noted(call, terms, me):
            if on_progress is not None:
                on_progress(0, 1)
        try:
            yield
        finally:
            with self._changed:
                self._calls = [(other, who) for other, who in self._calls if other is not call]
                self._changed.notify_all()

    def _noted(self, call: Call, terms: Terms, me: int) -> bool:
        with self._changed:
            others = [] if LINE.here else [other for other, who in self._calls if who != me]
            if any(alike(call, other, terms) for other in others):
                self._changed.wait(POLL_S)
                return False
            self._calls.append((call, me))
            return True


class Unended:
    """Counts the calls of one service that have no line in the log yet, so that its store is closed after them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._callers: list[int] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Count a call of this thread until the body is over."""
        me = threading.get_ident()
        with self._changed:
            self._callers.append(me)
        try:
            yield
        finally:
            with self._changed:
                self._callers.remove(me)
                self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait until all have ended but those of this thread, so many seconds at the most."""
        me = threading.get_ident()
        if not LINE.here:
            with self._changed:
                self._changed.wait_for(
                    lambda: all(caller == me for caller in self._callers), max(0.0, seconds)
                )


def alike(call: Call, other: Call, terms: Terms) -> bool:
    """Return whether the track that is made for `other` may be reused for `call`; both are understood.

    Music of the same style is taken to serve, since what it will sound like is not known yet. A preset that the caller
    states says nothing of the text, and would make all that are sent under it wait for each other.
    """
    if call.key == other.key or (call.audience.theme and call.audience == other.audience):
        return True
    if call.choices != other.choices or call.understood is None or other.understood is None:
        return False
    (wanted, vector), (made, other_vector) = call.understood, other.understood
    same_style = wanted.style == made.style and call.choices.preset is None
    if same_style and terms.for_text(wanted.features, wanted.brief).music_threshold is not None:
        return True
    return like(wanted, made, float(vector @ other_vector), terms)
