"""Score a whole story: chunks become scenes, scenes get loops, and all of it one timeline under its narration.

A scene goes on while place and mood do, and keeps its loop; a scene that comes back gets its theme back; otherwise the
variety rule keeps one track from being heard again and again.
"""

from __future__ import annotations

import hashlib
import secrets
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from generator import AudioError, Progress
from generator.audio.ducking import Levels, cues

from ..errors import InputError
from ..export import check_target, write_bytes
from ..models import Result
from ..service.service import MusicService
from .cues import write_cues
from .narration import STEMS, check_stems, write_mix
from .plot import Moment, Stretch, arc
from .renderers import Command, Renderer
from .story import Chunk, Scene, read_story, split_scenes
from .timeline import Told, build_timeline, lay_out, narrate

__all__ = ["levels_of", "score"]


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
    **asked: Any,
) -> dict[str, Any]:
    """Score the story and write `out`, with cues (.json, .vtt) and a plot (.svg) beside it; say what was done.

    `voice` narrates chunks that bring no narration; without one they last as long as reading them takes. `asked`
    goes to `MusicService.scene` (quality, backend, seed, ...). Raises InputError before anything is made.
    """
    target = Path(out)
    beside = {suffix: target.with_suffix(suffix) for suffix in (".json", ".vtt", ".svg")}
    check_target(target, force=force)
    check_stems(stems, target, force=force)
    for maker in (voice, cover):
        if isinstance(maker, Command):
            maker.check()
    for path in (*beside.values(), *([target.with_suffix(".png")] if cover else [])):
        if path.exists() and not force:
            raise InputError(f"{path} exists already; choose another name, or --force to replace it")
    levels = levels or Levels()
    chunks = read_story(story, service)
    scenes = split_scenes(chunks)
    digest = hashlib.sha256(Path(story).read_bytes()).hexdigest()[:12]
    with tempfile.TemporaryDirectory() as folder:
        told = [narrate(chunk, voice, Path(folder), levels) for chunk in chunks]
        notes = [note for one in told for note in one.notes]
        total_s = lay_out(scenes, told)
        listening = listener or f"story-{digest}-{secrets.token_hex(4)}"
        _choose(service, scenes, listening, f"story-{digest}", asked, on_progress, on_scene)
        timeline = build_timeline(scenes, told, chunks, total_s, levels)
        if cover is not None:
            cover.render(_cover_words(scenes), Path(folder) / "cover.png")
        gain = write_mix(timeline, target, stems)
        if cover is not None:
            beside[".png"] = target.with_suffix(".png")
            write_bytes(beside[".png"].resolve(), (Path(folder) / "cover.png").read_bytes())
    rows = [_row(number, scene) for number, scene in enumerate(scenes, start=1)]
    sheet = cues(timeline)
    write_cues(beside[".json"], sheet, story=str(story), duration_s=round(total_s, 3), scenes=rows)
    write_cues(beside[".vtt"], sheet)
    _write_plot(beside[".svg"], Path(story).stem, chunks, told, scenes, total_s)
    for scene in scenes:
        assert scene.result is not None
        notes += [note for note in scene.result.warnings if note not in notes]
    return {
        "path": str(target),
        "duration_s": round(total_s, 3),
        "chunks": len(chunks),
        "scenes": rows,
        "themes": len({scene.theme for scene in scenes}),
        "files": [str(path) for path in beside.values()],
        "stems": [str(Path(stems) / f"{target.stem}.{name}{target.suffix}") for name in STEMS]
        if stems
        else [],
        "safety_gain": round(gain, 4),
        "warnings": notes,
    }


def levels_of(**given: float) -> Levels:
    """Return stated levels in LUFS; raise InputError for such as cannot be mixed."""
    try:
        return Levels(**given)
    except AudioError as error:
        raise InputError(str(error)) from error


# Music


def _choose(
    service: MusicService,
    scenes: Sequence[Scene],
    listener: str,
    story: str,
    asked: Mapping[str, Any],
    on_progress: Progress | None,
    on_scene: Callable[[str], None] | None,
) -> None:
    """Give every scene its loop: the one of its theme where that was heard before, else one that fits."""
    themes: dict[str, Result] = {}
    for number, scene in enumerate(scenes, start=1):
        if scene.theme not in themes:
            themes[scene.theme] = service.scene(
                _words(scene),
                environment=scene.place,
                time_of_day=next(
                    (c.context.time_of_day for c in scene.chunks if c.context.time_of_day), None
                ),
                duration_s=scene.end_s - scene.start_s,
                listener=listener,
                theme=f"{story} {scene.theme}",
                on_progress=on_progress,
                **{"valence": scene.valence, "energy": scene.energy, **asked},
            )
        scene.result = themes[scene.theme]
        if on_scene is not None:
            track = scene.result.track
            assert track is not None
            on_scene(f"scene {number} of {len(scenes)}: {scene.theme}: {track.style} ({track.id})")


def _words(scene: Scene) -> dict[str, Any]:
    text = "\n".join(chunk.context.text for chunk in scene.chunks)
    return {"text": text, "mood_tags": list(scene.mood_tags) or None}


def _cover_words(scenes: Sequence[Scene]) -> str:
    longest = max(scenes, key=lambda scene: scene.end_s - scene.start_s)
    place = f"{longest.place}, " if longest.place else ""
    return f"Book cover illustration, {place}{', '.join(longest.mood_tags)}: {longest.chunks[0].context.text[:300]}"


# What is told


def _row(number: int, scene: Scene) -> dict[str, Any]:
    assert scene.result is not None
    track = scene.result.track
    assert track is not None
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
        "style": track.style,
        "tempo_bpm": track.tempo_bpm,
        "seam": track.seam,
        "action": scene.result.action,
    }


def _write_plot(
    path: Path,
    title: str,
    chunks: Sequence[Chunk],
    told: Sequence[Told],
    scenes: Sequence[Scene],
    total_s: float,
) -> None:
    moments = [
        Moment(
            one.start_s,
            one.start_s + one.duration_s,
            chunk.read.valence,
            chunk.read.energy,
            chunk.context.text[:120],
        )
        for chunk, one in zip(chunks, told, strict=True)
    ]
    stretches = []
    for scene in scenes:
        assert scene.result is not None
        track = scene.result.track
        assert track is not None
        lines = (track.style.removeprefix("environment_"), ", ".join(scene.mood_tags[:2]), track.id[:8])
        stretches.append(Stretch(scene.start_s, scene.end_s, scene.theme, lines))
    drawing = arc(f"{title}: valence and energy", moments, stretches, total_s)
    write_bytes(path.resolve(), drawing.encode("utf-8"))
