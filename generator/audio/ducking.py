"""Music under a voice: beds and narration on one timeline, the beds ducked while somebody speaks.

A timeline is rendered block by block, so that its length does not grow the memory; a bed is held only while it sounds.
Gains are worked out beforehand, 200 times a second, from the voice's own envelope, so that the music is down before the
first word and no gain ever moves faster than the attack and release allow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from ..protocol import Audio
from .checks import checked, replaced
from .loudness import loudness_lufs, normalize_loudness, true_peak_db
from .shaping import resample, to_mono, to_stereo

__all__ = [
    "DUCKING",
    "MIN_UNDER_LU",
    "Bed",
    "Ducking",
    "Levels",
    "Timeline",
    "Voice",
    "clipped_share",
    "cues",
    "level_bed",
    "level_voice",
    "mix",
]


Floats = NDArray[np.float64]

CONTROL_HZ = 200
BLOCK_S = 8.0
WINDOW_S = 0.03
SILENT_DB = -50.0
UNDER_VOICE_DB = -30.0
"""Below the voice's loud moments by more than this nobody speaks: breath, room, the end of a tail."""
VOICE_PEAK_DB, BED_PEAK_DB, PEAK_DB = -4.0, -6.0, -1.0
"""dBTP: a voice at its peak and a ducked bed at its own stay under the last of these together."""
MIN_UNDER_LU = 12.0
MARGIN_LU = 2.0
LOUD_PART_S = 3.0
CANCELLED_LU = 10.0
"""Where the sum of a voice's channels loses so much, one of them is the wrong way round, and one alone is taken."""
FULL_SCALE = 0.9995


@dataclass(frozen=True)
class Ducking:
    """How the bed gives way to the voice; times in seconds, depth in dB."""

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


DUCKING: Mapping[str, Ducking] = {
    "narration_bed": Ducking(8.0, 0.3, 0.5, 1.6),
    "background_bed": Ducking(10.0, 0.25, 0.35, 1.2),
    "loop_bed": Ducking(10.0, 0.25, 0.35, 1.2),
    "focus_track": Ducking(12.0, 0.25, 0.35, 1.2),
    "intro_sting": Ducking(14.0, 0.12, 0.25, 0.8),
    "transition": Ducking(14.0, 0.12, 0.25, 0.8),
    "ui_sfx": Ducking(6.0, 0.05, 0.1, 0.3),
}
"""Role of the bed -> how it is ducked at the least; what is made to lie under a voice gives way slowly and less."""


@dataclass(frozen=True)
class Levels:
    """Stated loudness in LUFS: of the voice, and of a bed while nobody speaks."""

    voice_lufs: float = -18.0
    bed_lufs: float = -24.0

    def __post_init__(self) -> None:
        if not (-60 <= self.voice_lufs <= -10 and -60 <= self.bed_lufs <= -10):
            raise AudioError(
                f"levels of {self.voice_lufs:g} and {self.bed_lufs:g} LUFS cannot be mixed; both lie from -60 to -10"
            )


@dataclass(frozen=True)
class Bed:
    """Music from `start_s` to `end_s`; `read` gives its levelled samples when they are needed."""

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
class Voice:
    """Narration at `start_s`; `read` gives its levelled samples when they are needed."""

    name: str
    read: Callable[[], Audio]
    start_s: float
    duration_s: float
    text: str = ""


def level_voice(voice: Audio, levels: Levels) -> Audio:
    """Return narration at its stated loudness, as two channels. Raises AudioError where nothing is heard."""
    heard = loudness_lufs(voice)
    if heard is None:
        raise AudioError("the narration is silent; pass a recording with a voice in it")
    mono = to_mono(voice)
    summed = loudness_lufs(mono)
    if summed is None or summed < heard - CANCELLED_LU:
        louder = int(np.argmax(np.square(voice.samples, dtype=np.float64).sum(axis=0)))
        mono = replaced(voice, voice.samples[:, louder : louder + 1])
    return normalize_loudness(to_stereo(mono), levels.voice_lufs, VOICE_PEAK_DB)


def level_bed(
    bed: Audio, ducking: Ducking, levels: Levels, *, voice_lufs: float | None = None
) -> tuple[Audio, Ducking]:
    """Return a bed at its stated loudness, and the ducking that takes its loud parts 12 LU under the voice.

    `voice_lufs`: what the voice really has, where its peaks kept it quieter than stated. Raises AudioError for silence.
    """
    levelled = normalize_loudness(to_stereo(checked(bed)), levels.bed_lufs, BED_PEAK_DB)
    size = round(LOUD_PART_S * bed.sample_rate)
    parts = [levelled.samples[at : at + size] for at in range(0, len(levelled.samples), size)]
    heard = [loudness_lufs(Audio(part, bed.sample_rate)) for part in parts if len(part) > size // 2]
    whole = loudness_lufs(levelled)
    if whole is None:
        raise AudioError("the bed is silent; pass music that can be heard")
    loudest = max((one for one in (*heard, whole) if one is not None), default=-70.0)
    spoken = levels.voice_lufs if voice_lufs is None else voice_lufs
    needed = loudest - (spoken - MIN_UNDER_LU - MARGIN_LU)
    depth = min(60.0, max(ducking.depth_db, needed))
    return levelled, Ducking(depth, ducking.attack_s, ducking.hold_s, ducking.release_s)


def clipped_share(voice: Audio) -> float:
    """Return the share of samples that stand at full scale with a neighbour that does: what clipping leaves."""
    full = np.abs(checked(voice).samples) >= FULL_SCALE
    return float((full[1:] & full[:-1]).mean()) if len(full) > 1 else 0.0


class Timeline:
    """Beds and voices, rendered block by block at `sample_rate` in two channels."""

    def __init__(
        self, beds: Sequence[Bed], voices: Sequence[Voice], duration_s: float, sample_rate: int
    ) -> None:
        self.beds, self.voices = sorted(beds, key=lambda bed: bed.start_s), list(voices)
        self.duration_s, self.sample_rate = duration_s, sample_rate
        self.frames = max(1, round(duration_s * sample_rate))
        self._held: dict[str, NDArray[np.float32]] = {}
        self.speaking = self._speaking()

    def blocks(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Yield (voice, music) of each block in turn, float32 of shape (frames, 2) each; their sum is the mix."""
        size = round(BLOCK_S * self.sample_rate)
        gains = [self._gain(bed) for bed in self.beds]
        for start in range(0, self.frames, size):
            count = min(size, self.frames - start)
            voice, music = np.zeros((2, count, 2), np.float32)
            for number, one in enumerate(self.voices):
                first = round(one.start_s * self.sample_rate)
                last = first + round((one.duration_s + 1) * self.sample_rate)
                if self._near(f"voice {number}", first, last, start, count):
                    _add(voice, self._samples(f"voice {number}", one.read), first - start)
            for number, (bed, gain) in enumerate(zip(self.beds, gains, strict=True)):
                first, last = round(bed.start_s * self.sample_rate), round(bed.end_s * self.sample_rate)
                if self._near(f"bed {number}", first, last, start, count):
                    samples = self._samples(f"bed {number}", bed.read)
                    self._lay(music, samples, bed, gain, (first, last), start)
            yield voice, music
        self._held.clear()

    def gain_db(self, bed: Bed) -> Floats:
        """Return the ducking of a bed over the timeline in dB, at 200 values a second."""
        depth, per_s = bed.ducking.depth_db, float(CONTROL_HZ)
        if depth == 0 or not self.speaking.any():
            return np.zeros(len(self.speaking))
        held = _dilated(self.speaking, 0, round(bed.ducking.hold_s * per_s))
        target = np.where(held, -depth, 0.0)
        ramp = np.arange(len(target))
        # The lowest line of the allowed slope through any earlier value, then through any later one.
        up, down = (depth / max(s * per_s, 1.0) for s in (bed.ducking.release_s, bed.ducking.attack_s))
        rising = np.minimum.accumulate(target - up * ramp) + up * ramp
        falling = np.minimum.accumulate((rising + down * ramp)[::-1])[::-1] - down * ramp
        return np.asarray(np.clip(falling, -depth, 0.0), dtype=np.float64)

    def _speaking(self) -> NDArray[np.bool_]:
        """Return whether somebody speaks, at 200 values a second, from the envelope of each voice."""
        active = np.zeros(math.ceil(self.duration_s * CONTROL_HZ) + 1, np.bool_)
        for voice in self.voices:
            levels = _envelope_db(voice.read())
            loud = levels > max(SILENT_DB, float(np.quantile(levels, 0.95)) + UNDER_VOICE_DB)
            at = round(voice.start_s * CONTROL_HZ)
            count = max(0, min(len(loud), len(active) - at))
            active[at : at + count] |= loud[:count]
        return _dilated(active, round(WINDOW_S * CONTROL_HZ), round(WINDOW_S * CONTROL_HZ))

    def _gain(self, bed: Bed) -> Floats:
        return np.asarray(10 ** (self.gain_db(bed) / 20))

    def _near(self, key: str, first: int, last: int, start: int, count: int) -> bool:
        if last <= start:
            self._held.pop(key, None)
        return first < start + count and last > start

    def _samples(self, key: str, read: Callable[[], Audio]) -> NDArray[np.float32]:
        if key not in self._held:
            self._held[key] = to_stereo(resample(read(), self.sample_rate)).samples
        return self._held[key]

    def _lay(
        self,
        music: NDArray[np.float32],
        samples: NDArray[np.float32],
        bed: Bed,
        gain: Floats,
        span: tuple[int, int],
        start: int,
    ) -> None:
        """Add what a bed plays in this block, faded and ducked."""
        first, last = span
        low, high = max(first, start), min(last, start + len(music))
        if not bed.loop:
            high = min(high, first + len(samples))
        if high <= low:
            return
        at = np.arange(low, high)
        played = samples[(at - first) % len(samples)]
        curve = np.interp(at / self.sample_rate * CONTROL_HZ, np.arange(len(gain)), gain)
        rise, fall = bed.fade_in_s * self.sample_rate, bed.fade_out_s * self.sample_rate
        end = last if bed.loop else min(last, first + len(samples))
        if rise >= 1:
            curve *= np.sin(0.5 * np.pi * np.clip((at - first) / rise, 0, 1))
        if fall >= 1:
            curve *= np.sin(0.5 * np.pi * np.clip((end - at) / fall, 0, 1))
        music[low - start : high - start] += played * curve[:, None].astype(np.float32)

    def safety_gain(self) -> float:
        """Return what brings the true peak of the mix to -1 dBTP at most; 1 where it is there already.

        Levels are chosen so that this is the rule. It renders all blocks once.
        """
        ceiling = 10 ** ((PEAK_DB - 0.05) / 20)
        highest, before = 0.0, np.zeros((0, 2), np.float32)
        for voice, music in self.blocks():
            together = np.concatenate([before, voice + music])
            highest = max(highest, 10 ** ((true_peak_db(Audio(together, self.sample_rate)) or -200.0) / 20))
            before = together[-2048:]
        return 1.0 if highest <= ceiling else ceiling / highest

    def render(self, gain: float = 1.0) -> Iterator[dict[str, NDArray[np.float32]]]:
        """Yield the blocks of the stems "voice" and "music" and of their sum, "mix"."""
        for voice, music in self.blocks():
            voice, music = voice * np.float32(gain), music * np.float32(gain)
            yield {"mix": voice + music, "voice": voice, "music": music}


def mix(
    bed: Audio,
    narration: Audio,
    *,
    loop: bool = False,
    role: str = "narration_bed",
    ducking: Ducking | None = None,
    levels: Levels | None = None,
    pre_roll_s: float = 2.0,
    post_roll_s: float = 3.0,
    name: str = "bed",
) -> Timeline:
    """Return the timeline of `narration` over `bed`, which begins `pre_roll_s` before and ends `post_roll_s` after it.

    A `loop` is repeated for as long as that takes; another bed that is too short ends before, with a fade. The rate is
    the higher of the two. Raises AudioError for silence and for what cannot be used.
    """
    for roll_s in (pre_roll_s, post_roll_s):
        if not 0 <= roll_s <= 600:
            raise AudioError(
                f"a roll of {roll_s:g} s before or after the narration is not possible; use 0 to 600"
            )
    levels = levels or Levels()
    rate = max(checked(bed).sample_rate, checked(narration).sample_rate)
    voice = level_voice(narration, levels)
    wished = ducking or DUCKING.get(role, Ducking())
    music, needed = level_bed(bed, wished, levels, voice_lufs=loudness_lufs(voice))
    total_s = pre_roll_s + narration.duration_s + post_roll_s
    end_s = total_s if loop else min(total_s, bed.duration_s)
    return Timeline(
        [
            Bed(
                name=name,
                read=lambda: music,
                start_s=0.0,
                end_s=end_s,
                fade_in_s=min(1.0, pre_roll_s / 2),
                fade_out_s=max(0.05, min(post_roll_s, 0.5 * end_s)),
                loop=loop,
                ducking=needed,
            )
        ],
        [Voice("narration", lambda: voice, pre_roll_s, narration.duration_s)],
        total_s,
        rate,
    )


def _add(out: NDArray[np.float32], samples: NDArray[np.float32], at: int) -> None:
    low, high = max(0, at), min(len(out), at + len(samples))
    if high > low:
        out[low:high] += samples[low - at : high - at]


def _envelope_db(voice: Audio) -> Floats:
    """Return the level of a voice in dB, 200 values a second, over windows of 30 ms around each."""
    samples, rate = voice.samples, voice.sample_rate
    power = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64).mean(axis=1))])
    middles = np.arange(0, len(samples), rate / CONTROL_HZ)
    low = np.clip(middles - WINDOW_S * rate / 2, 0, len(samples)).astype(int)
    high = np.clip(middles + WINDOW_S * rate / 2, 1, len(samples)).astype(int)
    levels: Floats = 10 * np.log10((power[high] - power[low]) / np.maximum(high - low, 1) + 1e-12)
    return levels


def _dilated(active: NDArray[np.bool_], before: int, after: int) -> NDArray[np.bool_]:
    """Return `active` with each stretch longer by so many values on either side."""
    edges = np.zeros(len(active) + before + after + 2, np.int64)
    at = np.flatnonzero(active)
    np.add.at(edges, at, 1)
    np.add.at(edges, at + before + after + 1, -1)
    return np.asarray(np.cumsum(edges)[before : before + len(active)] > 0)


def cues(timeline: Timeline) -> list[dict[str, Any]]:
    """Return what plays when, in order: kind, name, text, start and end in seconds."""
    music = [
        {"kind": "music", "name": b.name, "start_s": round(b.start_s, 3), "end_s": round(b.end_s, 3)}
        for b in timeline.beds
    ]
    voices = [
        {
            "kind": "voice",
            "name": v.name,
            "text": v.text,
            "start_s": round(v.start_s, 3),
            "end_s": round(v.start_s + v.duration_s, 3),
        }
        for v in timeline.voices
    ]
    return sorted([*music, *voices], key=lambda cue: (cue["start_s"], cue["kind"]))
