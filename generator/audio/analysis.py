"""Tempo, key and the outline of the waveform, measured on samples.

docs/ANALYSIS.md has the measurements behind the methods and the thresholds.
"""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from ..protocol import Audio
from .beat import refine_peak
from .checks import checked
from .measured_signal import SIGNAL_RATE, measured_signal

__all__ = ["musical_key", "peaks", "tempo_bpm"]


MIN_S = 4.0
"""The shortest audio whose tempo and key are measured."""

TEMPO_HOP = 256
HOPS_PER_MINUTE = 60.0 * SIGNAL_RATE / TEMPO_HOP
MIN_BPM, USUAL_BPM, MAX_BPM = 40.0, 115.0, 180.0
TEMPO_SPREAD = 0.7
"""Standard deviation of tempos around the usual one, in octaves."""
MIN_PULSE = 0.2
"""Least autocorrelation of the onset strength; 1 is exact repetition, and noise stays near 0."""

KEY_HOP = 2048
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

    Method: librosa's onset strength with the maximum filter of SuperFlux (Böck and Widmer 2013), its autocorrelation,
    and librosa's choice among the lags, which prefers those near to 115 a minute; a tempo over 180 becomes its half.
    None for silence, for less than 4 s, and where the chosen lag repeats at less than `MIN_PULSE`. Raises AudioError
    for samples that are not finite and where librosa cannot be loaded.
    """
    signal = measured_signal(audio, MIN_S)
    if signal is None:
        return None
    strength = _librosa("onset").onset_strength(
        y=signal, sr=SIGNAL_RATE, hop_length=TEMPO_HOP, lag=2, max_size=3
    )
    lags = math.ceil(HOPS_PER_MINUTE / MIN_BPM) + 1
    raw = _librosa("core.audio").autocorrelate(strength - strength.mean(), max_size=lags + 1)
    repeats = raw / max(float(raw[0]), 1e-12)
    chosen = _librosa("feature.rhythm").tempo(
        tg=np.maximum(repeats[:lags, None], 0.0),
        sr=SIGNAL_RATE,
        hop_length=TEMPO_HOP,
        start_bpm=USUAL_BPM,
        std_bpm=TEMPO_SPREAD,
        max_tempo=MAX_BPM,
    )
    lag = round(HOPS_PER_MINUTE / float(chosen[0]))
    if repeats[lag] < MIN_PULSE:
        return None
    # librosa returns whole lags only, which are up to 1 % apart at fast tempos.
    return round(HOPS_PER_MINUTE / refine_peak(repeats, lag), 1)


def musical_key(audio: Audio) -> str | None:
    """Return the key as "A minor" or "C# major", or None where there is no clear one.

    The mean of librosa's CENS chroma (Müller and Ewert 2011) is correlated with the 24 keys, the method of Krumhansl
    and Schmuckler with newer profiles; the best wins. Other modes come out as the nearer of the two. None for silence,
    for less than 4 s, for twelve tones alike (`MIN_KEY_CONTRAST`) and for a best correlation under `MIN_KEY_FIT`.
    Raises as `tempo_bpm` does.
    """
    signal = measured_signal(audio, MIN_S)
    if signal is None:
        return None
    frames = _librosa("feature.spectral").chroma_cens(
        y=signal, sr=SIGNAL_RATE, hop_length=KEY_HOP, tuning=0.0, win_len_smooth=None
    )
    chroma = frames.mean(axis=1)
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


def _librosa(module: str) -> Any:
    """Return one module of librosa; raise AudioError where numba has no folder for what it compiles."""
    try:
        return import_module(f"librosa.{module}")
    except RuntimeError as error:
        raise AudioError(
            f"librosa, which measures tempo and key, cannot be loaded ({error}); "
            "set NUMBA_CACHE_DIR to a folder that can be written"
        ) from error
