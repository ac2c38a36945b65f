"""The instruments: how a string, a bar, an ensemble or a solo voice makes its tone, and a table of all instruments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from .tones import (
    SAMPLE_RATE,
    VIBRATO_DELAY_S,
    Floats,
    Samples,
    cycles,
    fm,
    hertz,
    modal,
    shaped_noise,
    spread,
    sweep,
)

__all__ = ["BASSES", "INSTRUMENTS", "VOICES", "Voice"]


Maker = Callable[[float, float, int, np.random.Generator], Samples]
"""(MIDI pitch, brightness, frames, rng) -> (channels, frames)."""


@dataclass(frozen=True)
class Voice:
    """How an instrument sounds; pitches are MIDI numbers.

    A struck voice (`ring_s` > 0) decays by itself within `ring_s` and is rendered once for each pitch. An endless voice
    is a table that is read round and round. Any other voice is rendered for each length.
    """

    make: Maker
    attack_s: float = 0.003
    release_s: float = 0.15
    ring_s: float = 0.0
    hold_s: float = 0.0
    """Least time that a note sounds, for instruments that nobody damps."""
    endless: bool = False
    low: int = 24
    high: int = 108
    tremolo_hz: float = 0.0
    drive: float = 0.0
    """How far an amplifier bends the sum of its notes; 0 for instruments without one."""


# Struck strings, bars and bells


def _string(
    pitch: float, bright: float, frames: int, rng: np.random.Generator, *,
    pluck: float, decay_s: float, damping: float, rolloff: float, stiffness: float = 1e-5, knock: float = 0.0,
    knock_hz: float = 1200.0, strings: int = 1, body: tuple[tuple[float, float, float], ...] = (),
) -> Samples:  # fmt: skip
    """Return a plucked or hammered string in stereo.

    Partials are those of a stiff string, f_n = n f0 sqrt(1 + B n^2). The place of plucking takes some of them away, and
    each loses energy with the square of its number (Fletcher and Rossing, The Physics of Musical Instruments). The
    resonances of the `body`, (hertz, width, gain), strengthen partials near them and answer the stroke with a thump.
    """
    freq = hertz(pitch)
    n = np.arange(1, 41, dtype=np.float64)
    n = n[n * freq < 13_000]
    freqs = n * freq * np.sqrt(1 + stiffness * n * n)
    tilt = rolloff * (1.5 - bright)
    amps = np.abs(np.sin(np.pi * n * pluck)) * n**-0.7 * np.exp(-tilt * (n - 1) * (freq / 220) ** 0.35)
    t60 = decay_s * 2 ** (-(pitch - 55) / 20) / (1 + damping * (1.4 - 0.8 * bright) * n * n)
    for at, width, gain in body:
        amps = amps * (1 + gain * np.exp(-(((freqs - at) / width) ** 2)))
    wave = np.zeros((2, frames), np.float32)
    for channel in range(2):
        for string in range(strings):
            cents = (string - (strings - 1) / 2) * 1.6 + (channel - 0.5) * 0.5
            side = 1 + 0.25 * rng.uniform(-1, 1, n.size)
            slower = 1.0 + 0.6 * string
            wave[channel] += modal(freqs * 2 ** (cents / 1200), amps * side, t60 * slower, frames)
    if knock:
        length = min(frames, int(0.06 * SAMPLE_RATE))
        thump = shaped_noise(length, lambda hz: 1 / (1 + (hz / knock_hz) ** 3), rng)
        wave[:, :length] += knock * np.abs(amps).sum() * 0.12 * thump * np.exp(-np.linspace(0, 7, length))
    if body:
        at, _, gain = np.array(body).T
        stroke = 0.06 * np.abs(amps).sum() * modal(at, gain, 55 / at, min(frames, SAMPLE_RATE // 2))
        wave[:, : stroke.size] += stroke
    return _levelled(wave)


def _bars(
    pitch: float, bright: float, frames: int, rng: np.random.Generator, *,
    ratios: tuple[float, ...], amps: tuple[float, ...], decay_s: float, fall: float = 1.0,
        mallet: float = 0.0,
) -> Samples:  # fmt: skip
    """Return a struck bar or bell: a few inharmonic partials, the higher ones shorter; dull ones have less of these."""
    freq = hertz(pitch)
    ratio = np.array(ratios)
    level = np.array(amps) * np.exp(-(0.9 - bright) * 0.9 * np.log2(np.maximum(ratio, 1)))
    t60 = decay_s * 2 ** (-(pitch - 72) / 24) / np.maximum(ratio, 0.5) ** fall
    beat = 2 ** (rng.uniform(0.4, 1.2) / 1200)
    wave = np.stack([modal(freq * ratio * b, level, t60, frames) for b in (1.0, beat)])
    if mallet:
        length = min(frames, 640)
        knock = shaped_noise(length, lambda hz: np.exp(-(((hz - 900) / 900) ** 2)), rng)
        wave[:, :length] += mallet * 0.3 * knock * np.exp(-np.linspace(0, 8, length))
    return _levelled(wave)


def _tine(pitch: float, bright: float, frames: int, rng: np.random.Generator) -> Samples:
    """Return an electric piano: a one-to-one FM pair whose depth dies away, with a bell-like tine at the start."""
    time_s = np.arange(frames) / SAMPLE_RATE
    freq = hertz(pitch)
    depth = (0.4 + 1.5 * bright) * 2 ** (-(pitch - 60) / 36)
    body = fm(freq, 1.0, depth * np.exp(-time_s * 2.2)) * np.exp(-time_s * 1.3 * 2 ** ((pitch - 60) / 24))
    wave = np.stack([body, body * (1 + 0.004 * rng.standard_normal())]).astype(np.float32)
    start_s = time_s[: SAMPLE_RATE // 2]
    tine = fm(freq, 14.0, 0.5 * np.exp(-start_s * 9)) * np.exp(-start_s * 14).astype(np.float32)
    wave[:, : tine.size] += np.float32(0.1 + 0.25 * bright) * tine * np.array([[1.0], [0.8]], np.float32)
    return _levelled(wave)


def _levelled(wave: Samples) -> Samples:
    """Return the wave scaled so that its first third of a second is as loud in every pitch and instrument."""
    head = wave[..., : SAMPLE_RATE // 3]
    scaled: Samples = (0.18 * wave / (np.sqrt(np.mean(head**2)) + 1e-9)).astype(np.float32)
    return scaled


# Ensembles: spread spectra


def _ensemble(
    pitch: float, bright: float, _frames: int, rng: np.random.Generator, *,
    slope: float, cents: float, formants: tuple[tuple[float, float, float], ...] = (), top_hz: float = 6000.0,
    odd: float = 1.0, growth: float = 1.0, draw: tuple[float, ...] = (),
) -> Samples:  # fmt: skip
    """Return an endless ensemble tone; `formants` are (hertz, width, gain), `draw` replaces the harmonic slope."""
    freq = hertz(pitch)
    n = np.arange(1, min(80, int(13_000 / freq)) + 1, dtype=np.float64)
    hz = n * freq
    amps = (
        n**-slope if not draw else np.array([draw[i - 1] if i <= len(draw) else 0.0 for i in n.astype(int)])
    )
    amps = amps * np.where(n % 2 == 0, odd, 1.0) / (1 + (hz / (top_hz * 4 ** (bright - 0.5))) ** 2)
    if formants:
        body = sum(gain * np.exp(-(((hz - at) / width) ** 2)) for at, width, gain in formants)
        amps = amps * (0.06 + body)
    return 0.16 * spread(freq, amps, cents, rng, growth)


# Solo voices: swept wavetables


def _solo(
    pitch: float, bright: float, frames: int, rng: np.random.Generator, *,
    slope: float = 1.0, even: float = 1.0, top: tuple[float, float] = (4.0, 14.0), attack_s: float = 0.08,
    decay_s: float = 0.0, vibrato: float = 0.0, breath: float = 0.0, detune: float = 0.0, pulse: float = 0.0,
    fade_s: float = 0.0, chiff: float = 0.0, sway: float = 0.0, bow: float = 0.0, blare: float = 0.0,
    formants: tuple[tuple[float, float, float], ...] = (),
) -> Samples:  # fmt: skip
    """Return a solo tone whose number of harmonics moves from `top[0]` to `top[1]`, or back where it decays.

    `breath` is air around the second harmonic, `chiff` the burst of it at the start, `bow` the noise of hair on a
    string, `sway` how far vibrato moves loudness and brightness, `blare` how far the start is brighter than the rest.
    """
    freq = hertz(pitch)
    tables = _cycles(
        freq, slope, even, (top[0] * (0.45 + 1.1 * bright), top[1] * (0.45 + 1.1 * bright)), pulse, formants
    )
    time_s = np.arange(frames) / SAMPLE_RATE
    level = np.exp(-time_s / decay_s) if decay_s else 1 - np.exp(-time_s / max(attack_s, 1e-3))
    sides = (-detune, detune) if detune else (0.0,)
    rate_hz = 4.9 + 0.6 * rng.random()
    if blare:
        level = level * (1 - blare * (1 - np.exp(-np.maximum(time_s - 2 * attack_s, 0) / 0.25)))
    if sway:
        delayed = np.clip((time_s - VIBRATO_DELAY_S) / 0.4, 0, 1)
        waver = sway * delayed * np.sin(2 * np.pi * rate_hz * time_s + 1.2)
        level = np.clip(level * (1 - sway + waver), 0, 1)
    waves = [
        sweep(freq * 2 ** (cents / 1200), tables, level, vibrato_cents=vibrato, vibrato_hz=rate_hz,
              phase=float(rng.random()) if detune else 0.0)
        for cents in sides
    ]  # fmt: skip
    wave = np.float32(0.17) * np.stack([waves[0] + 0.5 * waves[-1], waves[-1] + 0.5 * waves[0]])
    if fade_s:
        wave *= np.exp(-time_s / fade_s).astype(np.float32)
    if sway:
        wave *= (1 + waver).astype(np.float32)
    if breath:
        air = shaped_noise(
            frames,
            lambda hz: (
                np.exp(-(((hz - 2 * freq) / (1.5 * freq)) ** 2)) + 0.25 / (1 + ((hz - 2500) / 2000) ** 2)
            ),
            rng,
        )
        burst = (0.35 + (1 + chiff) * np.exp(-time_s / 0.05)).astype(np.float32)
        wave = wave + (0.1 + 0.2 * bright) * breath * burst * air
    if bow:
        hair = shaped_noise(frames, lambda hz: 1 / (1 + ((hz - 3000) / 2200) ** 2), rng)
        wave = wave + bow * 0.1 * hair * (0.5 + 2 * np.exp(-time_s / 0.06)).astype(np.float32)
    solo: Samples = wave.astype(np.float32)
    return solo


@lru_cache(maxsize=96)
def _cycles(
    freq: float, slope: float, even: float, top: tuple[float, float], pulse: float,
    formants: tuple[tuple[float, float, float], ...],
) -> Samples:  # fmt: skip
    """Return the wavetables of a solo voice at one pitch."""

    def spectrum(n: Floats, level: Floats) -> Floats:
        cutoff = top[0] + (top[1] - top[0]) * level
        amps = (np.abs(np.sin(np.pi * n * pulse)) if pulse else 1.0) * n**-slope / (1 + (n / cutoff) ** 4)
        amps = amps * np.where(n % 2 == 0, even, 1.0)
        if formants:
            amps = amps * (0.25 + sum(g * np.exp(-(((n * freq - at) / w) ** 2)) for at, w, g in formants))
        scaled: Floats = amps / np.sqrt(np.sum(amps**2, axis=-1, keepdims=True))
        return scaled

    return cycles(freq, spectrum)


GUITAR_BODY = ((105.0, 18.0, 1.0), (205.0, 30.0, 0.9), (395.0, 60.0, 0.5), (560.0, 90.0, 0.4))
HARP_BODY = ((180.0, 60.0, 0.5), (330.0, 90.0, 0.5), (700.0, 250.0, 0.3))
FIDDLE_BODY = ((280.0, 40.0, 1.0), (460.0, 70.0, 1.2), (560.0, 80.0, 0.8), (1000.0, 250.0, 0.4))
BELL_OF_BRASS = ((650.0, 450.0, 0.9), (1300.0, 600.0, 1.3), (2400.0, 900.0, 0.5))
VIOLIN = ((460.0, 120.0, 0.9), (1100.0, 350.0, 0.8), (2600.0, 900.0, 1.2))
CELLO = ((250.0, 90.0, 0.9), (600.0, 200.0, 0.8), (1800.0, 800.0, 0.7))
AH = ((730.0, 130.0, 1.6), (1150.0, 160.0, 1.0), (2700.0, 300.0, 0.35), (3400.0, 400.0, 0.2))

INSTRUMENTS: Mapping[str, Voice] = {
    "piano": Voice(
        partial(_string, pluck=0.125, decay_s=8, damping=0.004, rolloff=0.26, stiffness=3.5e-4, knock=0.5,
            knock_hz=600, strings=2),
        0.001, 0.22, ring_s=4.5, low=24, high=104,
    ),
    "felt_piano": Voice(
        partial(_string, pluck=0.12, decay_s=7, damping=0.01, rolloff=0.42, stiffness=3e-4, knock=0.7,
            knock_hz=500, strings=2),
        0.006, 0.3, ring_s=4.5, low=28, high=96,
    ),
    "electric_piano": Voice(_tine, 0.002, 0.16, ring_s=3.2, low=33, high=96, tremolo_hz=4.6),
    "music_box": Voice(
        partial(_bars, ratios=(1, 2.01, 5.2, 8.9), amps=(1, 0.12, 0.3, 0.12), decay_s=2.6, fall=0.6,
            mallet=0.08),
        0.001, 0.3, ring_s=2.6, hold_s=1.2, low=66, high=104,
    ),
    "celesta": Voice(
        partial(_bars, ratios=(1, 2, 4.02, 9.1), amps=(1, 0.25, 0.3, 0.06), decay_s=2.2, fall=0.5),
        0.001, 0.25, ring_s=2.4, hold_s=0.8, low=60, high=104,
    ),
    "vibraphone": Voice(
        partial(_bars, ratios=(1, 3.98, 9.6), amps=(1, 0.2, 0.05), decay_s=5.5, fall=0.7, mallet=0.05),
        0.002, 0.3, ring_s=4.0, low=53, high=96, tremolo_hz=5.4,
    ),
    "marimba": Voice(
        partial(_bars, ratios=(1, 3.92, 9.24), amps=(1, 0.3, 0.12), decay_s=1.3, fall=0.9, mallet=0.3),
        0.001, 0.1, ring_s=1.3, hold_s=0.5, low=45, high=96,
    ),
    "kalimba": Voice(
        partial(_bars, ratios=(1, 2.0, 5.7, 9.3), amps=(1, 0.15, 0.22, 0.08), decay_s=1.7, fall=0.8,
            mallet=0.35),
        0.001, 0.15, ring_s=1.8, hold_s=0.8, low=52, high=96,
    ),
    "bell": Voice(
        partial(_bars, ratios=(0.5, 1, 1.19, 1.5, 2, 2.51, 3.01, 4.1), amps=(0.3, 1, 0.35, 0.2, 0.6, 0.2,
            0.25, 0.12),
                decay_s=6.5, fall=0.8),
        0.002, 0.5, ring_s=5.5, hold_s=3.0, low=55, high=96,
    ),
    "harp": Voice(
        partial(_string, pluck=0.28, decay_s=1.4, damping=0.028, rolloff=0.15, knock=0.3, knock_hz=700),
        0.002, 0.3, ring_s=2.0, hold_s=1.2, low=50, high=103,
    ),
    "nylon_guitar": Voice(
        partial(_string, pluck=0.21, decay_s=3.6, damping=0.014, rolloff=0.16, knock=0.25, knock_hz=400,
            body=GUITAR_BODY),
        0.001, 0.15, ring_s=3.0, low=40, high=88,
    ),
    "steel_guitar": Voice(
        partial(_string, pluck=0.14, decay_s=5.0, damping=0.004, rolloff=0.09, stiffness=6e-5, knock=0.12,
            strings=2, body=GUITAR_BODY),
        0.001, 0.15, ring_s=3.4, low=40, high=88,
    ),
    "distorted_guitar": Voice(
        partial(_string, pluck=0.13, decay_s=7.0, damping=0.003, rolloff=0.08, stiffness=4e-5, knock=0.1),
        0.002, 0.05, ring_s=3.4, low=38, high=84, drive=14.0,
    ),
    "oud": Voice(
        partial(_string, pluck=0.1, decay_s=1.9, damping=0.012, rolloff=0.12, knock=0.35, knock_hz=500, strings=2,
            body=((95.0, 25.0, 1.2), (230.0, 60.0, 1.0), (480.0, 120.0, 0.5))),
        0.001, 0.15, ring_s=1.9, hold_s=0.4, low=40, high=84,
    ),
    "koto": Voice(
        partial(_string, pluck=0.07, decay_s=3.2, damping=0.006, rolloff=0.06, stiffness=8e-5, knock=0.3,
            knock_hz=900),
        0.001, 0.2, ring_s=2.6, hold_s=0.6, low=48, high=96,
    ),
    "pizzicato": Voice(
        partial(_string, pluck=0.2, decay_s=0.5, damping=0.05, rolloff=0.1, knock=0.5, knock_hz=900, strings=3,
            body=FIDDLE_BODY),
        0.004, 0.12, ring_s=0.7, hold_s=0.3, low=40, high=96,
    ),
    "synth_pluck": Voice(
        partial(_solo, slope=0.9, top=(1.2, 34.0), decay_s=0.18, detune=6.0, fade_s=0.5), 0.002, 0.25,
            ring_s=2.4, low=36, high=96,
    ),
    "strings": Voice(partial(_ensemble, slope=0.95, cents=11, top_hz=5500, formants=((500, 500, 0.8), (1200,
        700, 0.7), (3000, 1500, 0.7))),
                     0.28, 0.6, endless=True, low=36, high=96),
    "spiccato": Voice(partial(_solo, slope=0.9, top=(5.0, 36.0), decay_s=0.25, detune=7.0, formants=VIOLIN,
        fade_s=0.4),
                      0.012, 0.12, ring_s=1.6, low=36, high=91),
    "warm_pad": Voice(partial(_ensemble, slope=1.35, cents=9, top_hz=1800), 0.5, 0.9, endless=True, low=36,
        high=84),
    "glass_pad": Voice(partial(_ensemble, slope=0.8, cents=5, top_hz=5000, odd=0.35, growth=0.6), 0.4, 1.0,
        endless=True, low=48, high=96),
    "dark_pad": Voice(partial(_ensemble, slope=1.5, cents=16, top_hz=900, growth=1.2), 0.9, 1.2,
        endless=True, low=29, high=72),
    "choir": Voice(partial(_ensemble, slope=0.75, cents=14, top_hz=5000, formants=AH), 0.3, 0.7,
        endless=True, low=43, high=84),
    "organ": Voice(partial(_ensemble, slope=1, cents=1.6, top_hz=7000, draw=(1, 0.8, 0.55, 0.5, 0.1, 0.3,
        0.05, 0.25), growth=0.5),
                   0.015, 0.09, endless=True, low=36, high=96, tremolo_hz=5.8),
    "accordion": Voice(partial(_ensemble, slope=0.75, cents=5, top_hz=3800, odd=0.8, formants=((900, 900,
        0.8), (2500, 1200, 0.5))),
                       0.04, 0.1, endless=True, low=48, high=91),
    "saw_stack": Voice(partial(_ensemble, slope=0.85, cents=13, top_hz=5200), 0.03, 0.25, endless=True,
        low=36, high=96),
    "brass": Voice(partial(_solo, slope=0.7, top=(1.5, 22.0), attack_s=0.06, detune=7.0, vibrato=3, blare=0.25,
        breath=0.03, formants=BELL_OF_BRASS), 0.03, 0.16, low=40, high=84),
    "horn": Voice(partial(_solo, slope=1.0, top=(1.5, 8.0), attack_s=0.1, detune=4.0, vibrato=3, blare=0.15,
        formants=((350.0, 300.0, 1.0), (750.0, 500.0, 0.6))), 0.06, 0.25, low=38, high=79),
    "cello": Voice(partial(_solo, slope=0.9, top=(3.0, 24.0), vibrato=11, formants=CELLO, detune=2.0, bow=0.25,
        sway=0.12), 0.09, 0.3, low=36, high=79),
    "violin": Voice(partial(_solo, slope=0.85, top=(3.0, 22.0), vibrato=14, formants=VIOLIN, bow=0.25, sway=0.15),
        0.07, 0.25, low=55, high=98),
    "flute": Voice(partial(_solo, slope=2.4, top=(2.0, 5.0), vibrato=10, breath=0.12, chiff=1.0, sway=0.25), 0.05,
        0.2, low=65, high=96),
    "whistle": Voice(partial(_solo, slope=2.6, top=(2.0, 4.0), vibrato=12, breath=0.12, chiff=0.8, sway=0.15), 0.035,
        0.1, low=72, high=98),
    "clarinet": Voice(partial(_solo, slope=0.95, even=0.12, top=(2.0, 9.0), vibrato=3, breath=0.06), 0.045,
        0.12, low=50, high=91),
    "oboe": Voice(partial(_solo, slope=0.7, top=(4.0, 11.0), vibrato=9, formants=((1050, 350, 1.3), (2900,
        700, 0.6))),
                  0.045, 0.12, low=58, high=91),
    "synth_lead": Voice(partial(_solo, slope=0.95, top=(3.0, 18.0), attack_s=0.03, vibrato=9, detune=7.0),
        0.008, 0.14, low=48, high=96),
    "square": Voice(partial(_solo, slope=0.95, even=0.0, top=(20.0, 40.0), vibrato=8), 0.003, 0.03, low=48,
        high=100),
    "pulse": Voice(partial(_solo, slope=0.9, pulse=0.25, top=(20.0, 40.0), vibrato=8), 0.003, 0.03, low=48,
        high=100),
}  # fmt: skip
"""Name -> voice, for harmony, pad and lead."""

BASSES: Mapping[str, Voice] = {
    "upright": Voice(partial(_string, pluck=0.3, decay_s=2.4, damping=0.03, rolloff=0.28, knock=0.3,
        knock_hz=300),
                     0.003, 0.1, ring_s=2.4, low=28, high=60),
    "electric": Voice(partial(_string, pluck=0.13, decay_s=2.5, damping=0.02, rolloff=0.1, stiffness=2e-4, knock=0.3,
        knock_hz=1800), 0.002, 0.12, ring_s=3.4, low=28, high=60),
    "sub": Voice(partial(_solo, slope=2.0, top=(1.5, 3.5), attack_s=0.02), 0.008, 0.07, low=28, high=52),
    "synth": Voice(partial(_solo, slope=0.95, top=(2.0, 16.0), decay_s=0.18, detune=4.0), 0.004, 0.06,
        low=28, high=60),
    "cello": INSTRUMENTS["cello"],
    "contrabass": Voice(partial(_ensemble, slope=1.1, cents=9, top_hz=1400, formants=CELLO), 0.16, 0.4,
        endless=True, low=28, high=55),
    "chip": Voice(partial(_solo, slope=1.8, even=0.0, top=(12.0, 24.0)), 0.003, 0.03, low=33, high=64),
    "drone": Voice(partial(_ensemble, slope=1.2, cents=6, top_hz=500), 1.2, 1.4, endless=True, low=26,
        high=50),
}  # fmt: skip
"""Name -> voice, for the bass."""

VOICES: Mapping[str, Voice] = {**{f"bass.{name}": voice for name, voice in BASSES.items()}, **INSTRUMENTS}
"""Name, with "bass." before that of a bass -> voice."""
