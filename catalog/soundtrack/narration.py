"""Put a track under a narration: read both, mix them, and write the mix with its stems and cues."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from generator import Audio, AudioError, audio
from generator.audio.ducking import DUCKING, Ducking, Levels, Timeline, clipped_share, cues, mix
from generator.audio.files import write_blocks

from ..errors import Damage, InputError, StorageError
from ..export import check_target
from ..models import Track
from ..validation import nearest
from .cues import check_cues, write_cues

__all__ = ["STEMS", "check_stems", "mix_under", "read_narration", "read_track", "write_mix"]


STEMS = ("voice", "music")
MAX_BYTES = 256 * 1024**2
MAX_NARRATION_S = 2 * 3600.0
CLIPPED_SHARE = 1e-4
FindTrack = Callable[[str], tuple[Track, Path]]
"""Takes an id or the start of one; returns the track and where its file is."""


def mix_under(
    bed: str,
    narration: str | Path,
    out: str | Path,
    find_track: FindTrack,
    *,
    loop: bool | None = None,
    role: str | None = None,
    levels: Mapping[str, float] | None = None,
    ducking: Mapping[str, float] | None = None,
    pre_roll_s: float = 2.0,
    post_roll_s: float = 3.0,
    stems: str | Path | None = None,
    cue_files: Sequence[str | Path] = (),
    force: bool = False,
) -> dict[str, Any]:
    """Mix `bed`, a file or the id of a track, under `narration`; write it to `out` and say what was done.

    `loop`: repeat the bed, as loops are by default and files shorter than the narration. `role` picks how deep and fast
    it is ducked, a track's own by default; `ducking` and `levels` overrule single values. Raises InputError for
    what cannot be used, before anything is written.
    """
    target = Path(out)
    check_target(target, force=force)
    check_stems(stems, target, force=force)
    for path in map(Path, cue_files):
        check_cues(path, force=force)
    voice, notes = read_narration(narration)
    music, track = _bed(bed, find_track)
    wished = _ducking(role or (track.role if track else "background_bed"), ducking)
    repeats = loop if loop is not None else track.loopable if track else False
    try:
        timeline = mix(
            music,
            voice,
            loop=repeats,
            ducking=wished,
            levels=Levels(**(levels or {})),
            pre_roll_s=pre_roll_s,
            post_roll_s=post_roll_s,
            name=f"{track.style} ({track.id})" if track else Path(bed).name,
        )
    except AudioError as error:
        raise InputError(f"{bed} cannot be mixed under {narration}: {error}") from error
    if not repeats and music.duration_s < timeline.duration_s - post_roll_s:
        notes.append(
            f"the bed ends {timeline.duration_s - music.duration_s:.1f} s before the end; --loop repeats it"
        )
    gain = write_mix(timeline, target, stems)
    sheet = cues(timeline)
    for path in map(Path, cue_files):
        write_cues(path, sheet, duration_s=round(timeline.duration_s, 3), mix=target.name)
    return {
        "path": str(target),
        "duration_s": round(timeline.duration_s, 3),
        "sample_rate": timeline.sample_rate,
        "track_id": track.id if track else None,
        "loop": repeats,
        "depth_db": round(timeline.beds[0].ducking.depth_db, 2),
        "safety_gain": round(gain, 4),
        "cues": sheet,
        "warnings": notes,
    }


def read_narration(path: str | Path) -> tuple[Audio, list[str]]:
    """Return the narration in a file and what is to be noted about it. Raises InputError."""
    try:
        voice = audio.read(path, max_bytes=MAX_BYTES, max_duration_s=MAX_NARRATION_S)
    except AudioError as error:
        raise InputError(f"the narration cannot be used: {error}") from error
    notes = []
    if (share := clipped_share(voice)) > CLIPPED_SHARE:
        notes.append(
            f"the narration {path} is clipped in {share:.2%} of its samples; record it at a lower level"
        )
    if audio.loudness_lufs(voice) is None:
        raise InputError(f"the narration {path} is silent; pass a recording with a voice in it")
    return voice, notes


def read_track(path: Path) -> Audio:
    """Return the audio of a track of the catalog. Raises Damage."""
    try:
        return audio.read(path, max_bytes=MAX_BYTES, max_duration_s=MAX_NARRATION_S)
    except AudioError as error:
        raise Damage(f"{error}; run `catalog doctor --deep`") from error


def write_mix(timeline: Timeline, target: Path, stems: str | Path | None = None) -> float:
    """Write the mix, and with a folder for `stems` voice and music beside it; return the gain that all were given.

    Two passes over the blocks, the first for the true peak; every file appears whole or not at all.
    """
    gain = timeline.safety_gain()
    parts = {} if stems is None else {s: Path(stems) / f"{target.stem}.{s}{target.suffix}" for s in STEMS}
    parts["mix"] = target  # the last, so that where it stands its stems do
    for name, path in parts.items():
        blocks = (part[name] for part in timeline.render(gain))
        try:
            if path is not target:
                path.parent.mkdir(parents=True, exist_ok=True)
            write_blocks(path.resolve(), blocks, timeline.sample_rate, 2)
        except AudioError as error:
            raise StorageError(str(error)) from error
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error
    return gain


def _bed(bed: str, find_track: FindTrack) -> tuple[Audio, Track | None]:
    if Path(bed).suffix or os.sep in bed or Path(bed).is_file():
        try:
            return audio.read(bed, max_bytes=MAX_BYTES, max_duration_s=MAX_NARRATION_S), None
        except AudioError as error:
            raise InputError(f"the bed cannot be used: {error}") from error
    track, path = find_track(bed)
    return read_track(path), track


def _ducking(role: str, wished: Mapping[str, float] | None) -> Ducking:
    if role not in DUCKING:
        raise InputError(f"unknown role {role!r}; {nearest(role, DUCKING)}")
    try:
        return replace(DUCKING[role], **(wished or {}))
    except AudioError as error:
        raise InputError(str(error)) from error


def check_stems(stems: str | Path | None, target: Path, *, force: bool) -> None:
    """Refuse a folder for stems that cannot be one, or holds such already. Raises InputError."""
    if stems is None:
        return
    folder = Path(stems)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; stems are written into a folder")
    for name in STEMS:
        if (path := folder / f"{target.stem}.{name}{target.suffix}").exists() and not force:
            raise InputError(f"{path} exists already; choose another folder, or --force to replace it")
