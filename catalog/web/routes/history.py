"""The log of requests over HTTP."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...models import RequestRecord
from ..json_response import Json
from ..problems import PROBLEMS
from ..state import SharedState

__all__ = ["router"]


router = APIRouter(prefix="/api", tags=["catalog"], responses=PROBLEMS)


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
