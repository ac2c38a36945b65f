"""The map of the catalog over HTTP: every track in two dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...store.store import Store
from ...store.vectors.track_vectors import READY
from ..json_response import Json
from ..layout.axes import Axes, Points, kept_axes
from ..layout.sounds import sounds_of
from ..problems import PROBLEMS
from ..state import Shared, SharedState

__all__ = ["router"]


router = APIRouter(prefix="/api", tags=["pictures"], responses=PROBLEMS)
COLUMNS = ("id", "style", "mood_tags", "valence", "energy", "summary", "title", "created_at")


class MapPoint(BaseModel):
    """A track on the map."""

    id: str
    x: float
    y: float
    style: str
    mood: str | None
    valence: float
    energy: float
    title: str


class MapFrame(BaseModel):
    """Where the map ends. It stays while tracks are added, until there are twice as many."""

    left: float
    right: float
    bottom: float
    top: float


class MapResponse(BaseModel):
    """The tracks in two dimensions; tracks that were made for similar contexts, or sound alike, lie near each other."""

    points: list[MapPoint] = Field(description="In the order in which the tracks were made.")
    frame: MapFrame
    of: Literal["context", "measured", "ear"] = Field(
        description="What places them: their contexts, what was measured of their sound, or what the ear hears."
    )
    without: int = Field(description="How many tracks have no place, since their sound was not measured.")


@router.get("/map", response_model=MapResponse)
def map_(
    shared: SharedState,
    by: Annotated[
        Literal["context", "sound"],
        Query(
            description="sound: timbre, tempo and loudness, or what the ear hears where it has heard every track."
        ),
    ] = "context",
) -> Response:
    """Place all tracks in two dimensions, along two main directions of their vectors, which are kept."""
    version = shared.service.store.tracks.version()
    if by == "sound":
        return Json(shared.sound_map.get(version, lambda: _by_sound(shared)))
    return Json(shared.map.get(version, lambda: _by_context(shared)))


def _by_context(shared: Shared) -> dict[str, Any]:
    store = shared.service.store
    ids, vectors = store.tracks.vectors()
    axes = kept_axes(store.home, shared.service.encoder.identity, vectors)
    return {**_placed(store, ids, axes.place(vectors), axes), "of": "context", "without": 0}


def _by_sound(shared: Shared) -> dict[str, Any]:
    store = shared.service.store
    of, kind, ids, vectors = sounds_of(store)
    axes = kept_axes(store.home, kind, vectors, name="map-by-sound")
    without = store.tracks.count(READY) - len(ids)
    return {**_placed(store, ids, axes.place(vectors), axes), "of": of, "without": max(0, without)}


def _placed(store: Store, ids: Sequence[str], spots: Points, axes: Axes) -> dict[str, Any]:
    rows = {row["id"]: row for row in store.tracks.columns(COLUMNS).to_pylist()}
    places = dict(zip(ids, spots.round(4).tolist(), strict=True))
    known = [rows[track_id] for track_id in ids if track_id in rows]
    points = [
        {
            "id": row["id"],
            "x": places[row["id"]][0],
            "y": places[row["id"]][1],
            "style": row["style"],
            "mood": next(iter(row["mood_tags"] or []), None),
            "valence": row["valence"],
            "energy": row["energy"],
            "title": row.get("title") or row["summary"],
        }
        for row in sorted(known, key=lambda row: (row["created_at"], row["id"]))
    ]
    left, bottom, right, top = axes.frame
    return {"points": points, "frame": {"left": left, "right": right, "bottom": bottom, "top": top}}
