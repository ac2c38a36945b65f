"""Record what people say of tracks: ratings, labels, and rejections of a track for a request."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timezone
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from ..errors import Damage, InputError, NotFound
from ..models import Judgement, Mood, RequestRecord, Track
from ..store.store import Store
from ..store.tracks import Changes
from .rejections import newest_verdicts

__all__ = ["CHOSEN_RATING", "TrackChanges", "answer", "change_all", "find_request", "label", "rate", "reject"]

CHOSEN_RATING = 4
"""What choosing a track by hand says of it as the answer to a request."""


Vector = NDArray[np.float32]


class TrackChanges(TypedDict, total=False):
    """What a person changes of one track among many; what is left out stays."""

    rating: int | None
    tags: Collection[str]
    note: str
    title: str
    trashed: bool


def rate(store: Store, track_id: str, rating: int | None, request_id: str | None = None) -> Track:
    """Rate a track 1 to 5, or take its rating back with None, and return the changed track.

    With `request_id` the rating also states how well the track fitted that request. Raises NotFound without track or
    request, InputError for another number.
    """
    request = find_request(store, request_id) if request_id else None
    track = store.tracks.update(store.tracks.find_id(track_id).id, rating=rating)
    store.judgements.append(_judgement("rated", track.id, request, rating), _vector_of(store, request))
    return track


def change_all(store: Store, changes: Mapping[str, TrackChanges]) -> list[Track]:
    """Change many tracks in one commit, all or none, and return them; `changes` is by id.

    Raises NotFound without one of the tracks, Damage for one to restore whose audio is gone, InputError for no track.
    """
    if not changes:
        raise InputError("no track is named; pass the changes of one track at least")
    now = datetime.now(timezone.utc)

    def fields_of(track: Track) -> Mapping[str, Any]:
        fields: dict[str, Any] = {**changes[track.id]}
        if "tags" in fields:
            fields["tags"] = tuple(dict.fromkeys(fields["tags"]))
        trashed = fields.pop("trashed", None)
        if trashed is True and track.state != "trashed":
            fields |= {"state": "trashed", "trashed_at": now}
        elif trashed is False:
            if not store.audio.exists(track):
                raise Damage(f"track {track.id} cannot be restored: its file {track.audio_path} is gone")
            fields |= {"state": "ready", "trashed_at": None}
        return fields

    changed = store.tracks.change_all(dict.fromkeys(changes, fields_of))
    ratings = [
        _judgement("rated", each, None, one["rating"]) for each, one in changes.items() if "rating" in one
    ]
    store.judgements.table.absorb(ratings)
    return changed


def answer(store: Store, track_id: str, request_id: str, rating: int) -> Judgement:
    """Rate a track 1 to 5 as the answer to one request; the track's own rating stays. Raises NotFound."""
    request = find_request(store, request_id)
    judgement = _judgement("rated", track_id, request, rating)
    store.judgements.append(judgement, _vector_of(store, request))
    return judgement


def label(
    store: Store,
    track_id: str,
    *,
    add: Collection[str] = (),
    remove: Collection[str] = (),
    note: str | None = None,
    title: str | None = None,
) -> Track:
    """Add and remove labels of a track, set its note and title unless None, and return the changed track."""
    track = store.tracks.find_id(track_id)
    changes: Changes = {}
    if add or remove:
        changes["tags"] = [tag for tag in (*track.tags, *add) if tag not in remove]
    if note is not None:
        changes["note"] = note
    if title is not None:
        changes["title"] = title
    return store.tracks.update(track.id, **changes)


def reject(
    store: Store,
    track_id: str,
    request_id: str | None = None,
    *,
    undo: bool = False,
    encode: Callable[[str], Vector] | None = None,
) -> Judgement:
    """Keep a track from a request that it is wrong for, and from requests near it; `undo` takes that back.

    The default request is the last that the track was served for, with `undo` the last that it was rejected for.
    `encode` makes a vector of the request's summary where none was logged. Raises NotFound without track or request,
    and with `undo` where no rejection stands.
    """
    track = store.tracks.find_id(track_id)
    if request_id:
        request = find_request(store, request_id)
        if undo and all(one.key != request.key for one in _rejections(store, track)):
            raise NotFound(
                f"track {track.id} does not stand rejected for the request {request_id}; there is nothing to undo"
            )
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
    lines = store.requests.list(limit=1, id=request_id)
    if not lines:
        raise NotFound(f"there is no request {request_id!r}; `catalog history` lists them")
    return lines[0]


def _last_served(store: Store, track: Track) -> RequestRecord:
    lines = store.requests.list(limit=1, answered=True, track_id=track.id)
    if not lines:
        raise NotFound(f"track {track.id} was served for no request; name one with request_id")
    return lines[0]


def _rejections(store: Store, track: Track) -> list[Judgement]:
    """Return the rejections of a track that stand."""
    newest = newest_verdicts(store.judgements.list(track_id=track.id))
    return [judgement for judgement in newest if judgement.verdict == "rejected"]


def _last_rejected(store: Store, track: Track) -> RequestRecord:
    rejections = _rejections(store, track)
    if not rejections:
        raise NotFound(f"track {track.id} stands rejected for no request; there is nothing to undo")
    return find_request(store, max(rejections, key=lambda judgement: judgement.created_at).request_id)


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
    """Return the mood of a request: from its line, else from the track made for it."""
    source = request.features or next(iter(store.tracks.made_for(request.key)), None)
    if source is None:
        return None
    return Mood(valence=source.valence, energy=source.energy, mood_tags=source.mood_tags)
