"""What people say of tracks: ratings, and rejections that keep a track from the request it was wrong for."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection
from datetime import datetime, timezone

import numpy as np
from numpy.typing import NDArray

from ..errors import NotFound
from ..models import Judgement, Mood, RequestRecord, Track
from ..store.store import Store
from ..store.tracks import Changes
from .rejections import newest_verdicts

__all__ = ["find_request", "label", "rate", "reject"]


Vector = NDArray[np.float32]


def rate(store: Store, track_id: str, rating: int | None, request_id: str | None = None) -> Track:
    """Give a track 1 to 5, or take its rating back with None, and return it as it now is.

    With `request_id` the rating is also an answer to whether the track fitted there. Raises NotFound without track or
    request, InputError for another number.
    """
    request = find_request(store, request_id) if request_id else None
    track = store.tracks.update(store.tracks.find_id(track_id).id, rating=rating)
    store.judgements.append(_judgement("rated", track.id, request, rating), _vector_of(store, request))
    return track


def label(
    store: Store,
    track_id: str,
    *,
    add: Collection[str] = (),
    remove: Collection[str] = (),
    note: str | None = None,
) -> Track:
    """Put a person's labels on a track or take them off, write its note unless None, and return it."""
    track = store.tracks.find_id(track_id)
    changes: Changes = {}
    if add or remove:
        changes["tags"] = [tag for tag in (*track.tags, *add) if tag not in remove]
    if note is not None:
        changes["note"] = note
    return store.tracks.update(track.id, **changes)


def reject(
    store: Store,
    track_id: str,
    request_id: str | None = None,
    *,
    undo: bool = False,
    encode: Callable[[str], Vector] | None = None,
) -> Judgement:
    """Keep a track from the request it was wrong for, and from requests near it; `undo` takes that back.

    Without `request_id` it is the request the track was last served for, and with `undo` the one it was last rejected
    for. `encode` turns the request's summary into a vector where none was logged. Raises NotFound without track or
    request.
    """
    track = store.tracks.find_id(track_id)
    if request_id:
        request = find_request(store, request_id)
    else:
        request = _last_rejected(store, track) if undo else _last_served(store, track)
    judgement = _judgement(
        "allowed" if undo else "rejected", track.id, request, mood=_mood_of(store, request)
    )
    vector = _vector_of(store, request)
    if vector is None and encode is not None and request.summary:
        vector = encode(request.summary)
    store.judgements.append(judgement, vector)
    return judgement


def find_request(store: Store, request_id: str) -> RequestRecord:
    """Return the line of the log with that id; raises NotFound without."""
    found = store.requests.list(limit=1, id=request_id)
    if not found:
        raise NotFound(f"there is no request {request_id!r}; `catalog history` lists them")
    return found[0]


def _last_served(store: Store, track: Track) -> RequestRecord:
    lines = store.requests.list(limit=1, answered=True, track_id=track.id)
    if not lines:
        raise NotFound(f"track {track.id} was served for no request; name one with request_id")
    return lines[0]


def _last_rejected(store: Store, track: Track) -> RequestRecord:
    said = [
        one for one in newest_verdicts(store.judgements.list(track_id=track.id)) if one.verdict == "rejected"
    ]
    if not said:
        raise NotFound(f"track {track.id} stands rejected for no request; there is nothing to undo")
    return find_request(store, max(said, key=lambda one: one.created_at).request_id)


def _judgement(
    verdict: str,
    track_id: str,
    request: RequestRecord | None,
    rating: int | None = None,
    mood: Mood | None = None,
) -> Judgement:
    return Judgement.model_validate(
        {
            "id": uuid.uuid4().hex[:16],
            "created_at": datetime.now(timezone.utc),
            "verdict": verdict,
            "track_id": track_id,
            "request_id": request.id if request else "",
            "key": request.key if request else "",
            "rating": rating,
            "mood": mood,
        }
    )


def _vector_of(store: Store, request: RequestRecord | None) -> Vector | None:
    return store.requests.vector_of(request) if request else None


def _mood_of(store: Store, request: RequestRecord) -> Mood | None:
    """Return how a request felt: as its line tells, else as the track made for it was to."""
    felt = request.features or next(iter(store.tracks.made_for(request.key)), None)
    return Mood(valence=felt.valence, energy=felt.energy, mood_tags=felt.mood_tags) if felt else None
