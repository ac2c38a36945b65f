"""Tracks over HTTP: list, search, show, rate, label, reject, trash, restore, and find similar ones."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from ...errors import InputError
from ...history.feedback import TrackChanges as TrackChangesOfMany
from ...history.feedback import change_all
from ...models import FilterArguments, Judgement, Page, Rating, YesOrNo
from ...service.browse import NEWEST
from ..json_response import Json
from ..problems import PROBLEMS
from ..schemas import FullTrackJson, TrackJson, full_track_payload, track_payload
from ..state import SharedState, TrackId, Trusted

__all__ = ["router"]


router = APIRouter(prefix="/api/tracks", tags=["tracks"], responses=PROBLEMS)
Order = Annotated[
    str, Query(max_length=40, description="A column; - in front reverses. Empty: the best first.")
]


class ScoredTrack(TrackJson):  # type: ignore[misc]
    """A track, with its score where the list was searched."""

    score: float | None = None
    takes: list[TrackJson] = Field([], description="Other takes, where they are folded.")


class TrackPage(BaseModel):
    """A page of tracks, the number of all, and how many there are of each kind."""

    query: str = Field(description="The query as it was understood, in the query language.")
    total: int
    rows: int | None = Field(None, description="How many rows the list has where takes are folded.")
    tracks: list[ScoredTrack]
    facets: dict[str, dict[str, int]]
    missing: list[str] = Field([], description="Words of the query that no track has, where it narrows.")
    meant: dict[str, str] = Field({}, description="What may have been meant by terms of the query.")


class SimilarTracks(BaseModel):
    """Tracks near to another, the nearest first."""

    tracks: list[ScoredTrack]
    note: str = Field("", description="Why there are none, where the track cannot be compared that way.")


class TrackChanges(BaseModel):
    """The changes to a track that a person makes; a field that is left out stays."""

    model_config = ConfigDict(extra="forbid")

    rating: Rating | None = None
    request_id: str | None = Field(None, max_length=64, description="The request whose answer is rated.")
    tags: list[Annotated[str, Field(max_length=60)]] | None = Field(None, max_length=50)
    note: str | None = Field(None, max_length=5_000)
    title: str | None = Field(None, max_length=200, description="What it is called in place of its summary.")


class ChangesOfMany(BaseModel):
    """The changes of one track among many; a field that is left out stays."""

    model_config = ConfigDict(extra="forbid")

    rating: Rating | None = None
    tags: list[Annotated[str, Field(max_length=60)]] | None = Field(None, max_length=50)
    note: str | None = Field(None, max_length=5_000)
    title: str | None = Field(None, max_length=200)
    trashed: YesOrNo | None = Field(None, description="true moves it to the trash, false brings it back.")


class ManyChanges(BaseModel):
    """Changes of many tracks."""

    model_config = ConfigDict(extra="forbid")

    changes: dict[Annotated[str, Field(max_length=64)], ChangesOfMany] = Field(
        min_length=1, max_length=500, description="By the id of the track."
    )


class ChangedTracks(BaseModel):
    """The tracks that were changed, as they are now."""

    tracks: list[TrackJson]


class RejectBody(BaseModel):
    """The request that a track was wrong for."""

    model_config = ConfigDict(extra="forbid")

    request_id: str | None = Field(None, max_length=64, description="Left out: the last one it answered.")
    undo: YesOrNo = Field(False, description="Take the rejection back.")


@router.get("", response_model=TrackPage)
def tracks(
    shared: SharedState,
    q: Annotated[str, Query(max_length=2_000, description="The query; empty lists everything.")] = "",
    by: Literal["meaning", "words", "both", "sound"] = "both",
    sort: Order = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    trashed: bool = False,
    narrow: Annotated[
        bool, Query(description="Leave out what matches none of the words, and keep the best 200.")
    ] = False,
    folded: Annotated[
        bool, Query(description="Show the takes of one request under the first of them.")
    ] = False,
) -> Response:
    """List tracks, or search them where there is a query `q`."""
    state: FilterArguments = {"state": "trashed"} if trashed else {}

    def read() -> dict[str, Any]:
        page = shared.service.browse(
            q, by=by, sort=sort or NEWEST, limit=limit, offset=offset, narrow=narrow, folded=folded, **state
        )
        return _page_payload(page)

    # The list alone follows from the table; a search looks at the audio files too.
    return Json(read() if q.strip() else shared.listed((sort, limit, offset, trashed, narrow, folded), read))


@router.patch("", response_model=ChangedTracks)
def change_many(body: ManyChanges, shared: SharedState) -> Response:
    """Rate, label, trash and restore up to 500 tracks in one write, all or none; null removes a value."""
    empty: dict[str, Any] = {"tags": [], "note": "", "title": "", "trashed": False}
    changes: dict[str, TrackChangesOfMany] = {}
    for track_id, one in body.changes.items():
        given = one.model_dump(exclude_unset=True)
        changes[track_id] = cast(
            "TrackChangesOfMany",
            {name: empty.get(name) if value is None else value for name, value in given.items()},
        )
    return Json({"tracks": [track_payload(one) for one in change_all(shared.service.store, changes)]})


@router.get("/{track_id}", response_model=FullTrackJson)
def track(track_id: TrackId, shared: SharedState, trusted: Trusted) -> Response:
    """Show everything about a track: what it was made for, how, and by which model."""
    return Json(full_track_payload(shared.track(track_id), trusted=trusted))


@router.patch("/{track_id}", response_model=FullTrackJson)
def change(track_id: TrackId, changes: TrackChanges, shared: SharedState, trusted: Trusted) -> Response:
    """Rate a track, label it, name it or write a note about it; null removes the rating, tags, note or title."""
    labels: Any = changes.model_dump(exclude_unset=True, exclude={"rating", "request_id"})
    empty: dict[str, Any] = {"tags": [], "note": "", "title": ""}
    labels = {name: empty[name] if value is None else value for name, value in labels.items()}
    track = shared.track(track_id)
    if "rating" in changes.model_fields_set:
        track = shared.service.rate(track.id, changes.rating, request_id=changes.request_id)
    if labels:
        track = shared.service.store.tracks.update(track.id, **labels)
    return Json(full_track_payload(track, trusted=trusted))


@router.post("/{track_id}/reject", response_model=Judgement)
def reject(track_id: TrackId, body: RejectBody, shared: SharedState) -> Response:
    """Keep a track from a request that it was wrong for, and from near requests; the track itself stays."""
    judgement = shared.service.reject(shared.track(track_id).id, body.request_id, undo=body.undo)
    return Json(judgement.model_dump(mode="json"))


@router.delete("/{track_id}", response_model=FullTrackJson)
def trash(track_id: TrackId, shared: SharedState, trusted: Trusted) -> Response:
    """Move a track to the trash; its audio stays, and `restore` brings it back."""
    return Json(full_track_payload(shared.service.store.tracks.trash(track_id), trusted=trusted))


@router.post("/{track_id}/restore", response_model=FullTrackJson)
def restore(track_id: TrackId, shared: SharedState, trusted: Trusted) -> Response:
    """Bring a track back from the trash."""
    return Json(full_track_payload(shared.service.store.tracks.restore(track_id), trusted=trusted))


@router.get("/{track_id}/similar", response_model=SimilarTracks)
def similar(
    track_id: TrackId,
    shared: SharedState,
    by: Literal["text", "sound", "ear"] = "text",
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    start_s: Annotated[float | None, Query(ge=0, description="Compare the part from here on.")] = None,
    end_s: Annotated[float | None, Query(ge=0, description="Compare the part up to here.")] = None,
) -> Response:
    """List the tracks nearest to one, by the text that they were made for, their sound or what the ear hears."""
    try:
        hits = shared.service.similar(
            shared.track(track_id).id, by=by, limit=limit, start_s=start_s, end_s=end_s
        )
    except InputError as error:
        # The route has checked the parameters, so the error is about the track: it is silent or too short.
        return Json({"tracks": [], "note": str(error)})
    payloads = [{**track_payload(hit.track), "score": round(hit.score, 4)} for hit in hits]
    return Json({"tracks": payloads, "note": ""})


def _page_payload(page: Page) -> dict[str, Any]:
    tracks = [
        {
            **track_payload(track),
            "score": round(page.scores[track.id], 4) if track.id in page.scores else None,
            **({"takes": [*map(track_payload, page.takes[track.id])]} if track.id in page.takes else {}),
        }
        for track in page.tracks
    ]
    return {
        "query": page.query,
        "total": page.total,
        "rows": page.rows,
        "tracks": tracks,
        "facets": page.facets,
        "missing": page.missing,
        "meant": page.meant,
    }
