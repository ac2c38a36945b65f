"""A story told as a knowledge graph gets its soundtrack: every character and every place keeps a theme.

A theme is made for the first scene of its character or place. When these come back in a like mood the same track
returns; in another mood, or where an edge says "variation": true, the theme's tune returns in a track of that mood.
A character who enters is heard with their theme; then the place has its own.

    python examples/graph_story.py examples/graph.json --out graph.wav
    python examples/graph_story.py examples/graph.json --out graph.wav --narrator espeak-ng

The graph is JSON as `networkx.node_link_data(graph, edges="edges")` writes it: nodes are places, characters and scenes
in the order of the story; edges are "appears in" (character to scene) and "located at" (scene to place). Beside the
soundtrack stand `graph.json` and `graph.vtt`: which theme plays when, and why.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from music_catalog import CatalogError, Features, InputError, MusicService, Result
from music_catalog.export import check_target
from music_catalog.generator.audio.levels import Levels
from music_catalog.generator.audio.timeline import cues
from music_catalog.request.scene import read_scene
from music_catalog.soundtrack import renderers
from music_catalog.soundtrack.beds import ducking_of
from music_catalog.soundtrack.cues import write_cues
from music_catalog.soundtrack.narration import narrate
from music_catalog.soundtrack.renderers import Renderer
from music_catalog.soundtrack.stems import write_mix
from music_catalog.soundtrack.story import SAME_THEME, Chunk, Scene
from music_catalog.soundtrack.timeline import build_timeline, lay_out
from music_catalog.text.features import extract
from music_catalog.text.mood import mood_distance
from music_catalog.validation import sentence

ENTRANCE_S = 10.0
"""How long the theme of a character who enters is heard, half the scene at the most."""
ROLE = "loop_bed"

OnScene = Callable[[str], None]


# The graph


class Node(BaseModel):
    """A scene with its text, or a place or a character with a description."""

    id: str = Field(min_length=1)
    type: Literal["place", "character", "scene"]
    text: str = Field(min_length=1)
    environment: str | None = None
    """Of a place: which of the catalog's places it is, such as "forest"."""
    time_of_day: str | None = None
    """Of a scene."""
    style: str | None = None
    """Of a place or character: the preset of its theme, where the author wants a certain one."""


class Edge(BaseModel):
    """What joins two nodes."""

    source: str
    target: str
    type: Literal["appears in", "located at"]
    variation: bool = False
    """Vary the theme in this scene, also in a like mood."""


class Graph(BaseModel):
    """A story: scenes in the order of the nodes."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    @property
    def scenes(self) -> list[Node]:
        """Return the scenes in order."""
        return [node for node in self.nodes if node.type == "scene"]

    def place_of(self, scene: Node) -> tuple[Node, Edge] | None:
        """Return the place of a scene with the edge that names it."""
        edges = (edge for edge in self.edges if (edge.source, edge.type) == (scene.id, "located at"))
        return next(((self._node(edge.target), edge) for edge in edges), None)

    def characters_of(self, scene: Node) -> list[tuple[Node, Edge]]:
        """Return the characters of a scene in the order of the edges."""
        edges = (edge for edge in self.edges if (edge.target, edge.type) == (scene.id, "appears in"))
        return [(self._node(edge.source), edge) for edge in edges]

    def check(self) -> None:
        """Raise InputError for a graph that tells no story."""
        types = {node.id: node.type for node in self.nodes}
        if len(types) < len(self.nodes):
            raise InputError("two nodes have the same id; give each node its own")
        for edge in self.edges:
            ends = ("character", "scene") if edge.type == "appears in" else ("scene", "place")
            if (types.get(edge.source), types.get(edge.target)) != ends:
                raise InputError(
                    f"the edge from {edge.source!r} to {edge.target!r} is no {edge.type!r}, which leads from a "
                    f"{ends[0]} to a {ends[1]}"
                )
        if not self.scenes:
            raise InputError("the graph has no scenes; add nodes of the type 'scene'")
        for scene in self.scenes:
            if not (self.place_of(scene) or self.characters_of(scene)):
                raise InputError(f"the scene {scene.id!r} has no place and no character; add an edge")

    def _node(self, node_id: str) -> Node:
        return next(node for node in self.nodes if node.id == node_id)


def read_graph(path: Path) -> Graph:
    """Return the graph in a file. Raises InputError."""
    try:
        graph = Graph.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"the graph {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise InputError(f"the graph {path}: {sentence(error, Graph)}") from None
    graph.check()
    return graph


# The themes


@dataclass
class Theme:
    """The music of a place or a character: a track, and the variations that were made of it, each with its mood."""

    node: Node
    service: MusicService
    story: str
    choices: Mapping[str, Any]
    versions: list[tuple[Features, Result]] = field(default_factory=list)

    @property
    def tracks(self) -> list[str]:
        """Return the ids of its tracks."""
        return [music.track.id for _, music in self.versions if music.track is not None]

    def for_mood(self, mood: Features, *, vary: bool, taken: Sequence[str]) -> tuple[Result, str, str]:
        """Return the track for a scene in that mood, what it is of the theme, and why.

        The ids in `taken` are of the tracks that other themes have.
        """
        if not self.versions:
            music = self._ask(mood, self.service.find_or_make)
            if music.track is not None and music.track.id in taken:
                music = self._ask(mood, self.service.generate)
            self.versions.append((mood, music))
            return music, "theme", f"the first scene of {self.node.id}: {music.reason}"
        near, music = min(self.versions, key=lambda version: mood_distance(version[0], mood))
        distance = mood_distance(near, mood)
        if distance <= SAME_THEME and not vary:
            return music, "return", f"{self.node.id} is back in a like mood ({distance:.2f} apart)"
        why = "the edge wants a variation" if vary else f"its mood is {distance:.2f} from any heard so far"
        music = self._vary(mood)
        self.versions.append((mood, music))
        return music, "variation", f"{self.node.id} is back, and {why}"

    def _vary(self, mood: Features) -> Result:
        """Return a track with the theme's tune and style in another mood."""
        _, theme = self.versions[0]
        assert theme.track is not None
        number = len(self.versions)
        tune = {"melody": str(theme.path), "preset": theme.track.style, "seed": theme.track.seed + number}
        return self._ask(mood, self.service.find_or_make, f" {number}", **tune)

    def _ask(self, mood: Features, find: Callable[..., Result], suffix: str = "", **choices: Any) -> Result:
        place = self.node.environment
        asked = {
            "role": ROLE,
            "loopable": True,
            "preset": self.node.style or (f"environment_{place}" if place else None),
            "environment": place,
            "time_of_day": mood.time_of_day if place else None,
            "valence": mood.valence,
            "energy": mood.energy,
            "mood_tags": list(mood.mood_tags),
            "theme": f"{self.story}: {self.node.id}{suffix}",
            **self.choices,
        }
        return find(self.node.text, **{**asked, **choices})


# The soundtrack


@dataclass
class Stretch:
    """A part of a scene with its music, and why it plays."""

    scene: Scene
    row: dict[str, Any]


def choose_music(
    service: MusicService,
    story: str,
    graph: Graph,
    scenes: Sequence[Scene],
    choices: Mapping[str, Any],
    on_scene: OnScene | None = None,
) -> list[Stretch]:
    """Return the stretches of all scenes in order: the theme of a character who enters, then that of the place."""
    themes = {node.id: Theme(node, service, story, choices) for node in graph.nodes if node.type != "scene"}
    stretches: list[Stretch] = []
    before: set[str] = set()
    for node, scene in zip(graph.scenes, scenes, strict=True):
        characters = graph.characters_of(node)
        entering = next((each for each in characters if each[0].id not in before), None)
        before = {character.id for character, _ in characters}
        place = graph.place_of(node)
        parts = [each for each in (entering, place) if each] or characters[:1]
        entrance_s = min(ENTRANCE_S, (scene.end_s - scene.start_s) / 2)
        times = [scene.start_s, scene.start_s + entrance_s, scene.end_s]
        for (owner, edge), (start_s, end_s) in zip(
            parts, pairwise(times if len(parts) == 2 else times[::2]), strict=True
        ):
            theme = themes[owner.id]
            taken = [track_id for other in themes.values() if other is not theme for track_id in other.tracks]
            music, kind, why = theme.for_mood(scene.mood, vary=edge.variation, taken=taken)
            part = Scene(scene.chunks, scene.place, owner.id, music, start_s, end_s)
            stretches.append(Stretch(part, _row(node, part, kind, why)))
            if on_scene is not None:
                on_scene("{scene}: {kind} of {theme}, {style}: {why}".format(**stretches[-1].row))
    return stretches


def _row(node: Node, part: Scene, kind: str, why: str) -> dict[str, Any]:
    assert part.result is not None
    return {
        "scene": node.id,
        "theme": part.theme,
        "kind": kind,
        "why": why,
        "start_s": round(part.start_s, 3),
        "end_s": round(part.end_s, 3),
        "mood_tags": list(part.mood_tags),
        "style": part.track.style,
        "track_id": part.track.id,
        "action": part.result.action,
    }


def score_graph(
    service: MusicService,
    path: Path,
    out: Path,
    *,
    voice: Renderer | None = None,
    on_scene: OnScene | None = None,
    **choices: Any,
) -> list[dict[str, Any]]:
    """Score the graph in `path`, write `out` with its timeline (.json, .vtt) beside it, and return the timeline.

    `voice` speaks the scenes; without one each lasts as long as reading it takes. `choices` are arguments of
    `find_or_make` for every track (quality, backend, duration_s, ...). Raises CatalogError.
    """
    graph, levels = read_graph(path), Levels()
    for file in (out, out.with_suffix(".json"), out.with_suffix(".vtt")):
        if file.resolve() == path.resolve():
            raise InputError(f"{file} is the graph itself; choose another name for the soundtrack")
    check_target(out, force=True)
    chunks = [_chunk(service, graph, scene, number) for number, scene in enumerate(graph.scenes, start=1)]
    with tempfile.TemporaryDirectory() as folder:
        narrated = [narrate(chunk, voice, Path(folder), levels) for chunk in chunks]
        scenes = [Scene([chunk], chunk.context.environment) for chunk in chunks]
        total_s = lay_out(scenes, narrated)
        stretches = choose_music(service, path.stem, graph, scenes, choices, on_scene)
        parts, ducking = [stretch.scene for stretch in stretches], service.library.role(ROLE).ducking
        timeline = build_timeline(parts, narrated, chunks, total_s, levels, ducking_of(ducking))
        write_mix(timeline, out)
    rows = [stretch.row for stretch in stretches]
    write_cues(out.with_suffix(".json"), cues(timeline), story=str(path), themes=rows)
    write_cues(out.with_suffix(".vtt"), cues(timeline))
    return rows


def _chunk(service: MusicService, graph: Graph, scene: Node, number: int) -> Chunk:
    """Return the text of a scene with what the catalog reads in it. Raises InputError for an unknown place."""
    place = graph.place_of(scene)
    context = read_scene(scene.text, place[0].environment if place else None, scene.time_of_day)
    features = extract(context, service.encoder, cache_dir=service.store.home / "cache")
    return Chunk(context, None, features, number)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("graph", type=Path, help="the graph, a JSON file")
    parser.add_argument("--out", type=Path, default=Path("graph.wav"), help="the soundtrack")
    parser.add_argument("--narrator", help="a command that speaks the scenes, such as espeak-ng")
    parser.add_argument("--home", default=os.environ.get("CATALOG_HOME", "data"), help="the catalog's folder")
    args = parser.parse_args()
    try:
        voice = renderers.narrator(args.narrator) if args.narrator else None
        with MusicService.open(args.home) as service:
            rows = score_graph(
                service, args.graph, args.out, voice=voice, on_scene=lambda line: print(line, file=sys.stderr)
            )
    except CatalogError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps({"path": str(args.out), "themes": rows}, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
