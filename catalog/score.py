"""Score a whole story: chunks become scenes, scenes get loops, and all of it one timeline under its narration.

A scene goes on while place and mood do, and keeps its loop; a scene that comes back gets its theme back; otherwise the
variety rule keeps one track from being heard again and again.
"""

from __future__ import annotations

import hashlib
import secrets
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from catalog import features as understanding
from catalog.context import read_lines
from catalog.cues import write_cues
from catalog.errors import InputError, Unavailable
from catalog.export import check_target, write_bytes
from catalog.models import Context, Features, Result
from catalog.mood import mood_distance
from catalog.plot import Moment, Stretch, arc
from catalog.renderers import Command, Renderer
from catalog.scene import read_scene
from catalog.service import MusicService
from catalog.underlay import STEMS, check_stems, read_narration, read_track, write_mix
from generator import Audio, AudioError, Progress, audio
from generator.mix import DUCKING, Bed, Levels, Timeline, Voice, cues, level_bed, level_voice

__all__ = ["MOOD_CHANGE", "Chunk", "Scene", "levels_of", "read_story", "score", "split_scenes"]

MOOD_CHANGE = 0.45
"""A mood farther than this from the scene's begins another scene: nearly an opposite one, since moods waver within a
scene from chunk to chunk and the music should not."""
SAME_THEME = 0.3
"""A scene that comes back to a place in a mood no farther than this from the earlier one's gets its theme back."""
MAX_CHUNKS = 2000
WORDS_PER_S = 2.6
"""Of a narrator, for chunks that come without a voice."""
SHORTEST_CHUNK_S = 2.0
BEFORE_S, AFTER_S = 2.5, 5.0
BETWEEN_CHUNKS_S, BETWEEN_SCENES_S = 0.7, 3.0
FADE_BEATS = 4
USUAL_FADE_S = 2.5
SHORTEST_FADE_S, LONGEST_FADE_S = 1.5, 4.0
RATES = (32_000, 44_100, 48_000)


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


@dataclass
class Told:
    """The narration of a chunk: levelled samples on disk, and when they are heard."""

    duration_s: float
    path: Path | None = None
    start_s: float = 0.0
    notes: list[str] = field(default_factory=list)


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
        told = [_narrated(chunk, voice, Path(folder), levels) for chunk in chunks]
        notes = [note for one in told for note in one.notes]
        total_s = _lay_out(scenes, told)
        listening = listener or f"story-{digest}-{secrets.token_hex(4)}"
        _choose(service, scenes, listening, f"story-{digest}", asked, on_progress, on_scene)
        timeline = _timeline(scenes, told, chunks, total_s, levels)
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


# Time


def _narrated(chunk: Chunk, voice: Renderer | None, folder: Path, levels: Levels) -> Told:
    """Return the narration of a chunk, levelled and put on disk; silence as long as reading takes without one."""
    source = chunk.narration
    if source is None and voice is not None:
        source = folder / f"said-{chunk.line}.wav"
        voice.render(chunk.context.text, source)
        if _is_silent(source):  # "* * *" and the like
            return Told(
                SHORTEST_CHUNK_S,
                notes=[f"line {chunk.line} gave the narrator nothing to say; the music plays on"],
            )
    if source is None:
        words = len(chunk.context.text.split())
        return Told(max(SHORTEST_CHUNK_S, words / WORDS_PER_S))
    try:
        heard, notes = read_narration(source)
        levelled = level_voice(heard, levels)
    except (InputError, AudioError) as error:
        raise InputError(f"line {chunk.line} of the story: {error}") from error
    path = folder / f"voice-{chunk.line}.flac"
    path.write_bytes(audio.encode(levelled, "flac"))
    return Told(heard.duration_s, path, notes=notes)


def _is_silent(path: Path) -> bool:
    try:
        return audio.loudness_lufs(_reader(path)()) is None
    except AudioError as error:
        raise Unavailable(f"what the narrator made cannot be used: {error}") from error


def _lay_out(scenes: Sequence[Scene], told: Sequence[Told]) -> float:
    """Set when each chunk is told and each scene begins and ends; return the length of the whole."""
    at_s, number = BEFORE_S, 0
    for index, scene in enumerate(scenes):
        if index:
            at_s += BETWEEN_SCENES_S - BETWEEN_CHUNKS_S
        scene.start_s = 0.0 if index == 0 else at_s - BETWEEN_SCENES_S
        for _ in scene.chunks:
            told[number].start_s = at_s
            at_s += told[number].duration_s + BETWEEN_CHUNKS_S
            number += 1
    total_s = at_s - BETWEEN_CHUNKS_S + AFTER_S
    for scene, following in pairwise(scenes):
        scene.end_s = following.start_s
    scenes[-1].end_s = total_s
    return total_s


def _timeline(
    scenes: Sequence[Scene], told: Sequence[Told], chunks: Sequence[Chunk], total_s: float, levels: Levels
) -> Timeline:
    voices = [
        Voice(f"chunk {number}", _reader(one.path), one.start_s, one.duration_s, chunk.context.text)
        for number, (one, chunk) in enumerate(zip(told, chunks, strict=True), start=1)
        if one.path is not None
    ]
    voice_lufs = min(
        (audio.loudness_lufs(voice.read()) or 0.0 for voice in voices), default=levels.voice_lufs
    )
    beds: list[Bed] = []
    rate = max((voice.read().sample_rate for voice in voices), default=RATES[0])
    for scene in scenes:
        assert scene.result is not None
        track, path = scene.result.track, scene.result.path
        assert track is not None
        assert path is not None
        rate = max(rate, track.sample_rate)
        same = beds and scene is not scenes[0] and beds[-1].name == f"{track.style} ({track.id})"
        if same:
            beds[-1] = replace(beds[-1], end_s=scene.end_s)
            continue
        if beds:
            beds[-1] = _leave_on_the_beat(beds[-1], scene, _tempo(scenes, scene))
        start_s = beds[-1].end_s - beds[-1].fade_out_s if beds else 0.0
        _, ducking = level_bed(read_track(path), DUCKING["loop_bed"], levels, voice_lufs=voice_lufs)
        beds.append(
            Bed(
                name=f"{track.style} ({track.id})",
                read=_bed_reader(path, levels),
                start_s=start_s,
                end_s=scene.end_s,
                fade_in_s=beds[-1].fade_out_s if beds else 1.0,
                loop=True,
                ducking=ducking,
            )
        )
    beds[-1] = replace(beds[-1], end_s=total_s, fade_out_s=AFTER_S - 1.0)
    return Timeline(beds, voices, total_s, next((r for r in RATES if r >= rate), RATES[-1]))


def _tempo(scenes: Sequence[Scene], scene: Scene) -> float | None:
    before = scenes[[one is scene for one in scenes].index(True) - 1].result
    return before.track.tempo_bpm if before and before.track else None


def _leave_on_the_beat(bed: Bed, scene: Scene, tempo_bpm: float | None) -> Bed:
    """Return the bed with its end set so that the cross-fade begins on one of its beats and lasts whole beats."""
    beat_s = 60.0 / tempo_bpm if tempo_bpm else 0.0
    fade_s = USUAL_FADE_S
    begin_s = scene.start_s
    if beat_s:
        beats = next(
            (n for n in (FADE_BEATS, 2, 8, 3, 6) if SHORTEST_FADE_S <= n * beat_s <= LONGEST_FADE_S), None
        )
        fade_s = beats * beat_s if beats else USUAL_FADE_S
        begin_s = bed.start_s + round((scene.start_s - bed.start_s) / beat_s) * beat_s
    fade_s = min(fade_s, max(0.2, (scene.end_s - scene.start_s) / 2))
    return replace(bed, end_s=begin_s + fade_s, fade_out_s=fade_s)


def _reader(path: Path) -> Callable[[], Audio]:
    return lambda: audio.read(path, max_bytes=2**28, max_duration_s=7200)


def _bed_reader(path: Path, levels: Levels) -> Callable[[], Audio]:
    return lambda: level_bed(read_track(path), DUCKING["loop_bed"], levels)[0]


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
