"""What turns a render into a track: length, fades, channels, rate; loudness and files beside them."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from ..protocol import Audio
from .checks import checked, replaced
from .files import FORMATS, convert, encode, read, read_tags
from .loudness import loudness_lufs, normalize_loudness, true_peak_db

__all__ = [
    "FORMATS",
    "convert",
    "encode",
    "fade",
    "fit_duration",
    "loudness_lufs",
    "normalize_loudness",
    "read",
    "read_tags",
    "resample",
    "to_mono",
    "to_stereo",
    "true_peak_db",
]


CODEC_FRAME_S = 0.02
"""One step of MusicGen's codec: the finest length that a model can be asked for."""
CUT_FADE_S = 0.01


def fit_duration(
    audio: Audio, duration_s: float, rule: Literal["crop", "pad", "strict"], *, loopable: bool = False
) -> Audio:
    """Return `audio` at `duration_s` by the duration rule.

    crop cuts what is too long, with a fade of 10 ms against the click, and leaves what is short; pad also
    fills what is short with silence; strict changes nothing and raises AudioError where the length is off
    by more than one codec frame of 20 ms. A loop's length is its period, which cutting and filling would
    break: with `loopable` both leave it alone.
    """
    samples = checked(audio).samples
    if not (math.isfinite(duration_s) and duration_s > 0):
        raise AudioError(f"cannot fit audio to {duration_s} s; the duration must be a positive number")
    wanted, frames = max(1, round(duration_s * audio.sample_rate)), samples.shape[0]
    if rule == "strict":
        if abs(frames - wanted) > CODEC_FRAME_S * audio.sample_rate:
            raise AudioError(
                f"the audio is {audio.duration_s:.3f} s long, but {duration_s:g} s were asked for with "
                "normalize_duration strict; use crop or pad to allow a difference"
            )
        return audio
    if rule not in ("crop", "pad"):
        raise AudioError(f"unknown duration rule {rule!r}; valid are crop, pad and strict")
    if loopable or frames == wanted or (frames < wanted and rule == "crop"):
        return audio
    if frames < wanted:
        return replaced(audio, np.pad(samples, ((0, wanted - frames), (0, 0))))
    return fade(replaced(audio, samples[:wanted]), 0.0, CUT_FADE_S)


def fade(audio: Audio, fade_in_s: float, fade_out_s: float) -> Audio:
    """Return `audio` with raised-cosine fades; where they do not both fit, both shrink in proportion."""
    samples, rate = checked(audio).samples, audio.sample_rate
    if not all(math.isfinite(length) and length >= 0 for length in (fade_in_s, fade_out_s)):
        raise AudioError(f"cannot fade in over {fade_in_s} s and out over {fade_out_s} s; use 0 or more")
    shrink = min(1.0, audio.duration_s / max(fade_in_s + fade_out_s, 1e-9))
    rise, fall = int(fade_in_s * shrink * rate), int(fade_out_s * shrink * rate)
    if not rise and not fall:
        return audio
    faded = samples.copy()
    faded[:rise] *= _ramp(rise)
    if fall:
        faded[-fall:] *= _ramp(fall)[::-1]
    return replaced(audio, faded)


def resample(audio: Audio, sample_rate: int) -> Audio:
    """Return `audio` at `sample_rate` in Hz, by soxr at high quality."""
    if sample_rate <= 0:
        raise AudioError(f"cannot resample to {sample_rate} Hz; the rate must be positive")
    if checked(audio).sample_rate == sample_rate:
        return audio
    import soxr

    return replaced(audio, soxr.resample(audio.samples, audio.sample_rate, sample_rate), sample_rate)


def to_mono(audio: Audio) -> Audio:
    """Return the mean of the channels."""
    if checked(audio).channels == 1:
        return audio
    return replaced(audio, audio.samples.mean(axis=1, keepdims=True))


def to_stereo(audio: Audio) -> Audio:
    """Return two channels, a mono signal the same on both."""
    if checked(audio).channels == 2:
        return audio
    return replaced(audio, np.repeat(audio.samples, 2, axis=1))


def _ramp(frames: int) -> NDArray[np.float32]:
    """Return the rising half of a raised cosine, from exactly 0, shape (frames, 1)."""
    phase = np.arange(frames, dtype=np.float64) / max(frames, 1)
    ramp: NDArray[np.float32] = np.sin(0.5 * np.pi * phase)[:, None].astype(np.float32) ** 2
    return ramp
