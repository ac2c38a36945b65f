"""Reverberation: convolution with a decaying stereo noise, in blocks or round a loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from .desk import add_wave
from .tones import SAMPLE_RATE, Floats, Samples

__all__ = ["add_reverb", "impulse_response"]


BLOCK_FRAMES = 1 << 17
PREDELAY_S = 0.012
MAX_TAIL_S = 6.0


@lru_cache(maxsize=16)
def impulse_response(room_s: float) -> Samples:
    """Return a room of reverberation time `room_s` (RT60), shape (2, frames), unit energy per channel.

    It has early reflections, then noise whose higher bands decay faster, as in air and between walls. The channels are
    independent, as two ears have it in a large room.
    """
    rng = np.random.default_rng([int(room_s * 1000), 7])
    frames = int(min(room_s * 1.1, MAX_TAIL_S) * SAMPLE_RATE)
    time_s = np.arange(frames) / SAMPLE_RATE
    response = np.zeros((2, frames))
    for low_hz, high_hz, share in ((90, 500, 1.0), (500, 2200, 0.85), (2200, 7500, 0.5)):
        band = _band_noise(frames, low_hz, high_hz, rng)
        response += band * np.exp(-np.log(1000) * time_s / (room_s * share)) * share
    response *= 1 - np.exp(-time_s / 0.01)
    for _ in range(8):
        at = int((0.004 + 0.05 * rng.random()) * SAMPLE_RATE)
        if at < frames:
            response[int(rng.integers(2)), at] += rng.uniform(1.0, 3.0) * rng.choice((-1, 1))
    delayed = np.pad(response, ((0, 0), (int(PREDELAY_S * SAMPLE_RATE), 0)))
    unit: Samples = (delayed / np.sqrt((delayed**2).sum(axis=1, keepdims=True))).astype(np.float32)
    unit.setflags(write=False)
    return unit


def _band_noise(frames: int, low_hz: float, high_hz: float, rng: np.random.Generator) -> Floats:
    """Return stereo noise in one band."""
    size = 1 << int(np.ceil(np.log2(max(frames, 32))))
    freqs = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    gain = 1 / (1 + (low_hz / np.maximum(freqs, 1)) ** 4) / (1 + (freqs / high_hz) ** 4)
    draw = rng.standard_normal((2, 2, freqs.size))
    waves = np.fft.irfft((draw[0] + 1j * draw[1]) * gain, size, axis=1)[:, :frames]
    unit: Floats = waves / np.sqrt(np.mean(waves**2))
    return unit


def add_reverb(
    mix: Samples, send: Samples, *, room_s: float, gain: float, circular: bool, on_block: Callable[[], None]
) -> None:
    """Add the reverberation of `send`, shape (frames,), to `mix`, shape (2, frames), in place.

    With `circular` the reverberation past the end goes on at the start; else it is cut. Blocks are convolved one by one
    and their tails added, so memory does not grow with length. `on_block` is called after each block of four seconds or
    more.
    """
    response = impulse_response(round(room_s, 2))
    size = _fft_size(min(max(BLOCK_FRAMES, response.shape[1]), send.shape[0]) + response.shape[1])
    spectra = (np.fft.rfft(response, size, axis=1) * gain).astype(np.complex64)
    total = send.shape[0]
    step = size - response.shape[1]
    for start in range(0, total, step):
        block = np.fft.rfft(send[start : start + step], size)
        for channel in range(2):
            wet: Samples = np.fft.irfft(block * spectra[channel], size).astype(np.float32, copy=False)
            wet = wet[: min(step, total - start) + response.shape[1] - 1]
            add_wave(mix[channel], start, wet, circular=circular)
        on_block()


def _fft_size(least: int) -> int:
    """Return the smallest power of two, or three quarters of one, that holds `least`."""
    power = 1 << int(np.ceil(np.log2(least)))
    return power * 3 // 4 if power * 3 // 4 >= least else power
