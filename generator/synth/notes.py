"""The notes of the instruments: a tone with its envelope, rendered once for all places where it is played."""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np

from .instruments import VOICES, Voice
from .tones import SAMPLE_RATE, Samples

__all__ = ["NoteCache"]


Key = tuple[str, float, float, int]
"""Instrument, pitch, brightness, frames."""


class NoteCache:
    """Notes of any instrument at one brightness; each is rendered once and used again."""

    def __init__(self, brightness: float, seed: int) -> None:
        """Render notes at `brightness` (0 to 1); the seed sets phases and small differences."""
        self.brightness, self.seed = brightness, seed
        self._tones: dict[Key, Samples] = {}
        self._notes: dict[Key, Samples] = {}

    def note(self, name: str, pitch: float, duration_s: float, velocity: float) -> Samples:
        """Return one note with its envelope, shape (channels, frames); played harder, it is brighter."""
        voice = VOICES[name]
        pitch = _folded(pitch, voice)
        bright = float(np.clip(self.brightness + (0.08 if velocity > 0.62 else -0.06), 0, 1))
        # Lengths are rounded, so that notes of nearly the same length share one rendering.
        duration_s = max(round(duration_s * 64) / 64, voice.hold_s, 0.03)
        frames = int((duration_s + voice.release_s) * SAMPLE_RATE)
        raw = _ring_frames(voice, frames) if voice.ring_s else 0 if voice.endless else frames
        key = (name, pitch, bright, frames)
        if key not in self._notes:
            tone = self._tone(name, voice, pitch, bright, raw)
            self._notes[key] = _enveloped(
                _wrapped(tone, frames) if voice.endless else tone[:, :frames], voice
            )
        return self._notes[key]

    def _tone(self, name: str, voice: Voice, pitch: float, bright: float, frames: int) -> Samples:
        """Return the raw tone: the ring of a struck voice, a table (0 `frames`), or a note of `frames`."""
        key = (name, pitch, bright, frames)
        if key not in self._tones:
            rng = np.random.default_rng([self.seed, zlib.crc32(name.encode()), int(pitch * 16)])
            self._tones[key] = np.atleast_2d(voice.make(pitch, bright, frames, rng))
        return self._tones[key]


def _ring_frames(voice: Voice, frames: int) -> int:
    """Return how much of the ring to render: a quarter second, doubled until it holds `frames`."""
    length = SAMPLE_RATE // 4
    while length < frames:
        length *= 2
    return min(length, int(voice.ring_s * SAMPLE_RATE))


def _folded(pitch: float, voice: Voice) -> float:
    """Return the pitch, moved by octaves into the range of the instrument."""
    while pitch < voice.low:
        pitch += 12
    while pitch > voice.high:
        pitch -= 12
    return pitch


def _enveloped(tone: Samples, voice: Voice) -> Samples:
    """Return a copy of the tone that starts and ends softly."""
    body = np.array(tone)
    length = body.shape[1]
    attack = min(int(voice.attack_s * SAMPLE_RATE), length // 3)
    release = min(int(voice.release_s * SAMPLE_RATE), length // 2)
    body[:, :attack] *= _rise(attack)
    body[:, length - release :] *= _rise(release)[::-1]
    return body


def _wrapped(table: Samples, frames: int) -> Samples:
    """Return `frames` of a table that is read round and round, shape (channels, frames)."""
    copies = -(-frames // table.shape[1])
    return np.tile(table, (1, copies))[:, :frames] if copies > 1 else table[:, :frames]


@lru_cache(maxsize=128)
def _rise(frames: int) -> Samples:
    """Return the rising half of a cosine, sampled between its ends 0 and 1, shape (frames,)."""
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(frames) + 0.5) / max(frames, 1))).astype(np.float32)
