"""The narration: the voice in a file, and what is spoken for one chunk of a story."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError, Unavailable
from ..generator import Audio, AudioError, audio
from ..generator.audio.levels import Levels, clipped_share, level_voice
from .renderers import Renderer
from .story import Chunk

__all__ = ["MAX_BYTES", "MAX_DURATION_S", "NarratedChunk", "narrate", "read_narration", "reader"]


MAX_BYTES = 256 * 1024**2
MAX_DURATION_S = 2 * 3600.0
CLIPPED_SHARE = 1e-4
WORDS_PER_S = 2.6
"""Reading speed, for chunks that have no voice."""
SHORTEST_CHUNK_S = 2.0


@dataclass
class NarratedChunk:
    """The voice of a chunk: how long it lasts, its levelled samples in a file, and when it begins.

    Without a `path` nobody speaks. `start_s` is set when the story is laid out.
    """

    duration_s: float
    path: Path | None = None
    start_s: float = 0.0
    warnings: list[str] = field(default_factory=list)


def read_narration(path: str | Path) -> tuple[Audio, list[str]]:
    """Return the voice in a file, and warnings about it. Raises InputError."""
    try:
        voice = reader(Path(path))()
    except AudioError as error:
        raise InputError(f"the narration cannot be used: {error}") from error
    warnings = []
    if (share := clipped_share(voice)) > CLIPPED_SHARE:
        warnings.append(
            f"the narration {path} is clipped in {share:.2%} of its samples; record it at a lower level"
        )
    if audio.loudness_lufs(voice) is None:
        raise InputError(f"the narration {path} is silent; pass a recording with a voice in it")
    return voice, warnings


def reader(path: Path) -> Callable[[], Audio]:
    """Return a function that reads the audio at `path` when it is called; it raises AudioError."""
    return lambda: audio.read(path, max_bytes=MAX_BYTES, max_duration_s=MAX_DURATION_S)


def narrate(chunk: Chunk, voice: Renderer | None, folder: Path, levels: Levels) -> NarratedChunk:
    """Return the narration of a chunk, levelled, in a file in `folder`.

    A chunk without a narration is spoken by `voice`; without a voice it lasts as long as reading it takes. Raises
    InputError and Unavailable.
    """
    source = chunk.narration
    if source is None and voice is not None:
        source = folder / f"spoken-{chunk.line}.wav"
        voice.render(chunk.context.text, source)
        if _is_silent(source):  # "* * *" and the like
            return NarratedChunk(
                SHORTEST_CHUNK_S,
                warnings=[f"line {chunk.line} gave the narrator nothing to say; the music plays on"],
            )
    if source is None:
        words = len(chunk.context.text.split())
        return NarratedChunk(max(SHORTEST_CHUNK_S, words / WORDS_PER_S))
    try:
        recording, warnings = read_narration(source)
        levelled = level_voice(recording, levels)
    except (InputError, AudioError) as error:
        raise InputError(f"line {chunk.line} of the story: {error}") from error
    path = folder / f"voice-{chunk.line}.flac"
    path.write_bytes(audio.encode(levelled, "flac"))
    return NarratedChunk(recording.duration_s, path, warnings=warnings)


def _is_silent(path: Path) -> bool:
    try:
        return audio.loudness_lufs(reader(path)()) is None
    except AudioError as error:
        raise Unavailable(f"what the narrator made cannot be used: {error}") from error
