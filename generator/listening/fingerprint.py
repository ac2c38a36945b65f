"""The acoustic fingerprint of a recording: a copy coded anew, at another rate or cut a little has nearly the same.

After Haitsma and Kalker (2002), "A highly robust audio fingerprinting system": the spectrum between 200 and 2,200 Hz in
33 bands, and in each frame one bit for each pair of neighbours, that tells whether their difference in level rose or
fell since a moment before. A recording is looked up with a frame every 12 ms; of a recording that is kept, every
`STEP`th is kept, so one of the frames of a copy lies within 6 ms of each.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..audio.checks import checked
from ..protocol import Audio

__all__ = ["HOP_S", "KIND", "MAX_S", "MIN_S", "STEP", "Fingerprint", "bits_apart", "fingerprint", "sparse"]


Prints = NDArray[np.uint32]

KIND = "print-1"
"""Identity of the fingerprints: only those of one kind can be compared."""
RATE = 5_512
FRAME, HOP = 2048, 64
HOP_S = HOP / RATE
LAG = 32
"""Frames between the two levels that are compared: 0.37 s. With fewer, steady sounds change too little to be told."""
STEP = 32
"""Of how many frames one is kept: 0.37 s."""
BANDS = 33
LOW_HZ, HIGH_HZ = 200.0, 2_200.0
MIN_S, MAX_S = 5.0, 90.0
"""Shorter recordings have too few frames; of longer ones the beginning is listened to."""
FLOOR = 1e-9
AUDIBLE_DB = -50.0
"""A band sounds in a frame from this level on, against a tone that is as loud as the recording."""
LEAST_SOUNDING = 0.3
"""The share of bands that sound, below which bits are chance: that of the shipped styles is 0.7 and more, of bare
sines 0.2 at most."""
BLOCK_FRAMES = 96
"""Of so many frames windows and spectra stay in the cache of the processor."""
UNSURE = 3
"""How many bits of a frame are noted as those that coding is the likeliest to turn."""


class Fingerprint(NamedTuple):
    """What a recording is looked up by."""

    bits: Prints
    """One number for each frame, shape (frames,)."""
    unsure: NDArray[np.uint8]
    """Which bits of each frame are the least sure, 0 to 31, shape (frames, UNSURE)."""


def fingerprint(audio: Audio) -> Fingerprint | None:
    """Return the fingerprint of up to 90 s, one frame every `HOP_S`.

    None for less than 5 s, for silence, and for bare tones, most bands of which are empty. Raises AudioError for
    samples that are not finite.
    """
    import soxr

    if audio.duration_s < MIN_S:
        return None
    start = checked(Audio(audio.samples[: round(MAX_S * audio.sample_rate)], audio.sample_rate))
    weights = np.full(start.channels, 1.0 / start.channels, np.float32)
    signal = soxr.resample(start.samples @ weights, start.sample_rate, RATE, quality="MQ")
    loudness = float(np.sqrt(np.mean(np.square(signal))))
    if loudness < 1e-4:
        return None
    levels = _levels(np.asarray(signal / loudness, np.float32))
    if _sounding(levels) < LEAST_SOUNDING:
        return None
    differences = levels[:, :-1] - levels[:, 1:]
    rise = differences[LAG:] - differences[:-LAG]
    bits = np.packbits(rise > 0, axis=1, bitorder="little").view("<u4")[:, 0].astype(np.uint32)
    unsure = np.argpartition(np.abs(rise), UNSURE, axis=1)[:, :UNSURE].astype(np.uint8)
    return Fingerprint(bits, unsure)


def sparse(heard: Fingerprint) -> Prints:
    """Return the part of a fingerprint that is kept."""
    return np.ascontiguousarray(heard.bits[::STEP])


def bits_apart(prints: Prints, kept: Prints, offset: int) -> tuple[float, int]:
    """Return the share of bits in which a kept fingerprint differs from `prints` at `offset`, and of how many frames.

    `offset` is in frames. Digital silence, a frame without a bit, is left out of both: all recordings share it. 1.0 and
    0 where the two do not overlap.
    """
    places = offset + STEP * np.arange(len(kept))
    there = (places >= 0) & (places < len(prints)) & (kept != 0)
    there[there] = prints[places[there]] != 0
    count = int(there.sum())
    if not count:
        return 1.0, 0
    different = prints[places[there]] ^ kept[there]
    return float(np.unpackbits(different.view(np.uint8)).sum()) / (32.0 * count), count


def _levels(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the level of each band in each frame, as a logarithm, shape (frames, BANDS)."""
    import scipy.fft

    frames = np.lib.stride_tricks.sliding_window_view(signal, FRAME)[::HOP]
    window, bands, low_bin = _window_and_bands()
    high_bin = low_bin + len(bands)
    powers = np.empty((len(frames), BANDS), np.float32)
    for low in range(0, len(frames), BLOCK_FRAMES):
        spectra = scipy.fft.rfft(frames[low : low + BLOCK_FRAMES] * window, axis=1)[:, low_bin:high_bin]
        powers[low : low + BLOCK_FRAMES] = (spectra.real**2 + spectra.imag**2) @ bands
    levels: NDArray[np.float32] = np.log(powers + np.float32(FLOOR * FRAME))
    return levels


def _sounding(levels: NDArray[np.float32]) -> float:
    """Return the share of bands that sound, in the frames in which any does."""
    # FRAME**2 / 8 is the power of a tone of level 1 in its bin: its amplitude is sqrt(2), the mean of the window 1/2.
    sounds = levels > np.log(FRAME**2 / 8 * 10 ** (AUDIBLE_DB / 10))
    frames = sounds[sounds.any(axis=1)]
    return float(frames.mean()) if len(frames) else 0.0


@functools.cache
def _window_and_bands() -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Return the window, which bins belong to each band, shape (bins, BANDS), and the first of these bins."""
    window = np.hanning(FRAME).astype(np.float32)
    hz = np.fft.rfftfreq(FRAME, 1.0 / RATE)
    edges = np.geomspace(LOW_HZ, HIGH_HZ, BANDS + 1)
    members = (hz[:, None] >= edges[:-1]) & (hz[:, None] < edges[1:])
    (inside,) = np.nonzero(members.any(axis=1))
    return window, members[inside[0] : inside[-1] + 1].astype(np.float32), int(inside[0])
