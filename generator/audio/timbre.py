"""How a track sounds, as one short vector: tracks that sound alike lie close, whatever their texts are.

It holds means and spreads of mel cepstra (Davis and Mermelstein 1980), their change from frame to frame, spectral
shape, spectral contrast in octave bands (Jiang et al. 2002), how few of the twelve tones are used, and how often and
how regularly sounds begin: the usual features of genre recognition (Tzanetakis and Cook 2002). Key and loudness are
left out on purpose. docs/SEARCH.md has how often neighbours share a style.
"""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
from numpy.typing import NDArray

from ..protocol import Audio
from .measured_signal import SIGNAL_RATE, measured_signal

__all__ = ["DIMENSION", "KIND", "raw_features", "sound_vector", "vector_of"]


KIND = "timbre-1"
"""Identity of the vectors: only vectors of one kind can be compared. Count it up when anything here changes."""

FRAME, HOP = 2048, 1024
MIN_S = 0.5
"""The shortest track that is described."""
MELS, CEPSTRA = 40, 13
BANDS_HZ = (0.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 6400.0, 11_025.0)
LARGEST = 3.0
"""Standard deviations at which a feature is clipped, so that no single one decides."""

Array = NDArray[np.float64]


def sound_vector(audio: Audio) -> NDArray[np.float32] | None:
    """Return how `audio` sounds as a unit vector, float32 of shape (DIMENSION,); None for silence and under 0.5 s.

    Features are standardised with fixed constants, so that the cosine compares any two tracks. Raises AudioError for
    samples that are not finite.
    """
    features = raw_features(audio)
    return None if features is None else vector_of(features)


def vector_of(features: Array) -> NDArray[np.float32] | None:
    """Return the unit vector of what `raw_features` returned; None where nothing in it differs from the mean."""
    standard = np.clip((features - CENTRES) / SPREADS, -LARGEST, LARGEST)
    length = float(np.linalg.norm(standard))
    return (standard / length).astype(np.float32) if length > 0 else None


def raw_features(audio: Audio) -> Array | None:
    """Return the features before they are standardised, shape (DIMENSION,); None as for `sound_vector`."""
    signal = measured_signal(audio, MIN_S)
    if signal is None:
        return None
    power = _power(signal)
    # Pauses would count as a timbre of their own; where sounds begin is measured with them.
    audible = power[power.sum(axis=1) > power.sum(axis=1).max() * 1e-6]
    mel = np.log(audible @ _mel_filters().T + 1e-10)
    cepstra = mel @ _cosines().T
    change = np.abs(np.diff(cepstra, axis=0)).mean(axis=0) if len(cepstra) > 1 else np.zeros(CEPSTRA)
    return np.concatenate(
        [
            cepstra.mean(axis=0)[1:],
            cepstra.std(axis=0)[1:],
            change[1:],
            _shape(audible),
            _contrast(audible),
            _tones(audible),
            _onsets(np.log(power @ _mel_filters().T + 1e-6 * float(power.max()))),
        ]
    )


def _power(signal: NDArray[np.float32]) -> Array:
    """Return the power spectrum, shape (frames, FRAME / 2 + 1)."""
    import scipy.fft

    padded = np.pad(signal, (0, max(0, FRAME - len(signal))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    spectrum = scipy.fft.rfft(frames * np.hanning(FRAME).astype(np.float32), axis=1)
    return np.asarray(spectrum.real**2 + spectrum.imag**2, dtype=np.float64)


def _shape(power: Array) -> Array:
    """Return centre, width and 85 % point in octaves, flatness, low share, spread of level: means, some spreads."""
    hz = _hz()
    total = power.sum(axis=1) + 1e-12
    centre = power @ hz / total
    width = np.sqrt(np.maximum(power @ hz**2 / total - centre**2, 0.0))
    roll = hz[np.argmax(np.cumsum(power, axis=1) >= 0.85 * total[:, None], axis=1)]
    flat = np.exp(np.log(power + 1e-12).mean(axis=1)) / (power.mean(axis=1) + 1e-12)
    octaves = [np.log2(np.maximum(each, 20.0)) for each in (centre, width, roll)]
    low = power[:, hz < 150.0].sum(axis=1) / total
    level = 10.0 * np.log10(total)
    means = [each.mean() for each in octaves]
    return np.array(
        [*means, octaves[0].std(), math.log10(flat.mean() + 1e-6), low.mean(), min(level.std(), 40.0)]
    )


def _contrast(power: Array) -> Array:
    """Return for each octave band how far its strongest bins stand above its weakest, in dB."""
    hz = _hz()
    contrasts = []
    for low, high in itertools.pairwise(BANDS_HZ):
        band = np.sort(power[:, (hz >= low) & (hz < high)], axis=1)
        few = max(1, band.shape[1] // 5)
        peaks, valleys = band[:, -few:].mean(axis=1), band[:, :few].mean(axis=1)
        contrasts.append(float((10.0 * np.log10((peaks + 1e-10) / (valleys + 1e-10))).mean()))
    return np.array(contrasts)


def _tones(power: Array) -> Array:
    """Return how unevenly the twelve tones are used, over the whole and moment by moment; not which ones."""
    chroma = np.sqrt(power) @ _tone_filters().T
    chroma /= chroma.sum(axis=1, keepdims=True) + 1e-12
    whole = chroma.mean(axis=0)
    return np.array([whole.std() * 12.0, chroma.std(axis=1).mean() * 12.0])


def _onsets(mel: Array) -> Array:
    """Return mean and spread of the rises in level, onsets per second, and how well the rises repeat."""
    rise = np.maximum(np.diff(mel, axis=0), 0.0).mean(axis=1) if len(mel) > 1 else np.zeros(1)
    middle, spread = float(rise.mean()), float(rise.std())
    peak = (rise[1:-1] > rise[:-2]) & (rise[1:-1] >= rise[2:]) & (rise[1:-1] > middle + spread)
    seconds = len(mel) * HOP / SIGNAL_RATE
    flat = rise - middle
    size = 2 * len(flat)
    repeats = np.fft.irfft(np.abs(np.fft.rfft(flat, size)) ** 2)[: len(flat)]
    lags = repeats[5 : math.ceil(2.0 * SIGNAL_RATE / HOP)] / (repeats[0] + 1e-12)
    return np.array([middle, spread, float(peak.sum()) / seconds, float(lags.max()) if len(lags) else 0.0])


@functools.cache
def _hz() -> Array:
    return np.asarray(np.fft.rfftfreq(FRAME, 1.0 / SIGNAL_RATE), dtype=np.float64)


@functools.cache
def _mel_filters() -> Array:
    """Return triangles of equal area, evenly spaced in mel (O'Shaughnessy 1987), shape (MELS, bins)."""
    mel = np.linspace(_mel(30.0), _mel(SIGNAL_RATE / 2), MELS + 2)
    edges = 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    rising = (_hz() - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - _hz()) / np.diff(edges)[1:, None]
    filters = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(filters / (filters.sum(axis=1, keepdims=True) + 1e-12))


def _mel(hz: float) -> float:
    return 2595.0 * math.log10(1.0 + hz / 700.0)


@functools.cache
def _cosines() -> Array:
    places = (np.arange(MELS) + 0.5) * math.pi / MELS
    return np.asarray(math.sqrt(2.0 / MELS) * np.cos(np.outer(np.arange(CEPSTRA), places)), dtype=np.float64)


@functools.cache
def _tone_filters() -> Array:
    """Return which bins belong to each of the twelve tones between 100 and 5,000 Hz, shape (12, bins)."""
    hz = _hz()
    tones = np.round(12.0 * np.log2(np.maximum(hz, 1.0) / 440.0)).astype(int) % 12
    pitched = (hz >= 100.0) & (hz <= 5000.0)
    return np.asarray((tones == np.arange(12)[:, None]) & pitched, dtype=np.float64)


# Mean and standard deviation of each feature over procedural tracks of every shipped style; printed by
# tests/benchmarks/generator/timbre.py --fit.
CENTRES = np.array(
    [
        23.48,
        -0.3594,
        3.363,
        -0.6404,
        0.4007,
        -0.7367,
        -0.2853,
        -0.8152,
        -0.3255,
        -0.7066,
        -0.09751,
        -0.6537,
        4.672,
        2.558,
        1.552,
        1.359,
        1.116,
        1.104,
        1.186,
        1.088,
        1.044,
        1.058,
        1.039,
        1.025,
        2.078,
        1.179,
        0.8338,
        0.6851,
        0.6595,
        0.6269,
        0.6275,
        0.5918,
        0.5791,
        0.5783,
        0.566,
        0.5538,
        8.817,
        8.841,
        9.319,
        0.5347,
        -3.101,
        0.2187,
        5.677,
        44.56,
        29.01,
        31.8,
        32.04,
        31.48,
        31.31,
        29.59,
        0.5228,
        0.7257,
        0.2335,
        0.3027,
        1.959,
        0.459,
    ]
)
SPREADS = np.array(
    [
        10.02,
        3.988,
        1.874,
        1.753,
        1.514,
        1.285,
        1.689,
        1.248,
        0.9934,
        1.215,
        1.071,
        0.8161,
        2.116,
        1.353,
        0.7287,
        0.5925,
        0.4699,
        0.4578,
        0.5593,
        0.4976,
        0.4437,
        0.4456,
        0.4571,
        0.4754,
        1.72,
        0.6617,
        0.3272,
        0.2366,
        0.2222,
        0.2234,
        0.2258,
        0.2042,
        0.1856,
        0.2094,
        0.2116,
        0.1973,
        0.7559,
        0.9992,
        0.8492,
        0.2624,
        1.245,
        0.1538,
        1.454,
        9.147,
        6.703,
        8.937,
        8.698,
        8.999,
        12.15,
        10.25,
        0.2051,
        0.2378,
        0.1123,
        0.2141,
        0.7516,
        0.2288,
    ]
)
DIMENSION = len(CENTRES)
