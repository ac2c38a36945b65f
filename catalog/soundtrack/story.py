"""A story: its chunks, and the scenes they fall into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..models import Context, Features, Result
from ..request.context import read_lines
from ..request.scene import read_scene
from ..service.service import MusicService
from ..text import features as understanding
from ..text.mood import mood_distance

__all__ = ["MAX_CHUNKS", "MOOD_CHANGE", "SAME_THEME", "Chunk", "Scene", "read_story", "split_scenes"]


MOOD_CHANGE = 0.45
"""A mood farther than this from the scene's begins another scene: nearly an opposite one, since moods waver within a
scene from chunk to chunk and the music should not."""
SAME_THEME = 0.3
"""A scene that comes back to a place in a mood no farther than this from the earlier one's gets its theme back."""
MAX_CHUNKS = 2000


@dataclass(frozen=True)
class Chunk:
    """A piece of the story with what is known about it."""

    context: Context
    narration: Path | None
    read: Features
    line: int
    """Where it stands in the story's file, from 1."""


@dataclass
class Scene:
    """Chunks that share a place and a mood, and the loop they get."""

    chunks: list[Chunk]
    place: str | None
    theme: str = ""
    result: Result | None = None
    start_s: float = 0.0
    end_s: float = 0.0

    @property
    def valence(self) -> float:
        """Return the mean valence of the chunks."""
        return sum(chunk.read.valence for chunk in self.chunks) / len(self.chunks)

    @property
    def energy(self) -> float:
        """Return the mean energy of the chunks."""
        return sum(chunk.read.energy for chunk in self.chunks) / len(self.chunks)

    @property
    def mood_tags(self) -> tuple[str, ...]:
        """Return the moods of the chunks, the most frequent first."""
        told = [tag for chunk in self.chunks for tag in chunk.read.mood_tags]
        return tuple(sorted(dict.fromkeys(told), key=lambda tag: -told.count(tag)))[:4]


def read_story(path: str | Path, service: MusicService) -> list[Chunk]:
    """Return the chunks of a JSON Lines file: {"text": ..., "tags": {...}, "narration": "file.wav"} or a string each.

    Narration files are looked for beside the story. Raises InputError with the line.
    """
    story = Path(path)
    try:
        data = story.read_bytes()
    except OSError as error:
        raise InputError(f"the story {story} cannot be read: {error.strerror}") from error
    try:
        contexts = read_lines(data)
    except InputError as error:
        raise InputError(f"{story}: {error}") from None
    rows = data.decode("utf-8-sig").split("\n")
    lines = [number for number, row in enumerate(rows, start=1) if row.strip()]
    chunks: list[Chunk] = []
    for number, given in zip(lines, contexts, strict=True):
        if len(chunks) == MAX_CHUNKS:
            raise InputError(f"the story {story} has more than {MAX_CHUNKS:,} chunks; score it in parts")
        try:
            context = read_scene(given)
            voice = given.get("narration") if isinstance(given, Mapping) else None
            if voice is not None and not isinstance(voice, str):
                raise InputError(f"its narration is {voice!r}; give the path of an audio file")
            file = story.parent / voice if voice else None
            if file is not None and not file.is_file():
                raise InputError(f"its narration {file} is not there")
        except InputError as error:
            raise InputError(f"{story}, line {number}: {error}") from None
        read = understanding.extract(context, service.encoder, cache_dir=service.store.home / "cache")
        chunks.append(Chunk(context, file, read, number))
    if not chunks:
        raise InputError(f"the story {story} has no chunks; write one JSON object with a text on each line")
    return chunks


def split_scenes(chunks: Sequence[Chunk]) -> list[Scene]:
    """Group consecutive chunks: another place, or a mood too far from the scene's, begins a new one."""
    scenes: list[Scene] = []
    for chunk in chunks:
        scene = scenes[-1] if scenes else None
        place = chunk.read.environment
        if scene is None or _another_place(scene, place) or _far(scene, chunk) > MOOD_CHANGE:
            # A mood that turns where no place is named turns in the place where we are.
            scenes.append(Scene([chunk], place or (scene.place if scene else None)))
        else:
            scene.chunks.append(chunk)
            scene.place = scene.place or place
    for number, scene in enumerate(scenes):
        back = next((one for one in scenes[:number] if _same_theme(one, scene)), None)
        scene.theme = (
            back.theme
            if back
            else f"{scene.place or 'anywhere'} {len({s.theme for s in scenes[:number]}) + 1}"
        )
    return scenes


def _another_place(scene: Scene, place: str | None) -> bool:
    return bool(place and scene.place and place != scene.place)


def _far(scene: Scene, chunk: Chunk) -> float:
    return mood_distance(_mood(scene), chunk.read)


def _mood(scene: Scene) -> Features:
    first = scene.chunks[0].read
    update = {"valence": scene.valence, "energy": scene.energy, "mood_tags": scene.mood_tags}
    return first.model_copy(update=update)


def _same_theme(one: Scene, other: Scene) -> bool:
    return one.place == other.place and mood_distance(_mood(one), _mood(other)) <= SAME_THEME
