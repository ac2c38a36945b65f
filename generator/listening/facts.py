"""How a piece sounds, in plain numbers: brightness, density, percussiveness and loudness range.

Tempo and key are measured in `audio.analysis`, loudness and true peak in `audio.loudness`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..audio import onsets
from ..audio.checks import checked
from ..audio.measured_signal import SIGNAL_RATE, measured_signal
from ..audio.spectrum import spectra
from ..protocol import Audio

__all__ = ["MIN_S", "SoundFacts", "facts_of", "loudness_range_lu", "range_of_steps_lu", "sound_facts"]

Array = NDArray[np.float32]

MIN_S = 1.0
"""The shortest audio that has these numbers."""
SIZE, HOP = 2048, 512
AUDIBLE_DB = 40.0
"""Moments that are quieter than the loudest one by more than this have no brightness."""
NEAR_S, AROUND_S = 0.03, 0.5
RISE_DB = 0.7
"""An onset is the highest rise within `NEAR_S`, and by this much more than the mean within `AROUND_S`."""
FRAMES, BANDS = 17, 17
"""Over so many frames (0.4 s) and mel bands medians are taken: what lasts outlives the first, what strikes fills the
second."""
STRIKES = 2.0
"""What strikes has this many times the median over the bands as over the frames; noise has about as much of both."""

WINDOW_S, STEP_S = 3.0, 0.1
ABSOLUTE_GATE_LUFS, RELATIVE_GATE_LU = -70.0, -20.0
OFFSET_LUFS = -0.691


@dataclass(frozen=True)
class SoundFacts:
    """What is measured of a piece."""

    brightness_hz: float
    """The centre of gravity of the spectrum, as a geometric mean over the moments that can be heard."""
    density_per_s: float
    """How many sounds begin in a second."""
    percussiveness: float
    """The share of what sounds that strikes and does not last, 0 to 1 (Fitzgerald 2010; Driedger and others 2014)."""


def sound_facts(audio: Audio) -> SoundFacts | None:
    """Return what is measured of `audio`, on 45 s from the middle.

    None for silence and for less than `MIN_S`. Raises AudioError for samples that are not finite.
    """
    signal = measured_signal(audio, MIN_S)
    return None if signal is None else facts_of(signal, onsets.onset_strength(signal))


def facts_of(signal: Array, strength: Array) -> SoundFacts:
    """Return what is measured of a signal, mono at `SIGNAL_RATE`, whose onset strength is known."""
    brightness_hz, percussiveness = _brightness_and_percussiveness(signal)
    return SoundFacts(brightness_hz, _density_per_s(signal, strength), percussiveness)


def loudness_range_lu(audio: Audio) -> float | None:
    """Return the loudness range in LU, by the filters of BS.1770-4; None for silence and under 3 s. Raises AudioError.

    Source: EBU Tech 3342.
    """
    from pyloudnorm import Meter

    samples, rate = checked(audio).samples.astype(np.float64), audio.sample_rate
    step = round(STEP_S * rate)
    whole = len(samples) // step * step
    if whole < round(WINDOW_S / STEP_S) * step:
        return None
    energies = np.zeros(whole // step)
    for channel in samples.T:
        for one in Meter(rate)._filters.values():
            channel = one.apply_filter(channel)
        energies += np.square(channel[:whole]).reshape(-1, step).mean(axis=1)
    return range_of_steps_lu(energies)


def range_of_steps_lu(energies: NDArray[np.float64]) -> float | None:
    """Return the loudness range in LU from the energies of steps of 0.1 s, K-weighted and summed over the channels.

    None for silence and for under 3 s.
    """
    size = round(WINDOW_S / STEP_S)
    if len(energies) < size:
        return None
    power = np.convolve(energies, np.ones(size) / size, "valid")
    loudness = OFFSET_LUFS + 10.0 * np.log10(np.maximum(power, 1e-20))
    audible = loudness > ABSOLUTE_GATE_LUFS
    if not audible.any():
        return None
    gate = OFFSET_LUFS + 10.0 * math.log10(float(power[audible].mean())) + RELATIVE_GATE_LU
    low, high = np.percentile(loudness[audible & (loudness > gate)], [10, 95])
    return float(high - low)


def _density_per_s(signal: Array, strength: Array) -> float:
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    frames_per_s = SIGNAL_RATE / onsets.HOP
    highest = maximum_filter1d(strength, 2 * round(NEAR_S * frames_per_s) + 1)
    usual = uniform_filter1d(strength, 2 * round(AROUND_S * frames_per_s) + 1, mode="nearest")
    begins = (strength == highest) & (strength > usual + RISE_DB)
    return float(begins.sum() / (len(signal) / SIGNAL_RATE))


def _brightness_and_percussiveness(signal: Array) -> tuple[float, float]:
    """Return the centre of gravity in Hz, and the share of the mel spectrum that strikes.

    That is where the median over the bands is `STRIKES` times that over the frames.
    """
    hz = np.fft.rfftfreq(SIZE, 1.0 / SIGNAL_RATE).astype(np.float32)
    weights = np.concatenate([onsets.mel_filters(), hz[None], np.ones((1, len(hz)), np.float32)]).T
    window = np.hanning(SIZE).astype(np.float32)
    sums = np.concatenate([np.abs(block) @ weights for block in spectra(signal, window, HOP)])
    mel, moment, total = sums[:, :-2], sums[:, -2], sums[:, -1]
    audible = total > total.max() * 10.0 ** (-AUDIBLE_DB / 20.0)
    centre = float(np.exp(np.log(np.maximum(moment[audible] / total[audible], 1.0)).mean()))
    strikes = _medians(mel, BANDS) > STRIKES * _medians(mel.T, FRAMES).T
    return centre, float(mel[strikes].sum() / max(float(mel.sum()), 1e-12))


def _medians(rows: Array, size: int) -> Array:
    """Return the median over `size` values around each in its row, mirrored at the ends; `size` is odd."""
    from scipy.ndimage import median_filter

    # As one long row: scipy filters one dimension six times as fast as one of two.
    padded = np.pad(rows, ((0, 0), (size // 2, size // 2)), mode="symmetric")
    medians: Array = median_filter(padded.ravel(), size).reshape(padded.shape)
    return medians[:, size // 2 : -(size // 2)]
