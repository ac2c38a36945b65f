"""A story: its chunks, and the scenes they fall into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..models import Context, Features, Result, Track
from ..request.context import read_lines
from ..request.scene import read_scene
from ..text.features import extract
from ..text.mood import mood_distance

if TYPE_CHECKING:
    from ..service.service import MusicService

__all__ = ["Chunk", "Scene", "read_story", "split_scenes"]


MOOD_CHANGE = 0.45
"""A mood farther than this from the scene's begins another scene. That is nearly an opposite mood: moods waver from
chunk to chunk within a scene, and the music should not."""
SAME_THEME = 0.3
"""A scene that returns to a place in a mood no farther than this from an earlier one gets the earlier one's theme."""
MAX_CHUNKS = 2000


@dataclass(frozen=True)
class Chunk:
    """A piece of the story and what was read in it."""

    context: Context
    narration: Path | None
    features: Features
    line: int
    """Its line in the story's file, from 1."""


@dataclass
class Scene:
    """Chunks that share a place and a mood, and the loop that plays under them.

    Times are set when the story is laid out, `result` when its music is chosen.
    """

    chunks: list[Chunk]
    place: str | None
    theme: str = ""
    result: Result | None = None
    start_s: float = 0.0
    end_s: float = 0.0

    @property
    def valence(self) -> float:
        """Return the mean valence of the chunks."""
        return sum(chunk.features.valence for chunk in self.chunks) / len(self.chunks)

    @property
    def energy(self) -> float:
        """Return the mean energy of the chunks."""
        return sum(chunk.features.energy for chunk in self.chunks) / len(self.chunks)

    @property
    def mood_tags(self) -> tuple[str, ...]:
        """Return up to four moods of the chunks, the most frequent first."""
        tags = [tag for chunk in self.chunks for tag in chunk.features.mood_tags]
        return tuple(sorted(dict.fromkeys(tags), key=lambda tag: -tags.count(tag)))[:4]

    @property
    def mood(self) -> Features:
        """Return the features of the first chunk with the mood of all."""
        update = {"valence": self.valence, "energy": self.energy, "mood_tags": self.mood_tags}
        return self.chunks[0].features.model_copy(update=update)

    @property
    def track(self) -> Track:
        """Return the track of a scene whose music is chosen."""
        assert self.result is not None
        assert self.result.track is not None
        return self.result.track

    @property
    def path(self) -> Path:
        """Return the audio file of a scene whose music is chosen."""
        assert self.result is not None
        assert self.result.path is not None
        return self.result.path


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
        payloads = read_lines(data)
    except InputError as error:
        raise InputError(f"{story}: {error}") from None
    # Lines are counted as an editor counts them: str.splitlines also splits at U+2028 and the like.
    rows = data.decode("utf-8-sig").split("\n")
    lines = [number for number, row in enumerate(rows, start=1) if row.strip()]
    chunks: list[Chunk] = []
    for line, payload in zip(lines, payloads, strict=True):
        if len(chunks) == MAX_CHUNKS:
            raise InputError(f"the story {story} has more than {MAX_CHUNKS:,} chunks; score it in parts")
        try:
            context, narration = read_scene(payload), _narration(payload, story.parent)
        except InputError as error:
            raise InputError(f"{story}, line {line}: {error}") from None
        features = extract(context, service.encoder, cache_dir=service.store.home / "cache")
        chunks.append(Chunk(context, narration, features, line))
    if not chunks:
        raise InputError(f"the story {story} has no chunks; write one JSON object with a text on each line")
    return chunks


def _narration(payload: Any, folder: Path) -> Path | None:
    """Return the narration file that a chunk names, None where it names none. Raises InputError."""
    name = payload.get("narration") if isinstance(payload, Mapping) else None
    if name is not None and not isinstance(name, str):
        raise InputError(f"its narration is {name!r}; give the path of an audio file")
    if not name:
        return None
    if not (folder / name).is_file():
        raise InputError(f"its narration {folder / name} is not there")
    return folder / name


def split_scenes(chunks: Sequence[Chunk]) -> list[Scene]:
    """Group consecutive chunks: another place, or a mood too far from the scene's, begins a new scene."""
    scenes: list[Scene] = []
    for chunk in chunks:
        scene = scenes[-1] if scenes else None
        if scene is None or _begins_another(scene, chunk):
            # Where the mood turns and the text names no place, the story stays in the place where it is.
            scenes.append(Scene([chunk], chunk.features.environment or (scene.place if scene else None)))
        else:
            scene.chunks.append(chunk)
            scene.place = scene.place or chunk.features.environment
    _name_themes(scenes)
    return scenes


def _begins_another(scene: Scene, chunk: Chunk) -> bool:
    place = chunk.features.environment
    if place and scene.place and place != scene.place:
        return True
    return mood_distance(scene.mood, chunk.features) > MOOD_CHANGE


def _name_themes(scenes: Sequence[Scene]) -> None:
    """Give each scene the theme of the first earlier scene that is like it, else a new one: "forest 1"."""
    for number, scene in enumerate(scenes):
        earlier = scenes[:number]
        like = next((one for one in earlier if _same_theme(one, scene)), None)
        new = len({one.theme for one in earlier}) + 1
        scene.theme = like.theme if like else f"{scene.place or 'anywhere'} {new}"


def _same_theme(one: Scene, other: Scene) -> bool:
    return one.place == other.place and mood_distance(one.mood, other.mood) <= SAME_THEME
