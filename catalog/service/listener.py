"""A listener's and a theme's say in a call: what was played to them, and which of the fitting tracks they get."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone

from ..history import feedback
from ..models import Audience, Decision, Track
from ..reuse.decision import exact
from ..reuse.variety import COOLDOWN, Play, choose
from ..store.store import Store

__all__ = ["at_once", "chosen", "theme_track"]


def theme_track(store: Store, audience: Audience) -> str | None:
    """Return the id of the track that the theme of a call has for its listener, None without theme or track."""
    return store.theme_track(audience.theme, audience.listener) if audience.theme else None


def at_once(store: Store, audience: Audience, same: Track, kept: str | None) -> bool:
    """Tell whether the track of a repeat can be served without a look at others.

    It can when it is the theme's own (`kept`), or else when the listener, if there is one, has not heard it lately.
    """
    if kept is not None:
        return kept == same.id
    return same.id not in {play.track_id for play in _plays(store, audience.listener)}


def chosen(
    store: Store,
    audience: Audience,
    key: str,
    decision: Decision,
    same: Track | None,
    hits: Iterable[Track],
    *,
    kept: str | None,
    may_make: bool,
) -> tuple[Decision, Track | None]:
    """Return what the listener or the theme gets of all that may be served, and its track unless a variant is wanted.

    That is what `decision` admits of `hits`, and what was made for the request `key` or, as a repeat, is the `same`.
    """
    rejected = feedback.rejected(store, key)
    repeats = {track.id: track for track in store.made_for(key) if track.id not in rejected}
    if same is not None:
        repeats[same.id] = same
        found = {
            name: getattr(decision, name) for name in ("candidates", "filter", "considered", "rejected_by")
        }
        decision = exact(same).model_copy(update=found)
    tracks = {track.id: track for track in hits} | repeats
    answer = choose(
        decision,
        _plays(store, audience.listener),
        datetime.now(timezone.utc),
        repeats=[*repeats],
        variants=[track.id for track in tracks.values() if track.variant_of],
        may_make=may_make,
        theme=audience.theme,
        theme_track=kept,
    )
    return answer, tracks.get(answer.track_id or "")


def _plays(store: Store, listener: str) -> list[Play]:
    if not listener:
        return []
    return [Play(*play) for play in store.plays(listener, datetime.now(timezone.utc) - COOLDOWN.memory)]
