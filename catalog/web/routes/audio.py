"""The audio of a track over HTTP: its file, in parts and in other formats, and the outline of its waveform."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path as FilePath
from typing import Annotated, BinaryIO, Literal

import numpy as np
from fastapi import APIRouter, Query, Request
from numpy.typing import NDArray
from pydantic import BaseModel
from starlette.responses import Response

from ...errors import InputError
from ...export import name_of, part_of, write_audio
from ...file_tags import has_tags, tags_of
from ...models import Track
from ..json_response import Json
from ..problems import PROBLEMS
from ..ranges import attachment, file_response
from ..state import UNCHANGING, Shared, SharedState, TrackId

__all__ = ["MEDIA_TYPES", "Format", "router"]


router = APIRouter(prefix="/api/tracks", tags=["tracks"], responses=PROBLEMS)
Format = Literal["wav", "flac", "ogg"]

MEDIA_TYPES = {"wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg"}
MOST_SECONDS = 86_400.0
FINEST = 2000
"""The number of points of the outline that is kept; coarser outlines are made from it."""


class Peaks(BaseModel):
    """The outline of a waveform: the lowest and the highest sample in each of `points` equal spans, -1 to 1."""

    points: int
    duration_s: float
    min: list[float]
    max: list[float]


@router.head("/{track_id}/audio", include_in_schema=False)
@router.get(
    "/{track_id}/audio",
    response_class=Response,
    responses={
        200: {"content": {kind: {} for kind in MEDIA_TYPES.values()}, "description": "The whole file."},
        206: {"description": "The parts that the Range header names."},
        304: {"description": "The caller has this file already."},
    },
)
def audio(
    track_id: TrackId,
    request: Request,
    shared: SharedState,
    format: Annotated[
        Format,
        Query(
            description="wav is the file as it is stored, but for a download, which gets the tags of today."
        ),
    ] = "wav",
    download: Annotated[
        bool, Query(description="Offer it to be saved, under a name that describes it.")
    ] = False,
    start_s: Annotated[
        float | None, Query(ge=0, le=MOST_SECONDS, description="Cut the sound from here on, to the sample.")
    ] = None,
    end_s: Annotated[
        float | None, Query(ge=0, le=MOST_SECONDS, description="Cut the sound up to here, to the sample.")
    ] = None,
) -> Response:
    """Send the audio of a track, whole or cut from `start_s` to `end_s`, and of that what a Range header names."""
    track = shared.track(track_id)
    source = shared.service.store.audio.verified_path(track)
    name, etag = name_of(track), track.audio_sha256
    if start_s is not None or end_s is not None:
        first, end = _frames(track, start_s, end_s)
        etag = f"{etag}-{first}-{end}-{_tags_digest(track)}"
        file = shared.cache.open(
            "audio", f"{etag}.{format}", lambda: part_of(track, source, format, first, end)
        )
        name = f"{name}-{first / track.sample_rate:.2f}-{end / track.sample_rate:.2f}s"
    elif format == "wav" and (has_tags(track) or not download):
        file = source.open("rb")
    else:
        etag = f"{etag}-{_tags_digest(track)}"
        file = _converted(shared, track, source, f"{etag}.{format}")
    # The tags of a file that is made here change with the title.
    headers = {"Cache-Control": UNCHANGING if etag == track.audio_sha256 and not download else "no-cache"}
    if download:
        headers["Content-Disposition"] = attachment(f"{name}.{format}")
    return file_response(
        file,
        request,
        etag=etag if format == "wav" else f"{etag}-{format}",
        media_type=MEDIA_TYPES[format],
        headers=headers,
    )


@router.get("/{track_id}/peaks", response_model=Peaks)
def peaks(
    track_id: TrackId,
    request: Request,
    shared: SharedState,
    points: Annotated[int, Query(ge=1, le=FINEST)] = 400,
) -> Response:
    """Outline the waveform of a track."""
    track = shared.track(track_id)
    etag = f'"{track.audio_sha256}-{points}"'
    headers = {"Cache-Control": UNCHANGING, "ETag": etag}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    with shared.cache.open("peaks", f"{track.audio_sha256}.i8", lambda: _outline(shared, track)) as file:
        fine = np.frombuffer(file.read(), np.int8).reshape(-1, 2)
    low, high = _coarser(fine, points) / np.float32(127)
    payload = {
        "points": points,
        "duration_s": track.duration_s,
        "min": [round(float(value), 3) for value in low],
        "max": [round(float(value), 3) for value in high],
    }
    return Json(payload, headers=headers)


def _frames(track: Track, start_s: float | None, end_s: float | None) -> tuple[int, int]:
    """Return the first frame of a part and the one after its last. Raises InputError for a part without a sample."""
    whole = round(track.duration_s * track.sample_rate)
    first = round((start_s or 0.0) * track.sample_rate)
    end = whole if end_s is None else min(whole, round(end_s * track.sample_rate))
    if first >= end:
        raise InputError(
            f"start_s {start_s} and end_s {end_s} cut nothing out; pass a start before the end, within the "
            f"{track.duration_s:.3f} s of the track"
        )
    return first, end


def _converted(shared: Shared, track: Track, source: FilePath, name: str) -> BinaryIO:
    """Return the audio with the tags of `track`, kept as `name`, whose ending is the format."""

    def make() -> bytes:
        with tempfile.TemporaryDirectory(prefix="catalog-") as folder:
            target = FilePath(folder) / f"audio{FilePath(name).suffix}"
            write_audio(track, source, target)
            return target.read_bytes()

    return shared.cache.open("audio", name, make)


def _tags_digest(track: Track) -> str:
    tags = json.dumps(tags_of(track), sort_keys=True)
    return hashlib.sha256(tags.encode("utf-8")).hexdigest()[:16]


def _outline(shared: Shared, track: Track) -> bytes:
    """Return the finest outline as pairs of signed bytes, 2 * FINEST of them."""
    from ...generator.audio import analysis

    spans = analysis.peaks(shared.samples(track), FINEST)
    return np.clip(np.rint(spans * 127), -127, 127).astype(np.int8).tobytes()


def _coarser(fine: NDArray[np.int8], points: int) -> NDArray[np.int8]:
    """Return the lowest and the highest value in each of `points` spans of the finest outline, shape (2, points)."""
    starts = np.arange(points) * len(fine) // points
    return np.stack([np.minimum.reduceat(fine[:, 0], starts), np.maximum.reduceat(fine[:, 1], starts)])
