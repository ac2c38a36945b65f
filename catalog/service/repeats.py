"""The track that a request got before: one made for it, else the close match it was served."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

from ..history.rejections import Rejections
from ..models import RequestRecord, Track
from ..reuse.terms import BY_HAND, Terms
from ..store.store import Store

__all__ = ["Repeat", "Repeats"]


@dataclass(frozen=True)
class Repeat:
    """The track that a request got before."""

    track: Track
    line: RequestRecord | None = None
    """The line of the log where it was served as a close match; None for a track made for the request."""


class Repeats:
    """What the store holds for one request, which its key names. It needs neither encoder nor model."""

    def __init__(self, store: Store, key: str, rejections: Rejections) -> None:
        self._store = store
        self._key = key
        self._rejections = rejections
        self.unanswered_at: int | None = None
        """A version of the log in which no line answers the request; None where one does, or nobody looked."""

    @cached_property
    def made(self) -> list[Track]:
        """The ready tracks made for the request and not rejected for it, newest first."""
        made = self._store.tracks.made_for(self._key)
        return [track for track in made if track.id not in self._rejections.own]

    def find(self, terms: Terms) -> Repeat | None:
        """Return the track chosen for the request by hand, unless one was made since; else the newest one made for it.

        Else the close match that it got last; None without any.
        """
        # Taken before anything is read, so that a later change makes the remembered track stale.
        stamp = self._store.stamp()
        if remembered := self._store.recall(self._key):
            track, line = remembered
            if line is None or line.rule in BY_HAND or terms.stands(line):
                return Repeat(track, line)
        version = self._store.requests.version
        self._store.at_once(
            lambda: self._rejections.own,
            lambda: [*self._store.tracks.made_for(self._key)],
            self._by_hand,
        )
        # Most requests are new. To count their lines takes a third of the time of looking for one that decides.
        made, is_logged = self._made_and_logged()
        repeat = self._chosen() if is_logged else None
        if repeat is None and made:
            repeat = Repeat(made[0])
        elif repeat is None and is_logged:
            repeat = self._close_match(terms, version)
        elif repeat is None:
            self.unanswered_at = version
        if repeat is not None:
            self._store.remember(repeat.track, stamp, repeat.line)
        return repeat

    def _made_and_logged(self) -> tuple[list[Track], bool]:
        """Return the tracks made for the request, and whether the log has lines of it; both at once."""
        with ThreadPoolExecutor(max_workers=1) as beside:
            try:
                lines = beside.submit(self._store.requests.count, self._key)
            except RuntimeError:  # no more threads start, as when the main thread has ended
                return [*self.made], self._store.requests.count(self._key) > 0
            return [*self.made], lines.result() > 0

    def _chosen(self) -> Repeat | None:
        line = self._by_hand()
        if line is None or (self.made and self.made[0].created_at > line.created_at):
            return None
        track = self._ready(line)
        return Repeat(track, line) if track and track.id not in self._rejections.own else None

    def _by_hand(self) -> RequestRecord | None:
        lines = self._store.requests.list(limit=1, answered=True, key=self._key, rules=BY_HAND)
        return next(iter(lines), None)

    def _ready(self, line: RequestRecord) -> Track | None:
        """Return the track of a line, if it can still be handed out."""
        track = self._store.tracks.get(line.track_id) if line.track_id else None
        if track is None or track.state != "ready" or not self._store.audio.exists(track):
            return None
        return track

    def _close_match(self, terms: Terms, version: int) -> Repeat | None:
        store = self._store
        lines = store.requests.list(limit=1, answered=True, key=self._key, rules=("similar", "music"))
        line = next(iter(lines), None)
        if line is None and self._by_hand() is None:
            self.unanswered_at = version
        # Lines of earlier versions lack the features; their texts are read once more.
        if line is None or line.features is None or not terms.stands(line):
            return None
        if (track := self._ready(line)) is None:
            return None
        # The track was made for another request, so rejections for near requests count as well.
        vector = store.requests.vector_of(line)
        rejected = self._rejections.own if vector is None else self._rejections.near(vector, line.features)
        return None if track.id in rejected else Repeat(track, line)
