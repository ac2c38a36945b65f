"""Score a whole story: chunks become scenes, each scene gets a loop, and all of it becomes one timeline.

A scene goes on, and keeps its loop, while its place and mood do. A scene that returns gets its theme back. Otherwise
the variety rule keeps one track from playing again and again.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from typing_extensions import Unpack

from ..disk.files import sha256_of
from ..errors import InputError
from ..export import check_target, write_bytes
from ..file_tags import credits_of
from ..generator import AudioError, Progress
from ..generator.audio.levels import Levels
from ..generator.audio.timeline import cues
from ..models import MusicArguments, Result
from ..reuse.terms import TermArguments
from ..service.service import MusicService
from .beds import ducking_of
from .cues import write_cues
from .narration import NarratedChunk, narrate
from .plot import Moment, Stretch, arc
from .progress import stages
from .renderers import Renderer, RendererCommand
from .stems import check_stems, stem_paths, write_mix
from .story import Chunk, Scene, read_story, split_scenes
from .timeline import build_timeline, lay_out

__all__ = ["ScoreArguments", "levels_of", "score"]


SPEAKING, CHOOSING, MIXING = 1.0, 6.0, 3.0
"""What share of the time a story takes to be spoken, to get its music, and to be mixed, about."""
BED_ROLE = "loop_bed"
"""The role of the music under a story, which sets how it is ducked."""


class ScoreArguments(MusicArguments, TermArguments, total=False):
    """The further keyword arguments of `score`."""


def score(
    service: MusicService,
    story: str | Path,
    out: str | Path,
    *,
    voice: Renderer | None = None,
    cover: Renderer | None = None,
    levels: Levels | None = None,
    stems: str | Path | None = None,
    listener: str | None = None,
    force: bool = False,
    on_progress: Progress | None = None,
    on_scene: Callable[[str], None] | None = None,
    **choices: Unpack[ScoreArguments],
) -> dict[str, Any]:
    """Score the story and write `out`, with cues (.json, .vtt) and a plot (.svg) beside it; return what was done.

    `voice` speaks chunks that have no narration; without one they last as long as reading them takes. `choices` are
    arguments of `MusicService.scene` (quality, backend, seed, ...). `on_progress` gets thousandths of the whole. Raises
    InputError before anything is made.
    """
    target = Path(out)
    check_target(target, force=force)
    beside = {suffix: target.with_suffix(suffix) for suffix in (".json", ".vtt", ".svg")}
    _check_files(target, [*beside.values(), *([target.with_suffix(".png")] if cover else [])], stems, force)
    for renderer in (voice, cover):
        if isinstance(renderer, RendererCommand):
            renderer.check()
    levels = levels or Levels()
    chunks = read_story(story, service)
    scenes = split_scenes(chunks)
    digest = sha256_of(Path(story))[:12]
    with tempfile.TemporaryDirectory() as folder:
        speaking, choosing, mixing = stages(on_progress, (SPEAKING, CHOOSING, MIXING))
        narrated = []
        for number, chunk in enumerate(chunks):
            speaking(number, len(chunks))
            narrated.append(narrate(chunk, voice, Path(folder), levels))
        total_s = lay_out(scenes, narrated)
        # A listener of its own, so that plays of other calls do not decide what this story may hear.
        listener = listener or f"story-{digest}-{secrets.token_hex(4)}"
        _choose_music(service, scenes, listener, f"story-{digest}", choices, choosing, on_scene)
        ducking = ducking_of(service.library.role(BED_ROLE).ducking)
        timeline = build_timeline(scenes, narrated, chunks, total_s, levels, ducking)
        if cover is not None:
            cover.render(_cover_words(scenes), Path(folder) / "cover.png")
        comment = credits_of(scene.track for scene in scenes)
        gain = write_mix(timeline, target, stems, comment=comment, on_progress=mixing)
        if cover is not None:
            beside[".png"] = target.with_suffix(".png")
            write_bytes(beside[".png"].resolve(), (Path(folder) / "cover.png").read_bytes())
    rows = [_row(number, scene) for number, scene in enumerate(scenes, start=1)]
    sheet = cues(timeline)
    write_cues(beside[".json"], sheet, story=str(story), duration_s=round(total_s, 3), scenes=rows)
    write_cues(beside[".vtt"], sheet)
    write_bytes(beside[".svg"].resolve(), _plot(Path(story).stem, chunks, narrated, scenes, total_s))
    return {
        "path": str(target),
        "duration_s": round(total_s, 3),
        "chunks": len(chunks),
        "scenes": rows,
        "moments": _moments(scenes, chunks, narrated),
        "themes": len({scene.theme for scene in scenes}),
        "files": [str(path) for path in beside.values()],
        "stems": [str(path) for path in stem_paths(stems, target).values()],
        "safety_gain": round(gain, 4),
        "warnings": _warnings(narrated, scenes),
    }


def levels_of(**values: float) -> Levels:
    """Return stated levels in LUFS; raise InputError for levels that cannot be mixed."""
    try:
        return Levels(**values)
    except AudioError as error:
        raise InputError(str(error)) from error


def _check_files(target: Path, beside: Sequence[Path], stems: str | Path | None, force: bool) -> None:
    """Refuse files beside `target` that cannot be written or are in the way. Raises InputError."""
    check_stems(stems, target, force=force)
    for path in beside:
        if path.exists() and not force:
            raise InputError(f"{path} exists already; choose another name, or pass force=True to replace it")


# Music


def _choose_music(
    service: MusicService,
    scenes: Sequence[Scene],
    listener: str,
    story: str,
    choices: Mapping[str, Any],
    on_progress: Progress,
    on_scene: Callable[[str], None] | None,
) -> None:
    """Set the result of every scene: that of its theme where the theme played before, else a loop that fits."""
    themes: dict[str, Result] = {}
    of_each = stages(on_progress, [1.0] * len(scenes))
    for number, scene in enumerate(scenes, start=1):
        if scene.theme not in themes:
            themes[scene.theme] = service.scene(
                _context(scene),
                environment=scene.place,
                time_of_day=next(
                    (c.context.time_of_day for c in scene.chunks if c.context.time_of_day), None
                ),
                duration_s=scene.end_s - scene.start_s,
                listener=listener,
                theme=f"{story} {scene.theme}",
                on_progress=of_each[number - 1],
                **{"valence": scene.valence, "energy": scene.energy, **choices},
            )
        of_each[number - 1](1, 1)
        scene.result = themes[scene.theme]
        if on_scene is not None:
            track = scene.track
            on_scene(f"scene {number} of {len(scenes)}: {scene.theme}: {track.style} ({track.id})")


def _context(scene: Scene) -> dict[str, Any]:
    text = "\n".join(chunk.context.text for chunk in scene.chunks)
    return {"text": text, "mood_tags": list(scene.mood_tags) or None}


def _cover_words(scenes: Sequence[Scene]) -> str:
    longest = max(scenes, key=lambda scene: scene.end_s - scene.start_s)
    place = f"{longest.place}, " if longest.place else ""
    return f"Book cover illustration, {place}{', '.join(longest.mood_tags)}: {longest.chunks[0].context.text[:300]}"


# The report


def _row(number: int, scene: Scene) -> dict[str, Any]:
    assert scene.result is not None
    track = scene.track
    return {
        "scene": number,
        "theme": scene.theme,
        "environment": scene.place,
        "mood_tags": list(scene.mood_tags),
        "valence": round(scene.valence, 3),
        "energy": round(scene.energy, 3),
        "chunks": len(scene.chunks),
        "start_s": round(scene.start_s, 3),
        "end_s": round(scene.end_s, 3),
        "track_id": track.id,
        "title": track.title or track.summary,
        "style": track.style,
        "tempo_bpm": track.tempo_bpm,
        "seam": track.seam,
        "action": scene.result.action,
    }


def _moments(
    scenes: Sequence[Scene], chunks: Sequence[Chunk], narrated: Sequence[NarratedChunk]
) -> list[dict[str, Any]]:
    """Return a row for each chunk: when it is spoken, in which scene, and how it feels."""
    numbers = [number for number, scene in enumerate(scenes, start=1) for _ in scene.chunks]
    return [
        {
            "text": chunk.context.text,
            "scene": number,
            "start_s": round(one.start_s, 3),
            "end_s": round(one.start_s + one.duration_s, 3),
            "spoken": one.path is not None,
            "mood_tags": list(chunk.features.mood_tags),
            "valence": round(chunk.features.valence, 3),
            "energy": round(chunk.features.energy, 3),
        }
        for number, chunk, one in zip(numbers, chunks, narrated, strict=True)
    ]


def _warnings(narrated: Sequence[NarratedChunk], scenes: Sequence[Scene]) -> list[str]:
    """Return the warnings of all narrations, then those of the music, each of these once."""
    warnings = [warning for one in narrated for warning in one.warnings]
    for scene in scenes:
        assert scene.result is not None
        warnings += [warning for warning in scene.result.warnings if warning not in warnings]
    return warnings


def _plot(
    title: str,
    chunks: Sequence[Chunk],
    narrated: Sequence[NarratedChunk],
    scenes: Sequence[Scene],
    total_s: float,
) -> bytes:
    moments = [
        Moment(
            one.start_s,
            one.start_s + one.duration_s,
            chunk.features.valence,
            chunk.features.energy,
            chunk.context.text[:120],
        )
        for chunk, one in zip(chunks, narrated, strict=True)
    ]
    stretches = [
        Stretch(
            scene.start_s,
            scene.end_s,
            scene.theme,
            (
                scene.track.style.removeprefix("environment_"),
                ", ".join(scene.mood_tags[:2]),
                scene.track.id[:8],
            ),
        )
        for scene in scenes
    ]
    return arc(f"{title}: valence and energy", moments, stretches, total_s).encode("utf-8")
