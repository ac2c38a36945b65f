"""A timeline: beds and narrations, rendered block by block, the beds ducked while somebody speaks.

Memory does not grow with the length of a timeline: samples are held only while they sound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from ..protocol import Audio
from .checks import checked
from .ducking import CONTROL_HZ, Ducking, ducking_gain_db, find_speech, join_words
from .levels import Levels, level_bed, level_voice
from .loudness import loudness_lufs, true_peak_db
from .shaping import resample, to_stereo

__all__ = ["Bed", "Narration", "Timeline", "cues", "mix"]


Floats = NDArray[np.float64]
Samples = NDArray[np.float32]

BLOCK_S = 8.0
TAIL_S = 1.0
"""A narration is held this much longer than its stated duration, for rounding and resampling."""
PEAK_DB = -1.0
"""The highest true peak of a mix, in dBTP."""
PEAK_MARGIN_DB = 0.05
PEAK_OVERLAP = 2048
"""Frames of the block before that are measured again, so that no peak between two blocks is missed."""


@dataclass(frozen=True)
class Bed:
    """Music from `start_s` to `end_s`; `read` returns its levelled samples when they are needed."""

    name: str
    read: Callable[[], Audio]
    start_s: float
    end_s: float
    fade_in_s: float = 0.0
    fade_out_s: float = 0.0
    loop: bool = False
    ducking: Ducking = field(default_factory=Ducking)
    """With the depth that this bed needs; see `level_bed`."""


@dataclass(frozen=True)
class Narration:
    """A voice at `start_s`; `read` returns its levelled samples when they are needed."""

    name: str
    read: Callable[[], Audio]
    start_s: float
    duration_s: float
    text: str = ""


class Timeline:
    """Beds and narrations, rendered block by block at `sample_rate` in two channels."""

    def __init__(
        self, beds: Sequence[Bed], narrations: Sequence[Narration], duration_s: float, sample_rate: int
    ) -> None:
        """Read every narration once, to find where somebody speaks."""
        self.beds, self.narrations = sorted(beds, key=lambda bed: bed.start_s), list(narrations)
        self.duration_s, self.sample_rate = duration_s, sample_rate
        self.frames = max(1, round(duration_s * sample_rate))
        self.on_block: Callable[[], None] = lambda: None
        """Called after each block that is rendered."""
        self._held: dict[str, Samples] = {}
        self.speaking = self._find_speech()

    @property
    def _block_frames(self) -> int:
        return round(BLOCK_S * self.sample_rate)

    @property
    def block_count(self) -> int:
        """How many blocks it is rendered in."""
        return math.ceil(self.frames / self._block_frames)

    def blocks(self) -> Iterator[tuple[Samples, Samples]]:
        """Yield (voice, music) of each block in turn, float32 of shape (frames, 2) each; their sum is the mix."""
        size = self._block_frames
        gains = [np.asarray(10 ** (self.gain_db(bed) / 20)) for bed in self.beds]
        for start in range(0, self.frames, size):
            voice, music = np.zeros((2, min(size, self.frames - start), 2), np.float32)
            for number, narration in enumerate(self.narrations):
                self._add_narration(voice, f"narration {number}", narration, start)
            for number, (bed, gain) in enumerate(zip(self.beds, gains, strict=True)):
                self._add_bed(music, f"bed {number}", bed, gain, start)
            yield voice, music
            self.on_block()
        self._held.clear()

    def render(self, gain: float = 1.0) -> Iterator[dict[str, Samples]]:
        """Yield the blocks of the stems "voice" and "music" and of their sum, "mix"."""
        for voice, music in self.blocks():
            voice, music = voice * np.float32(gain), music * np.float32(gain)
            yield {"mix": voice + music, "voice": voice, "music": music}

    def safety_gain(self) -> float:
        """Return the gain that brings the true peak of the mix to -1 dBTP; 1 where it is there already.

        It renders all blocks once. The levels are chosen so that the gain is nearly always 1.
        """
        ceiling = 10 ** ((PEAK_DB - PEAK_MARGIN_DB) / 20)
        highest, before = 0.0, np.zeros((0, 2), np.float32)
        for voice, music in self.blocks():
            together = np.concatenate([before, voice + music])
            highest = max(highest, 10 ** ((true_peak_db(Audio(together, self.sample_rate)) or -200.0) / 20))
            before = together[-PEAK_OVERLAP:]
        return 1.0 if highest <= ceiling else ceiling / highest

    def gain_db(self, bed: Bed) -> Floats:
        """Return the ducking of a bed over the timeline in dB, at 200 values a second."""
        return ducking_gain_db(self.speaking, bed.ducking)

    def _find_speech(self) -> NDArray[np.bool_]:
        """Return whether anybody speaks, at 200 values a second of the timeline."""
        speaking = np.zeros(math.ceil(self.duration_s * CONTROL_HZ) + 1, np.bool_)
        for narration in self.narrations:
            speech = find_speech(narration.read())
            at = round(narration.start_s * CONTROL_HZ)
            count = max(0, min(len(speech), len(speaking) - at))
            speaking[at : at + count] |= speech[:count]
        return join_words(speaking)

    def _add_narration(self, voice: Samples, key: str, narration: Narration, start: int) -> None:
        """Add to the block `voice`, which begins at frame `start`, what is spoken in it."""
        first = round(narration.start_s * self.sample_rate)
        last = first + round((narration.duration_s + TAIL_S) * self.sample_rate)
        if not self._sounds(key, first, last, start, len(voice)):
            return
        samples = self._samples(key, narration.read)
        low, high = max(first, start), min(first + len(samples), start + len(voice))
        if high > low:
            voice[low - start : high - start] += samples[low - first : high - first]

    def _add_bed(self, music: Samples, key: str, bed: Bed, gain: Floats, start: int) -> None:
        """Add to the block `music`, which begins at frame `start`, what a bed plays in it, faded and ducked."""
        first, last = round(bed.start_s * self.sample_rate), round(bed.end_s * self.sample_rate)
        if not self._sounds(key, first, last, start, len(music)):
            return
        samples = self._samples(key, bed.read)
        end = last if bed.loop else min(last, first + len(samples))
        low, high = max(first, start), min(end, start + len(music))
        if high <= low:
            return
        at = np.arange(low, high)
        curve = np.interp(at / self.sample_rate * CONTROL_HZ, np.arange(len(gain)), gain)
        curve *= _fade(at - first, bed.fade_in_s * self.sample_rate)
        curve *= _fade(end - at, bed.fade_out_s * self.sample_rate)
        # A loop is read round and round; for any other bed the remainder changes nothing.
        played = samples[(at - first) % len(samples)]
        music[low - start : high - start] += played * curve[:, None].astype(np.float32)

    def _sounds(self, key: str, first: int, last: int, start: int, count: int) -> bool:
        """Return whether frames `first` to `last` reach into a block; samples that are over are let go."""
        if last <= start:
            self._held.pop(key, None)
        return first < start + count and last > start

    def _samples(self, key: str, read: Callable[[], Audio]) -> Samples:
        if key not in self._held:
            self._held[key] = to_stereo(resample(read(), self.sample_rate)).samples
        return self._held[key]


def _fade(distance: NDArray[np.int64], length: float) -> Floats | float:
    """Return the gain at each `distance` in frames from the silent end of a fade over `length` frames."""
    # A quarter sine, so that the powers of two beds that cross add up to one.
    return np.sin(0.5 * np.pi * np.clip(distance / length, 0, 1)) if length >= 1 else 1.0


def mix(
    bed: Audio,
    voice: Audio,
    *,
    loop: bool = False,
    ducking: Ducking | None = None,
    levels: Levels | None = None,
    pre_roll_s: float = 2.0,
    post_roll_s: float = 3.0,
    name: str = "bed",
) -> Timeline:
    """Return the timeline of `voice` over `bed`, which begins `pre_roll_s` before it and ends `post_roll_s` after it.

    A `loop` is repeated for as long as that takes; any other bed that is too short ends earlier, with a fade. The
    sample rate is the higher of the two. Raises AudioError for silence and for samples that cannot be used.
    """
    for roll_s in (pre_roll_s, post_roll_s):
        if not 0 <= roll_s <= 600:
            raise AudioError(
                f"a roll of {roll_s:g} s before or after the narration is not possible; use 0 to 600"
            )
    levels = levels or Levels()
    rate = max(checked(bed).sample_rate, checked(voice).sample_rate)
    spoken = level_voice(voice, levels)
    music, needed = level_bed(bed, ducking or Ducking(), levels, voice_lufs=loudness_lufs(spoken))
    total_s = pre_roll_s + voice.duration_s + post_roll_s
    end_s = total_s if loop else min(total_s, bed.duration_s)
    whole = Bed(
        name=name,
        read=lambda: music,
        start_s=0.0,
        end_s=end_s,
        fade_in_s=min(1.0, pre_roll_s / 2),
        fade_out_s=max(0.05, min(post_roll_s, 0.5 * end_s)),
        loop=loop,
        ducking=needed,
    )
    narration = Narration("narration", lambda: spoken, pre_roll_s, voice.duration_s)
    return Timeline([whole], [narration], total_s, rate)


def cues(timeline: Timeline) -> list[dict[str, Any]]:
    """Return what plays when, in order: kind, name, text, start and end in seconds."""
    music = [
        {"kind": "music", "name": b.name, "start_s": round(b.start_s, 3), "end_s": round(b.end_s, 3)}
        for b in timeline.beds
    ]
    voices = [
        {
            "kind": "voice",
            "name": n.name,
            "text": n.text,
            "start_s": round(n.start_s, 3),
            "end_s": round(n.start_s + n.duration_s, 3),
        }
        for n in timeline.narrations
    ]
    return sorted([*music, *voices], key=lambda cue: (cue["start_s"], cue["kind"]))
