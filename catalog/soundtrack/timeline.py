"""The timeline of a story: when each chunk is spoken, when each piece of music plays, and its fades."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from generator import Audio, AudioError, audio
from generator.audio.ducking import DUCKING, Bed, Levels, Timeline, Voice, level_bed, level_voice

from ..errors import InputError, Unavailable
from .narration import read_narration, read_track
from .renderers import Renderer
from .story import Chunk, Scene

__all__ = [
    "AFTER_S",
    "BEFORE_S",
    "BETWEEN_CHUNKS_S",
    "BETWEEN_SCENES_S",
    "FADE_BEATS",
    "LONGEST_FADE_S",
    "RATES",
    "SHORTEST_CHUNK_S",
    "SHORTEST_FADE_S",
    "USUAL_FADE_S",
    "WORDS_PER_S",
    "Told",
]

WORDS_PER_S = 2.6
"""Of a narrator, for chunks that come without a voice."""
SHORTEST_CHUNK_S = 2.0
BEFORE_S, AFTER_S = 2.5, 5.0
BETWEEN_CHUNKS_S, BETWEEN_SCENES_S = 0.7, 3.0
FADE_BEATS = 4
USUAL_FADE_S = 2.5
SHORTEST_FADE_S, LONGEST_FADE_S = 1.5, 4.0
RATES = (32_000, 44_100, 48_000)


@dataclass
class Told:
    """The narration of a chunk: levelled samples on disk, and when they are heard."""

    duration_s: float
    path: Path | None = None
    start_s: float = 0.0
    notes: list[str] = field(default_factory=list)


# Time


def narrate(chunk: Chunk, voice: Renderer | None, folder: Path, levels: Levels) -> Told:
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


def lay_out(scenes: Sequence[Scene], told: Sequence[Told]) -> float:
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


def build_timeline(
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
