"""Silence where music should be: everywhere, before it begins, after it ends, or in its midst."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..audio.checks import checked
from ..protocol import Audio
from .expected import Expected, Fault

__all__ = ["silence"]


FRAME_S = 0.05
SILENT_DB = -70.0
"""Of full scale: below it a frame is silent, whatever is around it."""
UNDER_DB = 50.0
"""A frame this far under the loud ones is silent too."""
LOUD = 0.9
"""The loud frames: this quantile of the levels."""
EDGE_S, PAUSE_S = 1.0, 2.0
"""How long silence may last at an edge beside its fade, and between sounds."""
FADE_SHARE = 0.6
"""The part of a fade that may lie under the level of silence."""
ONE_SHOT_SHARE = 0.6
"""The part of a sting or an effect that may be its silent end."""


def silence(audio: Audio, expected: Expected) -> list[Fault]:
    """Return where `audio` is silent for longer than the fades and pauses of music are. Raises AudioError."""
    levels_db = _levels_db(checked(audio))
    loud_db = float(np.quantile(levels_db, LOUD))
    silent = levels_db < max(SILENT_DB, loud_db - UNDER_DB)
    total_s = audio.duration_s
    if loud_db < SILENT_DB or silent.all():
        return [Fault("silence", "all of it is silent", 1.0)]
    lead, trail = int(np.argmin(silent)), int(np.argmin(silent[::-1]))
    inside = _runs(silent[lead : len(silent) - trail])
    pause = max((end - start for start, end in inside), default=0)
    trail_allowed_s = EDGE_S + FADE_SHARE * expected.fade_out_s
    if expected.one_shot:
        trail_allowed_s = max(trail_allowed_s, ONE_SHOT_SHARE * total_s)
    found = (
        ("first", lead, EDGE_S + FADE_SHARE * expected.fade_in_s),
        ("last", trail, trail_allowed_s),
        ("a pause of", pause, ONE_SHOT_SHARE * total_s if expected.one_shot else PAUSE_S),
    )
    return [
        _fault(place, frames * FRAME_S, total_s)
        for place, frames, most_s in found
        if frames * FRAME_S > most_s
    ]


def _fault(place: str, seconds: float, total_s: float) -> Fault:
    where = (
        f"the {place} {seconds:.1f} s" if place in ("first", "last") else f"{place} {seconds:.1f} s inside"
    )
    verb = "are" if place in ("first", "last") else "is"
    return Fault("silence", f"{where} of {total_s:.1f} s {verb} silent", min(1.0, seconds / total_s))


def _levels_db(audio: Audio) -> NDArray[np.float64]:
    """Return the level of each frame of 50 ms in dB of full scale, of the louder channel."""
    size = max(1, min(round(FRAME_S * audio.sample_rate), len(audio.samples)))
    count = len(audio.samples) // size
    frames = audio.samples[: count * size].reshape(count, size, audio.channels)
    power = np.square(frames, dtype=np.float64).mean(axis=1).max(axis=1)
    return np.asarray(10.0 * np.log10(power + 1e-16))


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return start and end of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
