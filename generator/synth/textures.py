"""The sounds of places: continuous beds of shaped noise, and single events scattered over them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .desk import active_rms, add_wave
from .tones import SAMPLE_RATE, Floats, Samples, cycles, modal, shaped_noise, spread, sweep

__all__ = ["TEXTURES", "TextureSound", "render_texture"]


Rng = np.random.Generator
BED_FRAMES = 1 << 18
SEAM_S = 0.5
SWELL_BLOCK = 4096


@dataclass(frozen=True)
class TextureSound:
    """A texture: a bed (spectrum and slow swell) and events a second, each made by `event`."""

    bed: Callable[[Floats], Floats] | None = None
    swell_s: float = 0.0
    """Period of the swell of the bed, 0 for a steady one."""
    swell_depth: float = 0.0
    events_per_s: float = 0.0
    event: Callable[[Rng], Samples] | None = None
    event_gain: float = 1.0
    tonal: bool = False
    trim_db: float = 0.0
    """What makes it as loud as the others to the ear, which is most sensitive around 3 kHz."""


def render_texture(
    name: str, frames: int, *, level: float, circular: bool, seed: int, on_block: Callable[[], None]
) -> Samples:
    """Return one texture, shape (2, frames), with an RMS of 1 over its louder parts, times its trim.

    `level` also sets how often events come. With `circular` the end runs on into the start.
    """
    sound = TEXTURES[name]
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    out = np.zeros((2, frames), np.float32)
    if sound.bed:
        _lay_bed(out, sound, rng, circular)
    on_block()
    if sound.event:
        _scatter(out, sound, rng, level, circular)
    on_block()
    out *= np.float32(10 ** (sound.trim_db / 20) / max(active_rms(out), 1e-6))
    return out


def _lay_bed(out: Samples, sound: TextureSound, rng: Rng, circular: bool) -> None:
    """Fill `out` with the bed, which is read round and round, and let it swell."""
    frames = out.shape[1]
    if sound.tonal:
        tile = sum(spread(hz, (1, 0.4, 0.25, 0.1), 9, rng) for hz in (41.2, 61.7, 123.5)) / np.sqrt(3)
    else:
        tile = (
            shaped_noise(BED_FRAMES, sound.bed, rng, channels=2)
            if sound.bed
            else np.zeros((2, 1), np.float32)
        )
        middle = 0.35 * (tile[0] + tile[1])
        tile = 0.75 * tile + middle  # some of the sound comes from ahead
    tile = np.roll(tile, int(rng.integers(tile.shape[1])), axis=1)
    size = tile.shape[1]
    for at in range(0, frames, size):
        out[:, at : at + size] = tile[:, : frames - at]
    seam = min(int(SEAM_S * SAMPLE_RATE), frames // 2, size)
    if circular and seam:
        after = np.roll(tile, -(frames % size), axis=1)[:, :seam]
        turn = np.linspace(0, np.pi / 2, seam, dtype=np.float32)
        out[:, :seam] = out[:, :seam] * np.sin(turn) + after * np.cos(turn)
    if sound.swell_s:
        _swell(out, sound, rng)


def _swell(out: Samples, sound: TextureSound, rng: Rng) -> None:
    """Let the bed come and go; the gain ends where it began, so that a loop closes."""
    frames = out.shape[1]
    turns = max(1, round(frames / SAMPLE_RATE / sound.swell_s))
    edges = np.append(np.arange(0, frames, SWELL_BLOCK), frames)
    phase = 2 * np.pi * edges / frames
    for channel, lag in zip(out, (0.0, rng.uniform(0.0, 0.6)), strict=True):
        curve = np.sin(turns * phase + lag) + 0.4 * np.sin((turns + 1) * phase + 1.7 + lag)
        curve += 0.3 * np.sin(max(1, turns // 2) * phase + 0.4)
        gain = (10 ** (sound.swell_depth * curve / 20)).astype(np.float32)
        for block, (start, end) in enumerate(pairwise(edges)):
            ramp = np.linspace(gain[block], gain[block + 1], end - start, endpoint=False, dtype=np.float32)
            channel[start:end] *= ramp


def _scatter(out: Samples, sound: TextureSound, rng: Rng, level: float, circular: bool) -> None:
    """Place events at random times and sides; a few distinct ones are made and used again."""
    assert sound.event is not None
    frames = out.shape[1]
    rate = sound.events_per_s * (0.4 + 1.2 * level)
    count = max(1, int(rng.poisson(rate * frames / SAMPLE_RATE)))
    kinds = [sound.event(rng) for _ in range(min(count, 16))]
    starts = np.sort(rng.integers(0, frames, count))
    starts[0] = min(starts[0], frames // 3)  # so that a rare event comes at least once, and early
    for start in starts:
        wave = kinds[int(rng.integers(len(kinds)))]
        loud = sound.event_gain * 10 ** (rng.uniform(-12, 0) / 20)
        pan = rng.uniform(0.1, 0.9)
        for channel, side in enumerate((np.cos(pan * np.pi / 2), np.sin(pan * np.pi / 2))):
            _add(out[channel], int(start), wave, float(loud * side), circular)


def _add(channel: Samples, start: int, wave: Samples, gain: float, circular: bool) -> None:
    """Add an event; past the end it goes on at the start, or it is faded out there."""
    total = channel.shape[0]
    if not circular and start + wave.shape[0] > total:
        wave = wave[: total - start]
        fade = min(wave.shape[0], 3200)
        wave = np.concatenate(
            [
                wave[: wave.shape[0] - fade],
                wave[wave.shape[0] - fade :] * np.linspace(1, 0, fade, dtype=np.float32),
            ]
        )
    add_wave(channel, start, np.float32(gain) * wave, circular=circular)


# Spectra of beds


def _band(low_hz: float, high_hz: float, order: float = 2.0) -> Callable[[Floats], Floats]:
    """Return a band-pass amplitude curve."""

    def shape(hz: Floats) -> Floats:
        curve: Floats = 1 / (1 + (low_hz / np.maximum(hz, 1)) ** order) / (1 + (hz / high_hz) ** order)
        return curve

    return shape


def _pink(low_hz: float, high_hz: float) -> Callable[[Floats], Floats]:
    """Return a band whose power falls 3 dB an octave."""
    band = _band(low_hz, high_hz, 4.0)

    def shape(hz: Floats) -> Floats:
        curve: Floats = band(hz) / np.sqrt(np.maximum(hz, 20))
        return curve

    return shape


def _insects(hz: Floats) -> Floats:
    """Return the amplitude curve of many far crickets over the air of a night."""
    curve: Floats = np.exp(-(((hz - 4500) / 260) ** 2)) + 0.6 * np.exp(-(((hz - 3300) / 200) ** 2))
    return curve + 25 * _pink(80, 900)(hz)


def _time(seconds: float) -> Floats:
    time_s: Floats = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return time_s


# Events


def _single(wave: Floats | Samples) -> Samples:
    """Return the wave in single precision."""
    single: Samples = wave.astype(np.float32)
    return single


def _chirp(rng: Rng) -> Samples:
    """Return a bird: two to six notes of a gliding, faintly trilled whistle."""
    base, notes = rng.uniform(2300, 4600), int(rng.integers(2, 7))
    parts = []
    for _ in range(notes):
        time_s = _time(rng.uniform(0.05, 0.16))
        turn = time_s / time_s[-1]
        hz = (
            base
            * rng.uniform(0.85, 1.2)
            * (1 + rng.uniform(-0.25, 0.25) * turn + 0.03 * np.sin(2 * np.pi * 32 * time_s))
        )
        phase = 2 * np.pi * np.cumsum(hz) / SAMPLE_RATE
        parts += [
            np.sin(phase) * np.clip(np.sin(np.pi * turn), 0, 1) ** 1.5,
            np.zeros(int(rng.uniform(0.02, 0.09) * SAMPLE_RATE)),
        ]
    return _single(0.25 * np.concatenate(parts))


def _cricket(rng: Rng) -> Samples:
    """Return a cricket: a few short pulses at 4 to 5 kHz."""
    time_s = _time(rng.uniform(0.35, 0.9))
    hz = rng.uniform(4000, 5200)
    pulses = np.clip(np.sin(2 * np.pi * rng.uniform(14, 22) * time_s), 0, 1) ** 2
    shape = np.sqrt(np.clip(np.sin(np.pi * time_s / time_s[-1]), 0, 1))
    return _single(0.14 * np.sin(2 * np.pi * hz * time_s) * pulses * shape)


def _hoot(rng: Rng) -> Samples:
    """Return an owl: a short and a long soft hoot."""
    base = rng.uniform(330, 420)
    parts = []
    for seconds in (0.18, 0.12, 0.7):
        time_s = _time(seconds)
        turn = time_s / seconds
        phase = 2 * np.pi * base * (time_s - 0.03 * seconds * turn**2)
        parts += [
            (np.sin(phase) + 0.15 * np.sin(2 * phase)) * np.clip(np.sin(np.pi * turn), 0, 1) ** 1.2,
            np.zeros(4800),
        ]
    return _single(0.3 * np.concatenate(parts))


def _crackle(rng: Rng) -> Samples:
    """Return a fire's crack: one or several sharp, ringing clicks."""
    wave = np.zeros(int(0.09 * SAMPLE_RATE), np.float32)
    for _ in range(int(rng.integers(1, 5))):
        start = int(rng.integers(0, wave.size // 2))
        click = modal(
            rng.uniform(900, 6500, 4), rng.uniform(0.2, 1, 4), rng.uniform(0.004, 0.03, 4), wave.size - start
        )
        wave[start:] += rng.uniform(0.2, 1.0) * click
    return wave


def _tick(rng: Rng) -> Samples:
    """Return the tick of a worn record."""
    return modal(rng.uniform(1500, 6000, 3), rng.uniform(0.3, 1, 3), rng.uniform(0.002, 0.006, 3), 400)


def _drop(rng: Rng) -> Samples:
    """Return a drop: a sine that rises as its bubble closes, with its echo from the walls."""
    time_s = _time(0.16)
    base = rng.uniform(700, 1700)
    phase = 2 * np.pi * base * (time_s + 1.6 * time_s**2)
    drop = np.sin(phase) * np.exp(-time_s * rng.uniform(25, 45)) * np.clip(time_s / 0.003, 0, 1)
    wave = np.zeros(int(1.0 * SAMPLE_RATE))
    # No two drops hang at one place: the walls are at other distances each time.
    walls = [(0.0, 1.0), *((float(rng.uniform(0.06, 0.75)), float(rng.uniform(0.08, 0.3))) for _ in range(5))]
    for echo, gain in walls:
        start = int(echo * SAMPLE_RATE)
        wave[start : start + drop.size] += gain * drop
    return _single(0.5 * wave)


def _patter(rng: Rng) -> Samples:
    """Return one near raindrop on a leaf or a pane."""
    noise = shaped_noise(700, _band(1200, 7000), rng)[0] * np.exp(-np.arange(700) / rng.uniform(25, 90))
    ring = modal([rng.uniform(500, 1800)], [1.0], [0.02], 700)
    return _single(0.3 * noise + 0.5 * ring)


def _thunder(rng: Rng) -> Samples:
    """Return thunder: a crack that breaks into a long uneven roll."""
    seconds = float(rng.uniform(3.5, 6.0))
    frames = int(seconds * SAMPLE_RATE)
    time_s = np.arange(frames) / SAMPLE_RATE
    roll = shaped_noise(frames, lambda hz: 1 / (1 + (hz / 110) ** 2.2) * (hz > 22), rng)[0]
    bumps = sum(
        rng.uniform(0.3, 1) * np.exp(-(((time_s - rng.uniform(0.2, 0.7 * seconds)) / 0.35) ** 2))
        for _ in range(6)
    )
    wave = (
        roll
        * (np.exp(-time_s / 0.5) + 0.8 * bumps)
        * np.clip(time_s / 0.05, 0, 1)
        * np.clip((seconds - time_s) / 1.0, 0, 1)
    )
    return _single(0.8 * wave / (np.abs(wave).max() + 1e-9))


def _mutter(rng: Rng) -> Samples:
    """Return a syllable or three of speech without words: a buzzing voice with two formants."""
    seconds = float(rng.uniform(0.4, 1.1))
    time_s = _time(seconds)
    pitch_hz = float(rng.uniform(95, 230))
    first, second = rng.uniform(350, 800), rng.uniform(900, 2000)

    def spectrum(n: Floats, level: Floats) -> Floats:
        hz = n * pitch_hz
        amps: Floats = (
            np.exp(-(((hz - first) / 160) ** 2)) + 0.5 * np.exp(-(((hz - second) / 220) ** 2)) + 0 * level
        )
        return amps

    wave = sweep(
        pitch_hz,
        cycles(pitch_hz, spectrum),
        np.zeros_like(time_s),
        vibrato_cents=120,
        vibrato_hz=float(rng.uniform(1, 3)),
    )
    syllables = np.clip(np.sin(2 * np.pi * rng.uniform(2.5, 4.5) * time_s), 0.05, 1) * np.sin(
        np.pi * time_s / seconds
    )
    return _single(0.12 * wave * syllables)


def _passing(rng: Rng) -> Samples:
    """Return a car that comes and goes."""
    seconds = float(rng.uniform(3.0, 5.5))
    frames = int(seconds * SAMPLE_RATE)
    noise = shaped_noise(frames, _pink(70, 1400), rng)[0]
    return _single(0.3 * noise * np.sin(np.pi * np.arange(frames) / frames) ** 3)


def _chime(rng: Rng) -> Samples:
    """Return a tube of a wind chime, tuned to a pentatonic scale."""
    hz = 523.25 * 2 ** (int(rng.choice((0, 2, 4, 7, 9, 12, 14, 16))) / 12)
    return (
        0.4
        * modal([hz, 2.76 * hz, 5.4 * hz], [1, 0.5, 0.2], [3.2, 1.8, 0.8], int(2.4 * SAMPLE_RATE))
        * np.linspace(1, 0, int(2.4 * SAMPLE_RATE), dtype=np.float32)
    )


TEXTURES: Mapping[str, TextureSound] = {
    "rain": TextureSound(_pink(100, 1300), 9.0, 1.5, 28.0, _patter, 1.2, trim_db=-2),
    "wind": TextureSound(_pink(120, 700), 6.5, 5.0),
    "waves": TextureSound(_pink(60, 1100), 7.5, 7.5, trim_db=-1),
    "stream": TextureSound(_pink(200, 2000), 2.3, 0.8, 9.0, _drop, 0.5, trim_db=-2),
    "crickets": TextureSound(_insects, 3.1, 1.5, 3.2, _cricket, 8.0, trim_db=-4),
    "owl": TextureSound(None, 0, 0, 0.09, _hoot, 1.0),
    "birds": TextureSound(_pink(100, 1500), 5.5, 2.0, 0.9, _chirp, 7.0, trim_db=-2),
    "fire": TextureSound(_pink(50, 400), 1.7, 2.0, 9.0, _crackle, 3.0),
    "crowd": TextureSound(_pink(150, 1500), 5.0, 1.5, 14.0, _mutter, 11.0, trim_db=-1),
    "traffic": TextureSound(_pink(45, 520), 9.0, 2.0, 0.14, _passing, 4.0),
    "thunder": TextureSound(None, 0, 0, 0.07, _thunder, 1.0, trim_db=2),
    "drips": TextureSound(_pink(50, 500), 8.0, 1.5, 0.9, _drop, 9.0, trim_db=-1),
    "vinyl": TextureSound(_pink(150, 6000), 0, 0, 9.0, _tick, 9.0, trim_db=-4),
    "hiss": TextureSound(_pink(500, 10000), trim_db=-4),
    "drone": TextureSound(_band(40, 300), 11.0, 1.5, tonal=True, trim_db=1.5),
    "chimes": TextureSound(None, 0, 0, 0.7, _chime, 1.0, trim_db=-1),
}
"""Name -> how it sounds."""
