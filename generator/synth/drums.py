"""Drum sounds: struck skins, metal and noise. Each is made once per process and kit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from .tones import SAMPLE_RATE, Floats, Samples, modal, shaped_noise

__all__ = ["DRUM_NAMES", "PAN", "drum"]


PAN: Mapping[str, float] = {
    "hat": 0.25, "ride": -0.3, "shaker": -0.35, "rim": 0.2, "tom": -0.2, "crash": 0.3, "clap": -0.05, "stick": 0.35,
    "high_hand": 0.25, "low_hand": -0.15,
}  # fmt: skip
"""Place of each drum, -1 left to 1 right; others are in the middle."""

KITS: Mapping[str, Mapping[str, float]] = {
    "acoustic": {"kick_hz": 58, "kick_s": 0.32, "snare_hz": 190, "noise": 0.8, "dull": 1.0, "click": 0.35},
    "lofi": {"kick_hz": 52, "kick_s": 0.28, "snare_hz": 170, "noise": 0.6, "dull": 0.45, "click": 0.15},
    "electronic": {"kick_hz": 47, "kick_s": 0.45, "snare_hz": 200, "noise": 1.0, "dull": 1.2, "click": 0.5},
    "chip": {"kick_hz": 70, "kick_s": 0.16, "snare_hz": 240, "noise": 1.3, "dull": 1.3, "click": 0.1},
    "orchestral": {"kick_hz": 42, "kick_s": 1.1, "snare_hz": 210, "noise": 0.9, "dull": 0.8, "click": 0.12},
    "hand": {"kick_hz": 72, "kick_s": 0.4, "snare_hz": 220, "noise": 0.4, "dull": 0.8, "click": 0.2},
    "brushes": {"kick_hz": 56, "kick_s": 0.25, "snare_hz": 180, "noise": 1.0, "dull": 0.6, "click": 0.08},
}
"""Kit -> tuning of its drums: pitch, length, share of noise, treble and attack."""


@lru_cache(maxsize=128)
def drum(kit: str, name: str) -> Samples:
    """Return one stroke, mono, shape (frames,), peak 1."""
    made = _MAKERS[name](KITS[kit], np.random.default_rng([len(name), *name.encode()]))
    tail = min(made.shape[0] // 3, 960)
    made[made.shape[0] - tail :] *= np.linspace(1, 0, tail, dtype=np.float32)
    wave: Samples = (made / (np.abs(made).max() + 1e-9)).astype(np.float32)
    wave.setflags(write=False)
    return wave


def _decay(seconds: float, t60_s: float) -> Floats:
    """Return an exponential of `seconds` that falls 60 dB in `t60_s`."""
    time_s: Floats = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    envelope: Floats = np.exp(-np.log(1000) * time_s / t60_s)
    return envelope


def _band(
    low_hz: float, high_hz: float, dull: float, t60_s: float, seconds: float, rng: np.random.Generator
) -> Samples:
    """Return a burst of noise between two frequencies."""
    envelope = _decay(seconds, t60_s)
    noise = shaped_noise(
        envelope.size,
        lambda hz: (hz / low_hz) ** 2 / (1 + (hz / low_hz) ** 2) / (1 + (hz / (high_hz * dull)) ** 4),
        rng,
    )[0]
    burst: Samples = (noise * envelope).astype(np.float32)
    return burst


def _glide(start_hz: float, end_hz: float, glide_s: float, t60_s: float, seconds: float) -> Floats:
    """Return a sine that falls from one pitch to another while it decays."""
    envelope = _decay(seconds, t60_s)
    time_s = np.arange(envelope.size) / SAMPLE_RATE
    phase = end_hz * time_s + (start_hz - end_hz) * glide_s * (1 - np.exp(-time_s / glide_s))
    wave: Floats = np.sin(2 * np.pi * phase) * envelope
    return wave


def _kick(kit: Mapping[str, float], rng: np.random.Generator) -> Samples:
    body = _glide(kit["kick_hz"] * 4, kit["kick_hz"], 0.022, kit["kick_s"] * 1.6, kit["kick_s"] * 1.4)
    wave = np.tanh(1.6 * body)
    click = _band(1500, 6000, kit["dull"], 0.02, 0.02, rng)
    wave[: click.size] += kit["click"] * 0.5 * click
    return wave.astype(np.float32)


def _snare(kit: Mapping[str, float], rng: np.random.Generator) -> Samples:
    frames = int(0.3 * SAMPLE_RATE)
    hz = kit["snare_hz"]
    skin = modal([hz, hz * 1.59, hz * 2.14], [1, 0.6, 0.3], [0.16, 0.12, 0.09], frames)
    wires = _band(1400, 9000, kit["dull"], 0.24, 0.3, rng)
    return 0.7 * skin + 0.5 * kit["noise"] * wires


def _clap(kit: Mapping[str, float], rng: np.random.Generator) -> Samples:
    wave = np.zeros(int(0.32 * SAMPLE_RATE), np.float32)
    for delay_s, t60_s in ((0.0, 0.02), (0.011, 0.02), (0.021, 0.02), (0.031, 0.2)):
        burst = _band(900, 5200, kit["dull"], t60_s, 0.28, rng)
        start = int(delay_s * SAMPLE_RATE)
        wave[start : start + burst.size] += burst[: wave.size - start]
    return wave


def _metal(
    base_hz: float, t60_s: float, seconds: float, noise: float, dull: float, rng: np.random.Generator
) -> Samples:
    """Return cymbal metal: many inharmonic partials and a bright hiss."""
    ratios = np.sort(rng.uniform(1.0, 4.2, 28))
    ring = modal(
        base_hz * ratios,
        rng.uniform(0.3, 1, 28),
        t60_s * rng.uniform(0.4, 1.0, 28),
        int(seconds * SAMPLE_RATE),
    )
    hiss = _band(5500, 12000, dull, t60_s, seconds, rng)
    return 0.12 * ring + noise * hiss


def _hat(kit: Mapping[str, float], rng: np.random.Generator) -> Samples:
    return _metal(3300, 0.09, 0.12, 0.7 * kit["noise"], kit["dull"], rng)


def _ride(kit: Mapping[str, float], rng: np.random.Generator) -> Samples:
    return _metal(2600, 1.0, 0.9, 0.18, kit["dull"], rng)


def _crash(kit: Mapping[str, float], rng: np.random.Generator) -> Samples:
    return _metal(2300, 2.4, 2.0, 0.5, kit["dull"], rng)


def _shaker(kit: Mapping[str, float], rng: np.random.Generator) -> Samples:
    burst = _band(3800, 9000, kit["dull"], 0.11, 0.1, rng)
    attack = min(burst.size, 640)
    burst[:attack] *= np.linspace(0.1, 1, attack, dtype=np.float32)
    return burst


def _rim(kit: Mapping[str, float], rng: np.random.Generator) -> Samples:
    return modal(
        [820, 1710, 2950], [1, 0.7, 0.4], [0.05, 0.035, 0.02], int(0.08 * SAMPLE_RATE)
    ) + 0.1 * _band(1000, 6000, kit["dull"], 0.02, 0.08, rng)


def _stick(kit: Mapping[str, float], rng: np.random.Generator) -> Samples:
    wood = modal([1450, 2310, 3900], [1, 0.5, 0.3], [0.04, 0.03, 0.02], int(0.06 * SAMPLE_RATE))
    return wood + 0.05 * _band(1500, 6000, kit["dull"], 0.01, 0.06, rng)


def _tom(kit: Mapping[str, float], rng: np.random.Generator) -> Samples:
    return _glide(170, 105, 0.05, 0.5, 0.45).astype(np.float32) + 0.05 * _band(
        400, 3000, kit["dull"], 0.05, 0.45, rng
    )


def _taiko(kit: Mapping[str, float], rng: np.random.Generator) -> Samples:
    frames = int(1.3 * SAMPLE_RATE)
    skin = modal(
        [64, 102, 137, 148, 187, 221], [1, 0.5, 0.4, 0.3, 0.2, 0.15], [1.3, 0.7, 0.5, 0.5, 0.3, 0.3], frames
    )
    wave: Samples = np.tanh(1.3 * skin)
    slap = _band(200, 2600, kit["dull"], 0.09, 0.2, rng)
    wave[: slap.size] += 0.22 * slap
    return wave


def _low_hand(kit: Mapping[str, float], rng: np.random.Generator) -> Samples:
    body = _glide(128, 86, 0.03, 0.5, 0.45).astype(np.float32)
    slap = _band(300, 2500, kit["dull"], 0.04, 0.1, rng)
    body[: slap.size] += 0.16 * slap
    return body


def _high_hand(kit: Mapping[str, float], rng: np.random.Generator) -> Samples:
    skin = modal([330, 545, 720], [1, 0.5, 0.35], [0.14, 0.09, 0.06], int(0.18 * SAMPLE_RATE))
    return skin + 0.3 * _band(900, 5000, kit["dull"], 0.04, 0.18, rng)


_MAKERS = {
    "kick": _kick, "snare": _snare, "clap": _clap, "hat": _hat, "ride": _ride, "crash": _crash, "shaker": _shaker,
    "rim": _rim, "stick": _stick, "tom": _tom, "taiko": _taiko, "low_hand": _low_hand, "high_hand": _high_hand,
}  # fmt: skip
DRUM_NAMES: tuple[str, ...] = tuple(_MAKERS)
