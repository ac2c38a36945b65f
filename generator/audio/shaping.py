"""The shape of a track: its length, fades, channels and rate."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from ..protocol import Audio
from .checks import checked, replaced

__all__ = ["fade", "fit_duration", "half_cosine", "resample", "to_mono", "to_stereo"]


CODEC_FRAME_S = 0.02
"""One step of MusicGen's codec: a model cannot make a length any finer."""
CUT_FADE_S = 0.01


def fit_duration(
    audio: Audio, duration_s: float, rule: Literal["crop", "pad", "strict"], *, loopable: bool = False
) -> Audio:
    """Return `audio` at `duration_s` by the duration rule.

    "crop" cuts long audio, with a fade of 10 ms against the click, and leaves short audio alone. "pad" also fills short
    audio with silence. "strict" changes nothing, and raises AudioError where the length is off by more than one codec
    frame of 20 ms. The length of a loop is its period, so with `loopable` crop and pad leave it alone.
    """
    samples = checked(audio).samples
    if not (math.isfinite(duration_s) and duration_s > 0):
        raise AudioError(f"cannot fit audio to {duration_s} s; the duration must be a positive number")
    wanted, frames = max(1, round(duration_s * audio.sample_rate)), samples.shape[0]
    if rule == "strict":
        if abs(frames - wanted) > CODEC_FRAME_S * audio.sample_rate:
            raise AudioError(
                f"the audio is {audio.duration_s:.3f} s long, but {duration_s:g} s were requested with "
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
    """Return `audio` with half-cosine fades; where the two do not fit into it, both shrink in proportion."""
    samples, rate = checked(audio).samples, audio.sample_rate
    if not all(math.isfinite(length) and length >= 0 for length in (fade_in_s, fade_out_s)):
        raise AudioError(f"cannot fade in over {fade_in_s} s and out over {fade_out_s} s; use 0 or more")
    shrink = min(1.0, audio.duration_s / max(fade_in_s + fade_out_s, 1e-9))
    rise, fall = int(fade_in_s * shrink * rate), int(fade_out_s * shrink * rate)
    if not rise and not fall:
        return audio
    faded = samples.copy()
    faded[:rise] *= half_cosine(rise)[:, None]
    if fall:
        faded[-fall:] *= half_cosine(fall)[::-1, None]
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
    """Return one channel, the mean of all."""
    if checked(audio).channels == 1:
        return audio
    left, right = audio.samples[:, :1], audio.samples[:, 1:]
    # The same numbers as those of numpy's mean, which takes several times as long over two columns.
    return replaced(audio, (left + right) / np.float32(2.0))


def to_stereo(audio: Audio) -> Audio:
    """Return two channels; a mono signal is the same on both."""
    if checked(audio).channels == 2:
        return audio
    return replaced(audio, np.repeat(audio.samples, 2, axis=1))


def half_cosine(frames: int) -> NDArray[np.float32]:
    """Return the rising half of a cosine, from exactly 0 to nearly 1, shape (frames,)."""
    ramp: NDArray[np.float32] = (0.5 - 0.5 * np.cos(np.pi * np.arange(frames) / max(frames, 1))).astype(
        np.float32
    )
    return ramp
