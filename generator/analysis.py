"""What a track is, measured on its samples: tempo, key, and the outline of its waveform."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generator.audio import resample, to_mono
from generator.errors import AudioError
from generator.melody import chroma_filters
from generator.protocol import Audio
from generator.samples import checked

__all__ = ["musical_key", "peaks", "tempo_bpm"]

RATE = 22_050
SILENCE_RMS = 10.0 ** (-70 / 20)

TEMPO_S = 45.0
"""The longest stretch that is listened to, from the middle."""
MIN_TEMPO_S = 4.0
MIN_BPM, MAX_BPM = 60.0, 180.0
USUAL_BPM = 115.0
TEMPO_HOP = 256
TEMPO_FFT = 1024
TEMPO_BANDS = 40
TEMPO_RANGE_DB = 60.0
MIN_PULSE = 0.2
"""Least autocorrelation of the onset strength, where 1 is exact repetition and noise stays near 0."""

KEY_S = 45.0
MIN_KEY_S = 1.0
KEY_FFT = 8192
KEY_HZ = (55.0, 2000.0)
KEY_FLOOR_BINS = 61
KEY_FLOOR = 2.0
"""A partial counts with what it has above twice the mean of its surroundings: noise and drums fall away."""
MIN_KEY_FIT = 0.6
MIN_STEADINESS = 0.8
"""Least correlation of the chroma of one half of the frames with that of the other; chance clusters fail it."""

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
PROFILES = {
    "major": (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081),
    "minor": (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052),
}
"""How much each of the twelve tones from the tonic up is used in a major and a minor key: Albrecht and Shanahan
(2013), "The use of large corpora to train a new type of key-finding algorithm", Music Perception 31(1)."""


def tempo_bpm(audio: Audio) -> float | None:
    """Return the tempo in beats per minute, from 60 to 180, or None where no pulse is heard.

    The strength of onsets (spectral flux in mel bands) is correlated with itself; the lag that repeats best
    wins, nearer to 115 preferred where two are alike, so a tempo outside the range is told as its double or half.
    None for silence, for less than 4 s, and where the best lag repeats at less than `MIN_PULSE`.
    """
    signal = _signal(audio, TEMPO_S)
    if signal is None or len(signal) < MIN_TEMPO_S * RATE:
        return None
    strength = _onsets(signal)
    repeats = _autocorrelation(strength)
    frames_per_minute = 60.0 * RATE / TEMPO_HOP
    first, last = math.floor(frames_per_minute / MAX_BPM), math.ceil(frames_per_minute / MIN_BPM)
    last = min(last, len(repeats) // 2 - 1)
    lags = np.arange(first, last + 1)
    # A beat repeats at its double lag too; an offbeat does not.
    score = 0.5 * (repeats[lags] + repeats[2 * lags])
    weight = np.exp(-0.5 * np.log2(frames_per_minute / lags / USUAL_BPM) ** 2)
    best = int(np.argmax(score * weight))
    if score[best] < MIN_PULSE:
        return None
    return float(round(frames_per_minute / _period(repeats, int(lags[best])), 1))


def musical_key(audio: Audio) -> str | None:
    """Return the key as "A minor" or "C# major", or None where there is no clear one.

    The chroma of the whole is correlated with the 24 keys, the method of Krumhansl and Schmuckler with newer
    profiles; the best wins. Modes are told as the nearer of the two. None for silence, for less than 1 s, for a
    best correlation under `MIN_KEY_FIT` (noise stays under 0.55), and where every other pair of frames has
    another chroma (`MIN_STEADINESS`).
    """
    signal = _signal(audio, KEY_S)
    if signal is None or len(signal) < MIN_KEY_S * RATE:
        return None
    frames = _chroma(signal)
    chroma = frames.mean(axis=1)
    turn = np.arange(frames.shape[1]) // 2 % 2
    if _fit(frames[:, turn == 0].mean(axis=1), frames[:, turn == 1].mean(axis=1)) < MIN_STEADINESS:
        return None
    fits = {
        f"{NAMES[tonic]} {mode}": _fit(np.roll(profile, tonic), chroma)
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


def _signal(audio: Audio, longest_s: float) -> NDArray[np.float32] | None:
    """Return the middle of `audio` as mono at `RATE`, shape (frames,); None when it is silent."""
    excess = max(0, len(checked(audio).samples) - round(longest_s * audio.sample_rate))
    samples = audio.samples[excess // 2 : len(audio.samples) - (excess - excess // 2)]
    signal: NDArray[np.float32] = resample(to_mono(Audio(samples, audio.sample_rate)), RATE).samples[:, 0]
    return signal if math.sqrt(float(np.mean(np.square(signal)))) > SILENCE_RMS else None


def _onsets(signal: NDArray[np.float32]) -> NDArray[Any]:
    """Return the strength of onsets, one value for each hop, its slow changes taken out."""
    from scipy.ndimage import uniform_filter1d

    power = _magnitude(signal, TEMPO_FFT, TEMPO_HOP) ** 2
    bands = 10.0 * np.log10(np.maximum(np.add.reduceat(power, _mel_edges(), axis=0), 1e-10))
    flux = np.maximum(np.diff(np.maximum(bands, bands.max() - TEMPO_RANGE_DB), axis=1), 0.0).mean(axis=0)
    # Smoothed a little, so that beats which fall between hops still meet.
    flux = np.convolve(flux, np.hanning(7)[1:-1] / 3.0, mode="same")
    return np.asarray(flux - uniform_filter1d(flux, RATE // TEMPO_HOP))


def _mel_edges() -> NDArray[Any]:
    """Return the first bin of each of `TEMPO_BANDS` bands of equal width in mel (O'Shaughnessy 1987)."""
    highest = 2595.0 * math.log10(1.0 + RATE / 2 / 700.0)
    hertz = 700.0 * (10.0 ** (np.arange(TEMPO_BANDS) * highest / TEMPO_BANDS / 2595.0) - 1.0)
    return np.unique(np.rint(hertz * TEMPO_FFT / RATE).astype(int))


def _autocorrelation(strength: NDArray[Any]) -> NDArray[np.float64]:
    """Return the autocorrelation at each lag, 1 at lag 0, each lag weighed by how much of it overlaps."""
    from scipy.fft import irfft, rfft

    count = len(strength)
    raw = irfft(np.abs(rfft(strength, 2 * count)) ** 2)[:count]
    overlap = np.arange(len(raw), 0, -1) / len(raw)
    return np.asarray(raw / overlap / max(float(raw[0]), 1e-12))


def _period(repeats: NDArray[np.float64], lag: int) -> float:
    """Return the period near `lag` in hops: told the finer, the more periods it is measured over."""
    period, spans = _summit(repeats, lag), 2
    while (near := round(spans * period)) + 2 < len(repeats) // 2 and spans <= 16:
        at = near - 1 + int(np.argmax(repeats[near - 1 : near + 2]))
        if repeats[at] < MIN_PULSE:
            break
        period, spans = _summit(repeats, at) / spans, 2 * spans
    return period


def _summit(values: NDArray[np.float64], at: int) -> float:
    """Return where the parabola through the values around `at` is highest, at most half a step off."""
    before, here, after = (float(values[at + step]) for step in (-1, 0, 1))
    bend = before - 2 * here + after
    return at + min(0.5, max(-0.5, 0.5 * (before - after) / bend)) if bend < 0 else float(at)


def _fit(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return the correlation of two profiles; 0 where one is flat."""
    if one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _chroma(signal: NDArray[np.float32]) -> NDArray[Any]:
    """Return how strongly the twelve pitch classes sound, C first, shape (12, frames)."""
    from scipy.ndimage import uniform_filter1d

    magnitude = _magnitude(signal, KEY_FFT, KEY_FFT // 2)
    partials = np.maximum(magnitude - KEY_FLOOR * uniform_filter1d(magnitude, KEY_FLOOR_BINS, axis=0), 0.0)
    low, high = (round(hertz * KEY_FFT / RATE) for hertz in KEY_HZ)
    partials[:low] = partials[high:] = 0.0
    return np.asarray(chroma_filters(RATE, KEY_FFT, 12) @ partials)


def _magnitude(signal: NDArray[np.float32], size: int, hop: int) -> NDArray[Any]:
    """Return the magnitude spectrum of Hann windows of `size` every `hop` frames, shape (size / 2 + 1, windows)."""
    from scipy.fft import rfft

    window = np.hanning(size + 1)[:-1].astype(np.float32)
    # Half a window of silence at both ends, so that the first and the last chord weigh in full.
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(signal, size // 2), size)[::hop]
    return np.ascontiguousarray(np.abs(rfft(frames * window, axis=1)).T)
