"""Tempo, key and the outline of the waveform, measured on samples.

docs/ANALYSIS.md has the measurements behind the methods and the thresholds.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from ..protocol import Audio
from . import onsets
from .beat import refine_peak
from .checks import checked
from .constant_q import cens_chroma
from .measured_signal import SIGNAL_RATE, measured_signal

__all__ = ["MIN_S", "musical_key", "peaks", "tempo_bpm", "tempo_of"]


MIN_S = 4.0
"""The shortest audio whose tempo and key are measured."""

HOPS_PER_MINUTE = 60.0 * SIGNAL_RATE / onsets.HOP
MIN_BPM, USUAL_BPM, MAX_BPM = 40.0, 115.0, 180.0
TEMPO_SPREAD = 0.7
"""Standard deviation of tempos around the usual one, in octaves."""
MIN_PULSE = 0.2
"""Least autocorrelation of the onset strength; 1 is exact repetition, and noise stays near 0."""

MIN_KEY_FIT = 0.6
MIN_KEY_CONTRAST = 0.1
"""Least spread of the twelve tones against their mean; in noise all twelve are alike."""

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
PROFILES = {
    "major": (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081),
    "minor": (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052),
}
"""How much a major and a minor key use each of the twelve tones, from the tonic up: Albrecht and Shanahan (2013), "The
use of large corpora to train a new type of key-finding algorithm", Music Perception 31(1)."""


def tempo_bpm(audio: Audio) -> float | None:
    """Return the tempo in beats per minute, from 40 to 180, or None where there is no pulse.

    Method: onset strength with the maximum filter of SuperFlux (Böck and Widmer 2013), its autocorrelation, and the lag
    that repeats best, weighted by how near it is to 115 a minute (Ellis 2007, "Beat tracking by dynamic programming"),
    as librosa chooses; a tempo over 180 becomes its half. None for silence, for less than 4 s, and where the chosen lag
    repeats at less than `MIN_PULSE`. Raises AudioError for samples that are not finite.
    """
    signal = measured_signal(audio, MIN_S)
    return None if signal is None else tempo_of(onsets.onset_strength(signal))


def tempo_of(strength: NDArray[np.float32]) -> float | None:
    """Return the tempo of a signal with that onset strength, which lasts at least `MIN_S`; see `tempo_bpm`."""
    repeats = _autocorrelation(strength)
    lags = np.arange(math.floor(HOPS_PER_MINUTE / MAX_BPM) + 1, math.ceil(HOPS_PER_MINUTE / MIN_BPM) + 1)
    usual = -0.5 * (np.log2(HOPS_PER_MINUTE / lags / USUAL_BPM) / TEMPO_SPREAD) ** 2
    lag = int(lags[np.argmax(np.log1p(1e6 * np.maximum(repeats[lags], 0.0)) + usual)])
    if repeats[lag] < MIN_PULSE:
        return None
    # Whole lags are up to 1 % apart at fast tempos.
    return round(HOPS_PER_MINUTE / refine_peak(repeats, lag), 1)


def musical_key(audio: Audio) -> str | None:
    """Return the key as "A minor" or "C# major", or None where there is no clear one.

    The mean of the CENS chroma (Müller and Ewert 2011) is correlated with the 24 keys, the method of Krumhansl
    and Schmuckler with newer profiles; the best wins. Other modes come out as the nearer of the two. None for silence,
    for less than 4 s, for twelve tones alike (`MIN_KEY_CONTRAST`) and for a best correlation under `MIN_KEY_FIT`.
    Raises as `tempo_bpm` does.
    """
    signal = measured_signal(audio, MIN_S)
    if signal is None:
        return None
    chroma = cens_chroma(signal).mean(axis=0)
    if chroma.std() < MIN_KEY_CONTRAST * chroma.mean():
        return None
    fits = {
        f"{NAMES[tonic]} {mode}": float(np.corrcoef(np.roll(profile, tonic), chroma)[0, 1])
        for mode, profile in PROFILES.items()
        for tonic in range(12)
    }
    best = max(fits, key=fits.__getitem__)
    return best if fits[best] >= MIN_KEY_FIT else None


def peaks(audio: Audio, bins: int) -> NDArray[np.float32]:
    """Return the least and greatest sample of any channel in each of `bins` equal spans, shape (bins, 2)."""
    if bins < 1:
        raise AudioError(f"cannot draw a waveform in {bins} bins; use at least 1")
    samples = checked(audio).samples
    starts = np.arange(bins) * len(samples) // bins
    low = np.minimum.reduceat(samples.min(axis=1), starts)
    high = np.maximum.reduceat(samples.max(axis=1), starts)
    return np.stack([low, high], axis=1)


def _autocorrelation(strength: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how well `strength` repeats after each lag in frames, shape (frames,); 1 at lag 0."""
    spectrum = np.fft.rfft(strength - strength.mean(dtype=np.float64), 2 * len(strength))
    repeats = np.fft.irfft(spectrum.real**2 + spectrum.imag**2)[: len(strength)]
    return repeats / max(float(repeats[0]), 1e-12)
