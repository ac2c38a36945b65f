"""Who a call plays for: what was played to them, and which of the fitting tracks they get."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from functools import cached_property

from ..models import Audience, Decision, Track
from ..reuse.decision import exact
from ..reuse.variety import COOLDOWN, Play, choose
from ..store.store import Store

__all__ = ["Listener"]


class Listener:
    """The listener and the theme of a call, either of which may be missing."""

    def __init__(self, store: Store, audience: Audience) -> None:
        self._store = store
        self._audience = audience
        self.theme_track = (
            store.requests.theme_track(audience.theme, audience.listener) if audience.theme else None
        )
        """The id of the track that the theme has for this listener; None without a theme or a track."""

    @property
    def named(self) -> bool:
        """Whether the caller named a listener or a theme."""
        return bool(self._audience.listener or self._audience.theme)

    def takes_at_once(self, repeat: Track) -> bool:
        """Return whether a repeat is served without a search for other tracks.

        With a theme's track, only that track is. Otherwise any repeat is that the listener has not heard lately.
        """
        if self.theme_track is not None:
            return self.theme_track == repeat.id
        return repeat.id not in {play.track_id for play in self._plays}

    def choose(
        self,
        decision: Decision,
        candidates: Iterable[Track],
        repeat: Track | None,
        made: Iterable[Track],
        *,
        may_make: bool,
    ) -> tuple[Decision, Track | None]:
        """Return the decision for this listener and its track, None where a variant is to be made.

        The choice is among the `candidates` that `decision` admits, the tracks `made` for the request, and its
        `repeat`.
        """
        repeats = {track.id: track for track in made}
        if repeat is not None:
            repeats[repeat.id] = repeat
            search = ("candidates", "filter", "considered", "rejected_by")
            decision = exact(repeat).model_copy(update={name: getattr(decision, name) for name in search})
        tracks = {track.id: track for track in candidates} | repeats
        chosen = choose(
            decision,
            self._plays,
            datetime.now(timezone.utc),
            repeats=[*repeats],
            variants=[track.id for track in tracks.values() if track.variant_of],
            may_make=may_make,
            theme=self._audience.theme,
            theme_track=self.theme_track,
        )
        return chosen, tracks.get(chosen.track_id or "")

    @cached_property
    def _plays(self) -> list[Play]:
        if not self._audience.listener:
            return []
        since = datetime.now(timezone.utc) - COOLDOWN.memory
        return [Play(*play) for play in self._store.requests.plays(self._audience.listener, since)]
