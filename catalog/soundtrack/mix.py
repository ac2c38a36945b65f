"""Mix a track or a file under a narration, and write the mix with its stems and cues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..export import check_target
from ..file_tags import credits_of
from ..generator import AudioError, Progress
from ..generator.audio.levels import Levels
from ..generator.audio.timeline import cues, mix
from ..presets import Role
from .beds import FindTrack, credit_of_file, pick_ducking, read_bed
from .cues import check_cues, write_cues
from .narration import read_narration
from .stems import check_stems, write_mix

__all__ = ["mix_under"]


def mix_under(
    bed: str,
    narration: str | Path,
    out: str | Path,
    find_track: FindTrack,
    roles: Mapping[str, Role],
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
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Mix `bed`, a file or the id of a track, under `narration`; write it to `out` and return what was done.

    `loop`: repeat the bed; by default loops are repeated. `role`, one of `roles`, sets how deep and fast the bed is
    ducked; by default the track's own role does. `ducking` and `levels` replace single values. Raises InputError for
    what cannot be used, before anything is written.
    """
    target = Path(out)
    check_target(target, force=force)
    check_stems(stems, target, force=force)
    for path in map(Path, cue_files):
        check_cues(path, force=force)
    voice, warnings = read_narration(narration)
    music, track = read_bed(bed, find_track)
    ducked, notes = pick_ducking(roles, role, track, ducking or {})
    warnings += notes
    repeats = loop if loop is not None else track.loopable if track else False
    try:
        timeline = mix(
            music,
            voice,
            loop=repeats,
            ducking=ducked,
            levels=Levels(**(levels or {})),
            pre_roll_s=pre_roll_s,
            post_roll_s=post_roll_s,
            name=f"{track.style} ({track.id})" if track else Path(bed).name,
        )
    except AudioError as error:
        raise InputError(f"{bed} cannot be mixed under {narration}: {error}") from error
    if not repeats and music.duration_s < timeline.duration_s - post_roll_s:
        warnings.append(
            f"the bed ends {timeline.duration_s - music.duration_s:.1f} s before the end; pass loop=True to repeat it"
        )
    comment = credits_of([track]) if track else credit_of_file(Path(bed))
    gain = write_mix(timeline, target, stems, comment=comment, on_progress=on_progress)
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
        "warnings": warnings,
    }
