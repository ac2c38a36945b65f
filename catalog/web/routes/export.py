"""Tracks to download: the list shown, a collection or single tracks, as a list or as a ZIP file of their audio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from ...errors import NotFound
from ...export import list_bytes, plain_letters, zip_of
from ...models import MOST_TRACKS, FilterArguments, Track
from ...search.query import add_facts, parse, require_words
from ...service.browse import BEST, SearchBy, of_ids
from ..problems import PROBLEMS
from ..ranges import attachment
from ..schemas import with_file_names
from ..state import Shared, SharedState

__all__ = ["router"]


router = APIRouter(prefix="/api", tags=["catalog"], responses=PROBLEMS)
KINDS = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl; charset=utf-8",
    "m3u": "audio/x-mpegurl; charset=utf-8",
    "zip": "application/zip",
}
MOST_IDS_LENGTH = 40_000
"""Characters of the ids in an address; servers take addresses of 64 kB."""


@router.get(
    "/export",
    response_class=Response,
    responses={200: {"content": {kind.partition(";")[0]: {} for kind in KINDS.values()}}},
)
def export(
    request: Request,
    shared: SharedState,
    format: Annotated[
        Literal["csv", "jsonl", "m3u", "zip"],
        Query(description="zip holds the audio as it was made, and a playlist."),
    ],
    q: Annotated[str, Query(max_length=2_000, description="Only tracks that meet this query.")] = "",
    by: Annotated[
        Literal["meaning", "words", "both", "sound"] | None,
        Query(
            description="Search for the words of the query, best first, as `GET /api/tracks` with `narrow` does."
        ),
    ] = None,
    sort: Annotated[str, Query(max_length=40, description="A column; - in front reverses.")] = "created_at",
    trashed: bool = False,
    collection: Annotated[
        str,
        Query(pattern=r"^([a-z0-9]{12})?$", description="The tracks of this collection, in its order."),
    ] = "",
    ids: Annotated[
        str,
        Query(
            pattern=r"^[a-z0-9,-]*$",
            max_length=MOST_IDS_LENGTH,
            description="These tracks, in this order, with commas between their ids.",
        ),
    ] = "",
) -> Response:
    """Download tracks as a list, whose places of the audio are addresses of this service, or with their audio.

    These are all tracks, those of a query, of a collection or single ones. Without `by` a track must contain the
    words of the query. Of a collection, what is in the trash is left out.
    """
    tracks: Sequence[Track]
    if ids:
        name, tracks = "tracks", _named(shared, ids)
    elif collection:
        own = shared.service.collections.get(collection)
        page = shared.service.collected(collection, limit=MOST_TRACKS if own.query is None else BEST)
        name, tracks = _file_name(own.name), [track for track in page.tracks if track.state == "ready"]
    else:
        name, tracks = "catalog", _listed(shared, q, by, sort, trashed)
    headers = {"Content-Disposition": attachment(f"{name}.{format}")}
    if format == "zip":
        return StreamingResponse(
            zip_of(shared.service.store, tracks), media_type=KINDS[format], headers=headers
        )
    without_paths = [
        track.model_copy(update={"config_sources": with_file_names(track.config_sources)}) for track in tracks
    ]
    home = str(request.base_url)
    content = list_bytes(without_paths, format, lambda track: f"{home}api/tracks/{track.id}/audio")
    return Response(content, media_type=KINDS[format], headers=headers)


def _listed(shared: Shared, q: str, by: SearchBy | None, sort: str, trashed: bool) -> Sequence[Track]:
    state: FilterArguments = {"state": "trashed"} if trashed else {}
    query = add_facts(parse(q, shared.service.known_names()), state)
    if by and query.text:
        return shared.service.browse(query, by=by, narrow=True, limit=BEST).tracks
    return shared.service.store.tracks.list(require_words(query).where, order=sort)


def _named(shared: Shared, ids: str) -> list[Track]:
    wanted = [*dict.fromkeys(each for each in ids.split(",") if each)]
    found = of_ids(shared.service.store, wanted)
    if unknown := [each for each in wanted if each not in found]:
        raise NotFound(f"there is no track {unknown[0]!r}")
    return [found[each] for each in wanted]


def _file_name(name: str) -> str:
    return plain_letters(name) or "collection"
