"""The timeline of a story: when each chunk is spoken, when each piece of music plays, and its fades."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from ..generator import Audio, audio
from ..generator.audio.ducking import Ducking
from ..generator.audio.levels import Levels, level_bed
from ..generator.audio.timeline import Bed, Narration, Timeline
from .beds import read_track
from .narration import NarratedChunk, reader
from .story import Chunk, Scene

__all__ = ["build_timeline", "lay_out"]


BEFORE_S, AFTER_S = 2.5, 5.0
"""Music before the first word and after the last one."""
BETWEEN_CHUNKS_S, BETWEEN_SCENES_S = 0.7, 3.0
FIRST_FADE_S, LAST_FADE_S = 1.0, AFTER_S - 1.0
FADE_BEATS = (4, 2, 8, 3, 6)
"""Lengths of a cross-fade in beats; the first that lasts neither too short nor too long is taken."""
SHORTEST_FADE_S, USUAL_FADE_S, LONGEST_FADE_S = 1.5, 2.5, 4.0
RATES = (32_000, 44_100, 48_000)


def lay_out(scenes: Sequence[Scene], narrated: Sequence[NarratedChunk]) -> float:
    """Set when each chunk is spoken and when each scene begins and ends; return the length of the whole in seconds."""
    at_s, number = BEFORE_S, 0
    for index, scene in enumerate(scenes):
        if index:
            at_s += BETWEEN_SCENES_S - BETWEEN_CHUNKS_S
        # The music of a scene begins in the pause before its first word.
        scene.start_s = 0.0 if index == 0 else at_s - BETWEEN_SCENES_S
        for _ in scene.chunks:
            narrated[number].start_s = at_s
            at_s += narrated[number].duration_s + BETWEEN_CHUNKS_S
            number += 1
    total_s = at_s - BETWEEN_CHUNKS_S + AFTER_S
    for scene, following in pairwise(scenes):
        scene.end_s = following.start_s
    scenes[-1].end_s = total_s
    return total_s


def build_timeline(
    scenes: Sequence[Scene],
    narrated: Sequence[NarratedChunk],
    chunks: Sequence[Chunk],
    total_s: float,
    levels: Levels,
    ducking: Ducking,
) -> Timeline:
    """Return the timeline of a story whose scenes have their tracks and times; `ducking` holds for every bed."""
    narrations = [
        Narration(f"chunk {number}", reader(one.path), one.start_s, one.duration_s, chunk.context.text)
        for number, (one, chunk) in enumerate(zip(narrated, chunks, strict=True), start=1)
        if one.path is not None
    ]
    quietest = min((audio.loudness_lufs(one.read()) or 0.0 for one in narrations), default=levels.voice_lufs)
    beds = _beds(scenes, total_s, levels, ducking, quietest)
    rates = [*(one.read().sample_rate for one in narrations), *(scene.track.sample_rate for scene in scenes)]
    rate = next((rate for rate in RATES if rate >= max(rates)), RATES[-1])
    return Timeline(beds, narrations, total_s, rate)


def _beds(
    scenes: Sequence[Scene], total_s: float, levels: Levels, ducking: Ducking, voice_lufs: float
) -> list[Bed]:
    """Return one bed for each stretch of scenes that share a track; neighbours cross-fade."""
    beds: list[Bed] = []
    before: Scene | None = None
    for scene in scenes:
        if before is not None and before.track.id == scene.track.id:
            beds[-1] = replace(beds[-1], end_s=scene.end_s)
        else:
            if before is not None:
                beds[-1] = _leave_on_the_beat(beds[-1], scene, before.track.tempo_bpm)
            fade_s = beds[-1].fade_out_s if beds else FIRST_FADE_S
            start_s = beds[-1].end_s - fade_s if beds else 0.0
            beds.append(_bed(scene, start_s, fade_s, levels, ducking, voice_lufs))
        before = scene
    beds[-1] = replace(beds[-1], end_s=total_s, fade_out_s=LAST_FADE_S)
    return beds


def _bed(
    scene: Scene, start_s: float, fade_in_s: float, levels: Levels, ducking: Ducking, voice_lufs: float
) -> Bed:
    _, needed = level_bed(read_track(scene.path), ducking, levels, voice_lufs=voice_lufs)
    return Bed(
        name=f"{scene.track.style} ({scene.track.id})",
        read=_levelled(scene.path, levels),
        start_s=start_s,
        end_s=scene.end_s,
        fade_in_s=fade_in_s,
        loop=True,
        ducking=needed,
    )


def _leave_on_the_beat(bed: Bed, following: Scene, tempo_bpm: float | None) -> Bed:
    """Return `bed` with an end such that its cross-fade begins on one of its beats and lasts whole beats."""
    beat_s = 60.0 / tempo_bpm if tempo_bpm else 0.0
    fade_s, begin_s = USUAL_FADE_S, following.start_s
    if beat_s:
        lengths_s = (count * beat_s for count in FADE_BEATS)
        fade_s = next((s for s in lengths_s if SHORTEST_FADE_S <= s <= LONGEST_FADE_S), USUAL_FADE_S)
        begin_s = bed.start_s + round((following.start_s - bed.start_s) / beat_s) * beat_s
    # A short scene must not end before its music has faded in.
    fade_s = min(fade_s, max(0.2, (following.end_s - following.start_s) / 2))
    return replace(bed, end_s=begin_s + fade_s, fade_out_s=fade_s)


def _levelled(path: Path, levels: Levels) -> Callable[[], Audio]:
    """Return a function that reads the track at `path` at the level of a bed; the timeline calls it late."""
    return lambda: level_bed(read_track(path), Ducking(), levels)[0]
