"""Pictures of tracks over HTTP: the spectrogram, and beats and sections to draw beside it."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from fastapi import APIRouter, Request
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...portrait.structure import structure_json
from ...portrait.words import in_words
from ..json_response import Json
from ..problems import PROBLEMS
from ..ranges import file_response
from ..state import UNCHANGING, SharedState, TrackId

__all__ = ["colours", "router", "spectrogram_png"]


router = APIRouter(prefix="/api", tags=["pictures"], responses=PROBLEMS)

WIDTH, HEIGHT = 1000, 256
LOWEST_HZ, HIGHEST_HZ = 40.0, 16_000.0
FLOOR_DB = -80.0
WINDOW = 4096
MOST_WINDOWS = 8
"""How many windows one column of a long track averages."""
STOPS = (
    (0, (9, 10, 26)),
    (70, (47, 38, 116)),
    (130, (134, 56, 130)),
    (190, (229, 112, 88)),
    (255, (255, 240, 200)),
)
"""The colours of the scale, as level and RGB; each is lighter than the one before, so that it also reads in grey."""


@router.head("/tracks/{track_id}/spectrogram.png", include_in_schema=False)
@router.get(
    "/tracks/{track_id}/spectrogram.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "Time to the right, frequency upwards."}},
)
def spectrogram(track_id: TrackId, request: Request, shared: SharedState) -> Response:
    """Draw the spectrogram of a track: 40 Hz to 16 kHz on a logarithmic scale, 80 dB from dark to light."""
    track = shared.track(track_id)

    def make() -> bytes:
        audio = shared.samples(track)
        return spectrogram_png(audio.samples.mean(axis=1), audio.sample_rate)

    file = shared.cache.open("spectrogram", f"{track.audio_sha256}.png", make)
    return file_response(
        file,
        request,
        etag=f"{track.audio_sha256}-spectrogram",
        media_type="image/png",
        headers={"Cache-Control": UNCHANGING},
    )


class SectionJson(BaseModel):
    """A part of a track."""

    start_s: float
    end_s: float
    label: str = Field(description="Parts that sound alike have the same letter: A, B, A.")


class StructureJson(BaseModel):
    """Where the beats and the sections of a track are, and what was measured of it, in words."""

    duration_s: float
    tempo_bpm: float | None
    beats: list[float] = Field(description="In seconds; empty where there is no pulse.")
    sections: list[SectionJson] = Field(
        description="From start to end; empty for silence and for less than 4 s."
    )
    words: dict[str, str] = Field(
        description="By name: beat, key, sections, loudness, sound, suggests, heard."
    )


@router.get("/tracks/{track_id}/structure", response_model=StructureJson)
def structure(track_id: TrackId, shared: SharedState) -> Response:
    """Find the beats and the sections of a track, once, and tell what was measured of it in words."""
    track = shared.track(track_id)
    found = structure_json(track, lambda: shared.samples(track), shared.cache.open)
    told = {"duration_s": track.duration_s, "tempo_bpm": track.tempo_bpm}
    return Json({**told, **found, "words": in_words(track, found)})


def spectrogram_png(signal: NDArray[np.float32], rate: int) -> bytes:
    """Return the spectrogram of a mono signal as a PNG of `WIDTH` by `HEIGHT`, low frequencies at the bottom."""
    span = len(signal) / WIDTH
    windows = int(min(MOST_WINDOWS, max(1, np.ceil(span / (WINDOW // 2)))))
    centres = ((np.arange(WIDTH * windows) + 0.5) * span / windows).astype(int)
    padded = np.pad(signal, WINDOW // 2)
    power = np.empty((WIDTH, WINDOW // 2 + 1))
    taper = np.hanning(WINDOW)
    for column, starts in enumerate(centres.reshape(WIDTH, windows)):
        frames = np.stack([padded[start : start + WINDOW] for start in starts]) * taper
        power[column] = np.square(np.abs(np.fft.rfft(frames, axis=1))).mean(axis=0)
    highest = min(HIGHEST_HZ, rate / 2)
    wanted = np.geomspace(LOWEST_HZ, highest, HEIGHT) * WINDOW / rate
    below = np.minimum(wanted.astype(int), power.shape[1] - 2)
    part = wanted - below
    rows = power[:, below] * (1 - part) + power[:, below + 1] * part
    loudest = rows.max()
    levels = (
        10 * np.log10(np.maximum(rows / loudest, 1e-12)) if loudest > 0 else np.full(rows.shape, FLOOR_DB)
    )
    shades = np.clip(np.rint((levels / -FLOOR_DB + 1) * 255), 0, 255).astype(np.uint8)
    return _png(shades.T[::-1], colours())


def colours() -> NDArray[np.uint8]:
    """Return the colour scale, shape (256, 3): red, green and blue."""
    places, values = [place for place, _ in STOPS], np.array([value for _, value in STOPS])
    scale = [np.interp(np.arange(256), places, values[:, channel]) for channel in range(3)]
    rounded: NDArray[np.uint8] = np.rint(np.stack(scale, axis=1)).astype(np.uint8)
    return rounded


def _png(indexes: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """Return an image of palette indexes, shape (height, width), as PNG (W3C PNG specification, 8-bit palette)."""
    height, width = indexes.shape
    lines = np.pad(indexes, ((0, 0), (1, 0)))  # each line begins with its filter, 0 for none
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", palette.tobytes()),
        (b"IDAT", zlib.compress(lines.tobytes(), 6)),
        (b"IEND", b""),
    )
    parts = (
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
