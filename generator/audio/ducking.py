"""Ducking: how far and how fast music gives way to a voice.

Gains are computed before anything is rendered, 200 values a second, from the envelope of the voice. So the music is
down before the first word, and no gain moves faster than attack and release allow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from ..protocol import Audio

__all__ = ["CONTROL_HZ", "Ducking", "ducking_gain_db", "find_speech", "join_words"]


Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

CONTROL_HZ = 200
"""Values a second of speech flags and gains."""
WINDOW_S = 0.03
SILENT_DB = -50.0
UNDER_VOICE_DB = -30.0
"""A level this far below the loud moments of a voice is no speech: breath, room, the end of a tail."""


@dataclass(frozen=True)
class Ducking:
    """How music gives way to a voice: depth in dB, times in seconds. Raises AudioError for impossible values."""

    depth_db: float = 10.0
    attack_s: float = 0.25
    hold_s: float = 0.35
    release_s: float = 1.2

    def __post_init__(self) -> None:
        times = (self.attack_s, self.hold_s, self.release_s)
        if not (math.isfinite(sum(times)) and min(times) >= 0 and 0 <= self.depth_db <= 60):
            raise AudioError(
                f"ducking by {self.depth_db:g} dB with times {', '.join(f'{t:g}' for t in times)} s is not possible; "
                "the depth is 0 to 60 dB, the times are not negative"
            )


def find_speech(voice: Audio) -> Flags:
    """Return whether somebody speaks, 200 values a second, from the first sample of `voice` on."""
    levels = _envelope_db(voice)
    return levels > max(SILENT_DB, float(np.quantile(levels, 0.95)) + UNDER_VOICE_DB)


def join_words(speech: Flags) -> Flags:
    """Return `speech` with the gaps inside words closed: each stretch grows by one window on both sides."""
    window = round(WINDOW_S * CONTROL_HZ)
    return _lengthened(speech, window, window)


def ducking_gain_db(speech: Flags, ducking: Ducking) -> Floats:
    """Return the gain in dB, from 0 down to minus the depth, at 200 values a second."""
    depth, per_s = ducking.depth_db, float(CONTROL_HZ)
    if depth == 0 or not speech.any():
        return np.zeros(len(speech))
    held = _lengthened(speech, 0, round(ducking.hold_s * per_s))
    target = np.where(held, -depth, 0.0)
    # The gain may rise by `up` and fall by `down` a step. The highest such curve under the target is the lowest of all
    # lines that leave an earlier value upwards (release), then of all lines that lead down to a later one (attack).
    # In coordinates that tilt with the slope, "lowest so far" is a running minimum.
    up, down = (depth / max(s * per_s, 1.0) for s in (ducking.release_s, ducking.attack_s))
    step = np.arange(len(target))
    released = np.minimum.accumulate(target - up * step) + up * step
    attacked = np.minimum.accumulate((released + down * step)[::-1])[::-1] - down * step
    return np.asarray(np.clip(attacked, -depth, 0.0), dtype=np.float64)


def _envelope_db(voice: Audio) -> Floats:
    """Return the level of a voice in dB, 200 values a second, over windows of 30 ms around each."""
    samples, rate = voice.samples, voice.sample_rate
    # The power of any window is the difference of two running sums.
    power = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64).mean(axis=1))])
    middles = np.arange(0, len(samples), rate / CONTROL_HZ)
    low = np.clip(middles - WINDOW_S * rate / 2, 0, len(samples)).astype(int)
    high = np.clip(middles + WINDOW_S * rate / 2, 1, len(samples)).astype(int)
    levels: Floats = 10 * np.log10((power[high] - power[low]) / np.maximum(high - low, 1) + 1e-12)
    return levels


def _lengthened(flags: Flags, before: int, after: int) -> Flags:
    """Return `flags` with each stretch that is set grown by `before` and `after` values."""
    # Each set value opens a stretch and closes it again; where more are open than closed, the result is set.
    edges = np.zeros(len(flags) + before + after + 2, np.int64)
    at = np.flatnonzero(flags)
    np.add.at(edges, at, 1)
    np.add.at(edges, at + before + after + 1, -1)
    return np.asarray(np.cumsum(edges)[before : before + len(flags)] > 0)
