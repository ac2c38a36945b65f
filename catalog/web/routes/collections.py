"""Collections over HTTP: playlists and saved searches."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from ...errors import InputError
from ...models import Collection
from ..json_response import Json
from ..problems import PROBLEMS
from ..schemas import TrackJson, track_payload
from ..state import SharedState

__all__ = ["router"]


router = APIRouter(prefix="/api/collections", tags=["collections"], responses=PROBLEMS)
CollectionId = Annotated[str, Path(pattern=r"^[a-z0-9]{12}$")]
TrackIds = Annotated[list[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]], Field(max_length=10_000)]
Name = Annotated[str, Field(min_length=1, max_length=80)]
Way = Literal["meaning", "words", "both", "sound"]


class Body(BaseModel):
    """A body whose unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class NewCollection(Body):
    """A playlist, with tracks or none yet; with a `query` a saved search."""

    name: Name
    track_ids: TrackIds | None = None
    query: str | None = Field(None, max_length=2_000)
    by: Way = "both"
    sort: str = Field("-created_at", max_length=40)


class CollectionChanges(Body):
    """What changes; a field that is left out stays. A query, its way and its order are those of a saved search."""

    name: Name | None = None
    query: str | None = Field(None, max_length=2_000)
    by: Way | None = None
    sort: str | None = Field(None, max_length=40)
    track_ids: TrackIds | None = Field(None, description="All tracks of the playlist, in their new order.")


class SomeTracks(Body):
    """Tracks to add to a playlist or to take out."""

    track_ids: TrackIds


class Move(SomeTracks):
    """Tracks of a playlist, and where they go."""

    before: str | None = Field(None, max_length=64, description="A track of the playlist; null for the end.")


class CollectionList(BaseModel):
    """The collections by name."""

    collections: list[Collection]


class CollectedTracks(BaseModel):
    """A page of the tracks of a collection, and the number of all."""

    collection: Collection
    total: int
    tracks: list[TrackJson] = Field(description="A track in the trash has the state `trashed`.")


@router.get("", response_model=CollectionList)
def collections(shared: SharedState) -> Response:
    """List the collections."""
    return Json({"collections": [_json(one) for one in shared.service.collections.list()]})


@router.post("", response_model=Collection, status_code=201)
def create(body: NewCollection, shared: SharedState) -> Response:
    """Make a playlist, or keep a search under a name."""
    own = shared.service.collections
    if body.query is None:
        made = own.create(body.name, body.track_ids or [])
    elif body.track_ids is not None:
        raise InputError("a collection has tracks or a query; pass one of the two")
    else:
        shared.service.browse(body.query, by=body.by, sort=body.sort, narrow=True, limit=1)
        made = own.save_search(body.name, body.query, by=body.by, sort=body.sort)
    return Json(_json(made), status_code=201)


@router.get("/{collection_id}", response_model=Collection)
def collection(collection_id: CollectionId, shared: SharedState) -> Response:
    """Show one collection."""
    return Json(_json(shared.service.collections.get(collection_id)))


@router.patch("/{collection_id}", response_model=Collection)
def change(collection_id: CollectionId, body: CollectionChanges, shared: SharedState) -> Response:
    """Rename a collection, put the tracks of a playlist in another order, or give a saved search another query."""
    own = shared.service.collections
    changed = own.get(collection_id)
    search = body.model_dump(include={"query", "by", "sort"}, exclude_none=True)
    if search:
        asked = {"query": changed.query or "", "by": changed.by, "sort": changed.sort, **search}
        shared.service.browse(asked.pop("query"), narrow=True, limit=1, **asked)
        changed = own.change_search(collection_id, **search)
    if body.name is not None:
        changed = own.rename(collection_id, body.name)
    if body.track_ids is not None:
        changed = own.replace(collection_id, body.track_ids)
    return Json(_json(changed))


@router.post("/{collection_id}/add", response_model=Collection)
def add(collection_id: CollectionId, body: SomeTracks, shared: SharedState) -> Response:
    """Add tracks at the end of a playlist; one that is in it stays where it is."""
    return Json(_json(shared.service.collections.add(collection_id, body.track_ids)))


@router.post("/{collection_id}/remove", response_model=Collection)
def remove(collection_id: CollectionId, body: SomeTracks, shared: SharedState) -> Response:
    """Take tracks out of a playlist; they stay in the catalog."""
    return Json(_json(shared.service.collections.remove(collection_id, body.track_ids)))


@router.post("/{collection_id}/move", response_model=Collection)
def move(collection_id: CollectionId, body: Move, shared: SharedState) -> Response:
    """Move tracks of a playlist before another one, or to its end."""
    return Json(_json(shared.service.collections.move(collection_id, body.track_ids, body.before)))


@router.delete("/{collection_id}", response_model=Collection)
def delete(collection_id: CollectionId, shared: SharedState) -> Response:
    """Delete a collection, not its tracks; `restore` brings it back for a week."""
    return Json(_json(shared.service.collections.delete(collection_id)))


@router.post("/{collection_id}/restore", response_model=Collection)
def restore(collection_id: CollectionId, shared: SharedState) -> Response:
    """Bring a deleted collection back."""
    return Json(_json(shared.service.collections.restore(collection_id)))


@router.get("/{collection_id}/tracks", response_model=CollectedTracks)
def tracks(
    collection_id: CollectionId,
    shared: SharedState,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:
    """List the tracks of a collection: those of a playlist in its order, those of a saved search as they are now."""
    page = shared.service.collected(collection_id, limit=limit, offset=offset)
    own = shared.service.collections.get(collection_id)
    tracks = [track_payload(track) for track in page.tracks]
    return Json({"collection": _json(own), "total": page.total, "tracks": tracks})


def _json(collection: Collection) -> dict[str, Any]:
    return collection.model_dump(mode="json")
