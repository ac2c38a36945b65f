"""Levels: a voice and a bed at a stated loudness, the bed far enough under the voice."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import AudioError
from ..protocol import Audio
from .checks import checked, replaced
from .ducking import Ducking
from .loudness import loudness_lufs, normalize_loudness
from .shaping import to_mono, to_stereo

__all__ = ["MIN_UNDER_LU", "Levels", "clipped_share", "level_bed", "level_voice"]


VOICE_PEAK_DB, BED_PEAK_DB = -4.0, -6.0
"""dBTP: a voice and a ducked bed that peak together here stay under -1 dBTP."""
MIN_UNDER_LU = 12.0
"""How far the loud parts of a bed lie under the voice at the least."""
MARGIN_LU = 2.0
LOUD_PART_S = 3.0
CANCELLED_LU = 10.0
"""Where the sum of a voice's channels loses this much, one channel is inverted, and the louder one is used alone."""
FULL_SCALE = 0.9995


@dataclass(frozen=True)
class Levels:
    """Stated loudness in LUFS: of the voice, and of a bed while nobody speaks. Raises AudioError out of range."""

    voice_lufs: float = -18.0
    bed_lufs: float = -24.0

    def __post_init__(self) -> None:
        if not (-60 <= self.voice_lufs <= -10 and -60 <= self.bed_lufs <= -10):
            raise AudioError(
                f"levels of {self.voice_lufs:g} and {self.bed_lufs:g} LUFS cannot be mixed; both lie from -60 to -10"
            )


def level_voice(voice: Audio, levels: Levels) -> Audio:
    """Return narration at its stated loudness, as two equal channels. Raises AudioError for silence."""
    loudness = loudness_lufs(voice)
    if loudness is None:
        raise AudioError("the narration is silent; pass a recording with a voice in it")
    mono = to_mono(voice)
    summed = loudness_lufs(mono)
    if summed is None or summed < loudness - CANCELLED_LU:
        louder = int(np.argmax(np.square(voice.samples, dtype=np.float64).sum(axis=0)))
        mono = replaced(voice, voice.samples[:, louder : louder + 1])
    return normalize_loudness(to_stereo(mono), levels.voice_lufs, VOICE_PEAK_DB)


def level_bed(
    bed: Audio, ducking: Ducking, levels: Levels, *, voice_lufs: float | None = None
) -> tuple[Audio, Ducking]:
    """Return a bed at its stated loudness, and `ducking` as deep as its loudest three seconds need.

    `voice_lufs`: the measured loudness of the voice, where its peaks kept it quieter than stated. Raises AudioError
    for silence.
    """
    levelled = normalize_loudness(to_stereo(checked(bed)), levels.bed_lufs, BED_PEAK_DB)
    loudest = _loudest_part_lufs(levelled)
    if loudest is None:
        raise AudioError("the bed is silent; pass music that can be heard")
    spoken = levels.voice_lufs if voice_lufs is None else voice_lufs
    needed = loudest - (spoken - MIN_UNDER_LU - MARGIN_LU)
    return levelled, replace(ducking, depth_db=min(60.0, max(ducking.depth_db, needed)))


def _loudest_part_lufs(bed: Audio) -> float | None:
    """Return the loudness of the loudest three seconds, or of the whole where that is more; None for silence."""
    whole = loudness_lufs(bed)
    if whole is None:
        return None
    size = round(LOUD_PART_S * bed.sample_rate)
    parts = [bed.samples[at : at + size] for at in range(0, len(bed.samples), size)]
    measured = [loudness_lufs(Audio(part, bed.sample_rate)) for part in parts if len(part) > size // 2]
    return max([whole, *(lufs for lufs in measured if lufs is not None)])


def clipped_share(voice: Audio) -> float:
    """Return the share of samples at full scale beside another one at full scale: what clipping leaves."""
    full = np.abs(checked(voice).samples) >= FULL_SCALE
    return float((full[1:] & full[:-1]).mean()) if len(full) > 1 else 0.0
