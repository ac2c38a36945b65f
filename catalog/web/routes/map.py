"""The map of the catalog over HTTP: every track in two dimensions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from ..json_response import Json
from ..layout.axes import kept_axes
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
    """The tracks in two dimensions; tracks that were made for similar contexts lie near each other."""

    points: list[MapPoint] = Field(description="In the order in which the tracks were made.")
    frame: MapFrame


@router.get("/map", response_model=MapResponse)
def map_(shared: SharedState) -> Response:
    """Place all tracks in two dimensions, along two main directions of their contexts' vectors, which are kept."""
    return Json(shared.map.get(shared.service.store.tracks.version(), lambda: _map(shared)))


def _map(shared: Shared) -> dict[str, Any]:
    store = shared.service.store
    ids, vectors = store.tracks.vectors()
    rows = {row["id"]: row for row in store.tracks.columns(COLUMNS).to_pylist()}
    axes = kept_axes(store.home, shared.service.encoder.identity, vectors)
    places = dict(zip(ids, axes.place(vectors).round(4).tolist(), strict=True))
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
