"""Melody conditioning: the pitch class that sounds loudest in each frame of a reference recording.

Computes what transformers' `MusicgenMelodyFeatureExtractor` computes (Copet et al. 2023, section 2.4), in numpy
alone. The recording is taken as it is: separating drums and bass first, as audiocraft does, sharpens the melody.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..audio.checks import checked
from ..audio.shaping import resample
from ..errors import AudioError
from ..protocol import Audio

__all__ = [
    "MAX_MELODY_S",
    "ChromaConfig",
    "check_melody",
    "chroma_filters",
    "extract_chroma",
    "fit_frames",
    "null_chroma",
]


MAX_MELODY_S = 600.0
"""Longest accepted reference, in seconds."""
_SILENCE = 1e-4  # peak of -80 dBFS
_A0_HZ = 27.5  # octaves are counted from A0

Chroma = NDArray[np.float32]


@dataclass(frozen=True)
class ChromaConfig:
    """Analysis of a MusicGen melody checkpoint; the defaults are those of all published ones."""

    sample_rate: int = 32_000
    n_fft: int = 16_384
    hop_length: int = 4_096
    chunk_length_s: int = 30
    num_chroma: int = 12


def extract_chroma(audio: Audio, config: ChromaConfig | None = None, *, offset_s: float = 0.0) -> Chroma:
    """Return one-hot pitch classes, C first, float32 of shape (frames, num_chroma).

    Uses at most `chunk_length_s` seconds. With an `offset_s` the recording is read from there on for a whole
    chunk, starting over at its end. Raises AudioError when it is empty, silent, not finite or longer than
    `MAX_MELODY_S`.
    """
    config = config or ChromaConfig()
    samples = _prepare(audio, config.sample_rate)
    window = config.chunk_length_s * config.sample_rate
    if offset_s > 0:
        start = round(offset_s * config.sample_rate)
        samples = np.take(samples, np.arange(start, start + window), mode="wrap")
    power = _power_spectrum(samples[:window], config)
    energy = power @ chroma_filters(config.sample_rate, config.n_fft, config.num_chroma).T
    chroma: Chroma = np.eye(config.num_chroma, dtype=np.float32)[energy.argmax(axis=-1)]
    return chroma


def check_melody(audio: Audio) -> None:
    """Raise AudioError for a recording that is empty, silent, not finite or longer than `MAX_MELODY_S`."""
    if audio.duration_s > MAX_MELODY_S:
        raise AudioError(
            f"the melody lasts {audio.duration_s:.0f} s; at most {MAX_MELODY_S:.0f} s are valid."
        )
    if np.abs(checked(audio).samples.mean(axis=1)).max() < _SILENCE:
        raise AudioError("the melody is silent; give a recording with audible notes.")


def fit_frames(chroma: Chroma, frames: int) -> Chroma:
    """Return exactly `frames` frames: repeated from the start when too few, cut when too many."""
    fitted: Chroma = chroma[np.arange(frames) % chroma.shape[0]]
    return fitted


def null_chroma(frames: int, num_chroma: int = 12) -> Chroma:
    """Return the chroma that stands for no melody: the first pitch class in every frame."""
    chroma = np.zeros((frames, num_chroma), np.float32)
    chroma[:, 0] = 1.0
    return chroma


@lru_cache(maxsize=4)
def chroma_filters(sample_rate: int, n_fft: int, num_chroma: int) -> NDArray[np.float64]:
    """Return the weight of each spectrum bin for each pitch class, (num_chroma, n_fft // 2 + 1).

    A Gaussian bump per pitch class, unit norm per bin, weighted towards the fifth octave: Ellis 2007, as in
    librosa's `filters.chroma` with `tuning=0`.
    """
    frequencies = np.arange(1, n_fft) * (sample_rate / n_fft)
    pitch = num_chroma * np.log2(frequencies / _A0_HZ)
    # 0 Hz has no pitch; it is placed one and a half octaves below the first bin.
    pitch = np.concatenate([[pitch[0] - 1.5 * num_chroma], pitch])
    width = np.concatenate([np.maximum(np.diff(pitch), 1.0), [1.0]])
    half = np.round(num_chroma / 2)
    distance = (pitch - np.arange(num_chroma)[:, None] + half) % num_chroma - half
    bumps = np.exp(-0.5 * (2 * distance / width) ** 2)
    bumps /= np.linalg.norm(bumps, axis=0, keepdims=True)
    bumps *= np.exp(-0.5 * ((pitch / num_chroma - 5.0) / 2.0) ** 2)
    from_c = np.roll(bumps, -3 * (num_chroma // 12), axis=0)
    return np.ascontiguousarray(from_c[:, : n_fft // 2 + 1])


def _prepare(audio: Audio, sample_rate: int) -> NDArray[np.float32]:
    """Return mono samples at `sample_rate`; refuse what holds no melody."""
    check_melody(audio)
    mono: NDArray[np.float32] = resample(audio, sample_rate).samples.mean(axis=1)
    return mono


def _power_spectrum(samples: NDArray[np.float32], config: ChromaConfig) -> NDArray[Any]:
    """Return |STFT|^2, (frames, n_fft // 2 + 1): periodic Hann window, centred frames, reflected ends."""
    missing = max(0, config.n_fft - samples.shape[0])
    samples = np.pad(samples, (missing // 2, missing - missing // 2))
    samples = np.pad(samples, config.n_fft // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(samples, config.n_fft)[:: config.hop_length]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(config.n_fft) / config.n_fft)
    return np.abs(np.fft.rfft(frames * hann)) ** 2
