"""The log of requests over HTTP, and the catalog as a list to download."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...export import list_bytes
from ...models import FilterArguments, RequestRecord, Track
from ...search.query import add_facts, parse, require_words
from ...service.browse import BEST
from ..json_response import Json
from ..problems import PROBLEMS
from ..schemas import with_file_names
from ..state import SharedState

__all__ = ["router"]


router = APIRouter(prefix="/api", tags=["catalog"], responses=PROBLEMS)
KINDS = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl; charset=utf-8",
    "m3u": "audio/x-mpegurl; charset=utf-8",
}


class HistoryEntry(RequestRecord):
    """A line of the log of requests, with the rating or the rejection of its answer."""

    relevance: float | None
    answer_rating: int | None
    rejected: bool
    track_title: str | None = Field(description="What the track that was served is called.")
    text_track: str | None = Field(
        description="The id of a track whose `context` is the whole text of the request; the log keeps a summary."
    )


class HistoryResponse(BaseModel):
    """Lines of the log, the newest first, or the nearest first for a search."""

    requests: list[HistoryEntry]


@router.get("/history", response_model=HistoryResponse)
def history(
    shared: SharedState,
    q: Annotated[
        str, Query(max_length=2_000, description="Only requests near to this text; empty for all.")
    ] = "",
    by: Literal["meaning", "words"] = "meaning",
    limit: Annotated[int, Query(ge=1, le=5_000)] = 50,
    narrow: Annotated[bool, Query(description="Leave out what has nothing to do with the text.")] = False,
) -> Response:
    """List earlier requests and what was served for them."""
    held = shared.service.store.tracks.columns(("id", "summary", "context_sha256")).to_pylist()
    titles = {row["id"]: row["summary"] for row in held}
    made_for = {row["context_sha256"]: row["id"] for row in held}
    lines: list[dict[str, Any]] = [
        {
            **one.record.model_dump(mode="json"),
            "relevance": one.relevance,
            "answer_rating": one.rating,
            "rejected": one.rejected,
            "track_title": titles.get(one.record.track_id or ""),
            "text_track": made_for.get(one.record.context_sha256),
        }
        for one in shared.service.history(q.strip() or None, by=by, limit=limit, narrow=narrow)
    ]
    return Json({"requests": lines})


@router.get(
    "/export",
    response_class=Response,
    responses={200: {"content": {kind.partition(";")[0]: {} for kind in KINDS.values()}}},
)
def export(
    request: Request,
    shared: SharedState,
    format: Literal["csv", "jsonl", "m3u"],
    q: Annotated[str, Query(max_length=2_000, description="Only tracks that meet this query.")] = "",
    by: Annotated[
        Literal["meaning", "words", "both"] | None,
        Query(
            description="Search for the words of the query, best first, as `GET /api/tracks` with `narrow` does."
        ),
    ] = None,
    sort: Annotated[str, Query(max_length=40, description="A column; - in front reverses.")] = "created_at",
    trashed: bool = False,
) -> Response:
    """Download the catalog as a list; the places of the audio are addresses of this service.

    Without `by` a track must contain the words of the query.
    """
    library = shared.service.library
    state: FilterArguments = {"state": "trashed"} if trashed else {}
    query = add_facts(parse(q, {"style": library.styles.keys(), "role": library.roles.keys()}), state)
    tracks: Sequence[Track]
    if by and query.text:
        tracks = shared.service.browse(query, by=by, narrow=True, limit=BEST).tracks
    else:
        tracks = shared.service.store.tracks.list(require_words(query).where, order=sort)
    without_paths = [
        track.model_copy(update={"config_sources": with_file_names(track.config_sources)}) for track in tracks
    ]
    home = str(request.base_url)
    content = list_bytes(without_paths, format, lambda track: f"{home}api/tracks/{track.id}/audio")
    headers = {"Content-Disposition": f'attachment; filename="catalog.{format}"'}
    return Response(content, media_type=KINDS[format], headers=headers)
