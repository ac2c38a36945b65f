"""Four ways to make a tone: struck partials, a spread spectrum, a swept wavetable, frequency modulation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "SAMPLE_RATE",
    "VIBRATO_DELAY_S",
    "Floats",
    "Samples",
    "angle",
    "cycles",
    "fm",
    "hertz",
    "modal",
    "shaped_noise",
    "spread",
    "sweep",
]


SAMPLE_RATE = 32_000
TOP_HZ = 14_000.0
TABLE, ROWS = 2048, 32
VIBRATO_DELAY_S = 0.25
SPREAD_FRAMES = 1 << 16

Samples = NDArray[np.float32]
Floats = NDArray[np.float64]


def hertz(pitch: float) -> float:
    """Return the frequency of a MIDI pitch; 69 is 440 Hz."""
    return float(440.0 * 2.0 ** ((pitch - 69) / 12))


def modal(
    freqs_hz: Sequence[float] | Floats,
    amps: Sequence[float] | Floats,
    t60_s: Sequence[float] | Floats,
    frames: int,
) -> Samples:
    """Return a sum of decaying sines, shape (frames,): strings, bars, bells and drum heads.

    A decaying sine is z**n for one complex z, and z**(kB + j) = (z**B)**k * z**j, so the whole sum is one
    matrix product of about sqrt(frames) powers instead of an exponential per sample.
    """
    freqs, amp, t60 = (np.asarray(x, dtype=np.float64) for x in (freqs_hz, amps, t60_s))
    keep = (freqs < TOP_HZ) & (np.abs(amp) > 1e-5)
    freqs, amp, t60 = freqs[keep], amp[keep], t60[keep]
    if freqs.size == 0:
        return np.zeros(frames, np.float32)
    log_z = (-np.log(1000.0) / np.maximum(t60, 1e-3) + 2j * np.pi * freqs) / SAMPLE_RATE
    block = int(np.ceil(np.sqrt(frames)))
    inner = np.exp(log_z[:, None] * np.arange(block))
    outer = amp[:, None] * np.exp(log_z[:, None] * (block * np.arange(-(-frames // block))))
    left = np.concatenate([outer.real, outer.imag]).T.astype(np.float32)
    right = np.concatenate([inner.imag, inner.real]).astype(np.float32)
    wave: Samples = np.matmul(left, right).ravel()[:frames]
    return wave


def spread(
    freq_hz: float,
    amps: Sequence[float] | Floats,
    bandwidth_cents: float,
    rng: np.random.Generator,
    growth: float = 1.0,
) -> Samples:
    """Return an endless ensemble tone, shape (2, 65536), unit RMS: harmonics smeared into bands of random phase.

    The end of the table meets its start, so it may be read round and round. Both channels have the same spectrum and
    independent phases: the sound is wide, and nothing cancels in mono. `growth` is the power of the harmonic number by
    which bands widen. Method: PADsynth (Nasca 2005).
    """
    bins = SPREAD_FRAMES // 2 + 1
    width_hz = SAMPLE_RATE / SPREAD_FRAMES
    level = np.zeros(bins)
    for harmonic, amp in enumerate(amps, start=1):
        centre = harmonic * freq_hz
        if centre >= TOP_HZ or amp == 0:
            continue
        sigma = max((2 ** (bandwidth_cents / 1200) - 1) * freq_hz * harmonic**growth, 0.4) / width_hz
        low = max(1, int(centre / width_hz - 4 * sigma))
        high = min(bins, int(centre / width_hz + 4 * sigma) + 2)
        offset = (np.arange(low, high) - centre / width_hz) / sigma
        level[low:high] += amp / np.sqrt(sigma) * np.exp(-0.5 * offset * offset)
    used = int(np.flatnonzero(level)[-1]) + 1
    spectrum = np.zeros((2, bins), np.complex64)
    turn = np.float32(2 * np.pi) * rng.random((2, used), dtype=np.float32)
    spectrum[:, :used].real = level[:used] * np.cos(turn)
    spectrum[:, :used].imag = level[:used] * np.sin(turn)
    waves = np.fft.irfft(spectrum, SPREAD_FRAMES, axis=1)
    unit: Samples = (waves / np.float32(np.sqrt(np.mean(waves**2)) + 1e-12)).astype(np.float32, copy=False)
    return unit


def cycles(freq_hz: float, spectrum: Callable[[Floats, Floats], Floats]) -> Samples:
    """Return 32 single cycles from dark to bright, band-limited for `freq_hz`, shape (32, 2049).

    `spectrum(harmonics, levels)` gives amplitudes, shape (32, harmonics), for levels of shape (32, 1) from 0
    to 1. Each cycle ends with its first sample, for interpolation.
    """
    harmonics = np.arange(1, max(2, min(TABLE // 2, int(TOP_HZ / freq_hz) + 1)), dtype=np.float64)
    rows = np.zeros((ROWS, TABLE // 2 + 1), np.complex64)
    rows[:, 1 : harmonics.size + 1].imag = -spectrum(harmonics, np.linspace(0, 1, ROWS)[:, None]) * (
        TABLE / 2
    )
    waves = np.fft.irfft(rows, TABLE, axis=1)
    return np.concatenate([waves, waves[:, :1]], axis=1).astype(np.float32)


def sweep(
    freq_hz: float,
    tables: Samples,
    brightness: Floats,
    *,
    vibrato_cents: float = 0.0,
    vibrato_hz: float = 5.2,
    phase: float = 0.0,
) -> Samples:
    """Return one oscillator that reads `cycles`; its timbre follows `brightness` (0 to 1, one value per frame)."""
    time_s = np.arange(brightness.shape[0]) / SAMPLE_RATE
    position = freq_hz * time_s + phase
    if vibrato_cents:
        depth = np.clip((time_s - VIBRATO_DELAY_S) / 0.4, 0, 1) * (2 ** (vibrato_cents / 1200) - 1)
        turn = ((2 * np.pi * vibrato_hz) * time_s).astype(np.float32)
        position += freq_hz / (2 * np.pi * vibrato_hz) * depth * np.sin(turn)
    exact = (position - np.floor(position)) * TABLE
    index = exact.astype(np.int32)
    fraction = (exact - index).astype(np.float32)
    flat = (brightness * (ROWS - 1)).astype(np.int32) * (TABLE + 1) + index
    values = tables.ravel()
    low = values[flat]
    wave: Samples = low + fraction * (values[flat + 1] - low)
    return wave


def fm(freq_hz: float, ratio: float, index: Floats) -> Samples:
    """Return a sine whose phase is modulated by another at `ratio` times its frequency, `index` radians deep."""
    turns = freq_hz * np.arange(index.shape[0]) / SAMPLE_RATE
    modulator = np.sin(angle(ratio * turns))
    wave: Samples = np.sin(angle(turns) + index.astype(np.float32) * modulator)
    return wave


def angle(turns: Floats) -> Samples:
    """Return turns as radians within one circle, reduced in double precision, so that long notes stay in tune."""
    reduced: Samples = np.float32(2 * np.pi) * (turns - np.floor(turns)).astype(np.float32)
    return reduced


def shaped_noise(
    frames: int, shape: Callable[[Floats], Floats], rng: np.random.Generator, channels: int = 1
) -> Samples:
    """Return noise with amplitude spectrum `shape(hz)`, shape (channels, frames), unit RMS.

    Its end meets its start where `frames` is a power of two.
    """
    size = 1 << max(5, int(np.ceil(np.log2(frames))))
    freqs = np.fft.rfftfreq(size, 1 / SAMPLE_RATE).astype(np.float64)
    level = shape(freqs).astype(np.float32)
    level[0] = 0.0
    draw = rng.standard_normal((2, channels, freqs.size), dtype=np.float32)
    spectrum = np.empty((channels, freqs.size), np.complex64)
    spectrum.real, spectrum.imag = draw * level
    waves = np.fft.irfft(spectrum, size, axis=1)[:, :frames]
    unit: Samples = (waves / np.float32(np.sqrt(np.mean(waves**2)) + 1e-12)).astype(np.float32, copy=False)
    return unit
