"""Drum sounds: struck skins, metal and noise. Each is made once per process and kit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from .tones import SAMPLE_RATE, Floats, Samples, modal, shaped_noise

__all__ = ["DRUM_NAMES", "LOUDNESS", "PAN", "drum", "drum_at"]


PAN: Mapping[str, float] = {
    "hat": 0.25, "open_hat": 0.25, "ride": -0.3, "shaker": -0.35, "rim": 0.2, "tom": -0.2, "crash": 0.3, "clap": -0.05,
    "stick": 0.35, "high_hand": 0.25, "low_hand": -0.15,
}  # fmt: skip
"""Place of each drum, -1 left to 1 right; others are in the middle."""


@dataclass(frozen=True)
class Tuning:
    """How the drums of a kit are tuned."""

    kick_hz: float
    kick_s: float
    fall: float
    """How far above its pitch a kick starts: under 2 it is a skin over a shell, else an oscillator."""
    snare_hz: float
    noise: float
    """Share of wires and metal."""
    dull: float
    """Treble, 1 for bright sticks."""
    click: float
    """Attack of the beater."""
    room: float
    """Loudness of the room that the microphones hear."""


KITS: Mapping[str, Tuning] = {
    "acoustic": Tuning(58, 0.3, 1.5, 190, 0.8, 1.0, 0.9, 0.5),
    "lofi": Tuning(54, 0.28, 1.6, 170, 0.6, 0.45, 0.3, 0.25),
    "electronic": Tuning(47, 0.45, 4.0, 200, 1.0, 1.2, 0.5, 0.0),
    "chip": Tuning(70, 0.16, 4.0, 240, 1.3, 1.3, 0.1, 0.0),
    "orchestral": Tuning(46, 1.1, 1.25, 210, 0.9, 0.8, 0.3, 1.0),
    "hand": Tuning(72, 0.4, 1.3, 220, 0.4, 0.8, 0.2, 0.45),
    "brushes": Tuning(60, 0.25, 1.3, 180, 1.0, 0.6, 0.25, 0.4),
}
MACHINES = frozenset({"electronic", "chip"})
"""Kits whose strokes are all the same."""
LOUDNESS: Mapping[str, float] = {
    "kick": 0.7, "snare": 1.4, "clap": 1.3, "high_hand": 1.3, "shaker": 0.4, "rim": 0.8,
}  # fmt: skip
"""How loud each drum is played against the others, at equal peaks; 1 for the rest."""
STROKES = 3
"""Recordings of each drum at each strength, taken in turn: no two strokes of a player are the same."""
HARD = 0.6
"""Velocity from which a stroke is a hard one."""
ROOM_S = 0.35
ATTACK_FRAMES = 12
"""A stick takes its time, too: about a third of a millisecond."""


def drum_at(kit: str, name: str, velocity: float, turn: int) -> Samples:
    """Return the stroke of a drum for its velocity, peak 1; `turn` chooses among alike strokes."""
    if kit in MACHINES:
        return drum(kit, name)
    return drum(kit, name, turn % STROKES, velocity >= HARD)


@lru_cache(maxsize=256)
def drum(kit: str, name: str, stroke: int = 0, hard: bool = True) -> Samples:
    """Return one stroke, mono, shape (frames,), peak 1; soft ones are duller and have less attack."""
    rng = np.random.default_rng([len(name), *name.encode(), stroke])
    tuning = KITS[kit]
    if not hard:
        tuning = replace(tuning, dull=0.6 * tuning.dull, click=0.4 * tuning.click)
    if stroke:
        near = 1 + rng.uniform(-1, 1, 4) * (0.015, 0.02, 0.15, 0.12)
        tuning = replace(
            tuning,
            kick_hz=tuning.kick_hz * near[0],
            snare_hz=tuning.snare_hz * near[1],
            noise=tuning.noise * near[2],
            dull=tuning.dull * near[3],
        )
    made = _MAKERS[name](tuning, rng)
    if tuning.room:
        made = _in_room(made, tuning.room)
    made[:ATTACK_FRAMES] *= np.linspace(0, 1, ATTACK_FRAMES, dtype=np.float32)
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


def _in_room(wave: Samples, level: float) -> Samples:
    """Return the stroke with the early reflections of the room where it was struck."""
    rng = np.random.default_rng(5)
    frames = int(ROOM_S * SAMPLE_RATE)
    room = shaped_noise(
        frames, lambda hz: 1 / (1 + (120 / np.maximum(hz, 1)) ** 2) / (1 + (hz / 5000) ** 2), rng
    )[0]
    room *= np.exp(-np.linspace(0, 6.5, frames, dtype=np.float32)) * np.float32(0.02)
    size = 1 << int(np.ceil(np.log2(wave.size + frames)))
    echo = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(room, size), size)
    heard = np.zeros(wave.size + frames, np.float32)
    heard[: wave.size] = wave
    heard[160:] += np.float32(level) * echo[: heard.size - 160].astype(np.float32)
    return heard


def _kick(kit: Tuning, rng: np.random.Generator) -> Samples:
    hz, seconds = kit.kick_hz, kit.kick_s
    body = _glide(hz * kit.fall, hz, 0.022, seconds * 1.6, seconds * 1.4)
    wave = np.tanh(1.6 * body).astype(np.float32)
    if kit.fall < 2:  # a skin over a shell, not an oscillator
        wave += modal(hz * np.array([1.59, 2.14, 2.3, 2.65, 3.5]), [0.3, 0.2, 0.15, 0.12, 0.08],
                      [0.14, 0.1, 0.09, 0.07, 0.05], wave.size)  # fmt: skip
    click = _band(1500, 6000, kit.dull, 0.02, 0.02, rng)
    wave[: click.size] += kit.click * 0.5 * click
    if kit.click > 0.6:  # a wooden beater
        knock = modal([820, 1500, 2600, 3400], [0.25, 0.2, 0.2, 0.12], [0.03, 0.025, 0.02, 0.015], 1280)
        wave[: knock.size] += kit.click * knock
    return wave


def _snare(kit: Tuning, rng: np.random.Generator) -> Samples:
    frames = int(0.3 * SAMPLE_RATE)
    hz = kit.snare_hz
    ratios = np.array([1, 1.59, 1.84, 2.14, 2.3, 2.65, 3.16])
    skin = modal(
        hz * ratios, [1, 0.6, 0.45, 0.35, 0.3, 0.2, 0.15], [0.16, 0.12, 0.1, 0.09, 0.08, 0.06, 0.05], frames
    )
    wires = _band(1400, 9000, kit.dull, 0.24, 0.3, rng)
    body = _band(300, 2200, kit.dull, 0.09, 0.3, rng)
    wave: Samples = 0.7 * skin + 0.5 * kit.noise * wires + 0.2 * body
    return wave


def _clap(kit: Tuning, rng: np.random.Generator) -> Samples:
    wave = np.zeros(int(0.32 * SAMPLE_RATE), np.float32)
    for delay_s, t60_s in ((0.0, 0.02), (0.011, 0.02), (0.021, 0.02), (0.031, 0.2)):
        burst = _band(900, 5200, kit.dull, t60_s, 0.28, rng)
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


def _hat(kit: Tuning, rng: np.random.Generator) -> Samples:
    if kit.fall < 2:  # two plates that touch: they ring a little longer, and no two strokes alike
        return _metal(2700, 0.16 * rng.uniform(0.8, 1.3), 0.22, 0.5 * kit.noise, kit.dull, rng)
    return _metal(3300, 0.09, 0.12, 0.7 * kit.noise, kit.dull, rng)


def _open_hat(kit: Tuning, rng: np.random.Generator) -> Samples:
    """Return a hat whose plates hardly touch, as it is played in loud music: it fills the time to the next stroke."""
    return _metal(2700, 0.6 * rng.uniform(0.8, 1.3), 0.6, 0.5 * kit.noise, kit.dull, rng)


def _ride(kit: Tuning, rng: np.random.Generator) -> Samples:
    wave = _metal(2600, 1.0, 0.9, 0.1, kit.dull, rng)
    ping = modal([1180, 1930, 3110, 4170], [0.3, 0.25, 0.25, 0.2], [0.35, 0.3, 0.25, 0.2], wave.size)
    tip = _band(2500, 7000, kit.dull, 0.015, 0.03, rng)
    wave[: tip.size] += 0.5 * tip
    return wave + 0.5 * ping


def _crash(kit: Tuning, rng: np.random.Generator) -> Samples:
    return _metal(2300, 2.4, 2.0, 0.5, kit.dull, rng)


def _shaker(kit: Tuning, rng: np.random.Generator) -> Samples:
    burst = _band(3800, 9000, kit.dull, 0.11, 0.1, rng)
    attack = min(burst.size, 640)
    burst[:attack] *= np.linspace(0.1, 1, attack, dtype=np.float32)
    return burst


def _rim(kit: Tuning, rng: np.random.Generator) -> Samples:
    return modal(
        [820, 1710, 2950], [1, 0.7, 0.4], [0.05, 0.035, 0.02], int(0.08 * SAMPLE_RATE)
    ) + 0.1 * _band(1000, 6000, kit.dull, 0.02, 0.08, rng)


def _stick(kit: Tuning, rng: np.random.Generator) -> Samples:
    wood = modal([1450, 2310, 3900], [1, 0.5, 0.3], [0.04, 0.03, 0.02], int(0.06 * SAMPLE_RATE))
    return wood + 0.05 * _band(1500, 6000, kit.dull, 0.01, 0.06, rng)


def _tom(kit: Tuning, rng: np.random.Generator) -> Samples:
    wave = _glide(150, 105, 0.04, 0.5, 0.45).astype(np.float32)
    wave += modal([172, 231, 248, 290], [0.35, 0.25, 0.2, 0.12], [0.2, 0.14, 0.12, 0.1], wave.size)
    return wave + 0.12 * _band(300, 3500, kit.dull, 0.05, 0.45, rng)


def _taiko(kit: Tuning, rng: np.random.Generator) -> Samples:
    frames = int(1.3 * SAMPLE_RATE)
    skin = modal(
        [64, 102, 137, 148, 187, 221], [1, 0.5, 0.4, 0.3, 0.2, 0.15], [1.3, 0.7, 0.5, 0.5, 0.3, 0.3], frames
    )
    wave: Samples = np.tanh(1.3 * skin)
    slap = _band(200, 2600, kit.dull, 0.09, 0.2, rng)
    wave[: slap.size] += 0.22 * slap
    return wave


def _low_hand(kit: Tuning, rng: np.random.Generator) -> Samples:
    body = _glide(112, 90, 0.03, 0.5, 0.45).astype(np.float32)
    body += modal([143, 192, 207, 238], [0.4, 0.25, 0.2, 0.15], [0.18, 0.12, 0.1, 0.08], body.size)
    slap = _band(300, 3500, kit.dull, 0.05, 0.12, rng)
    body[: slap.size] += 0.3 * slap
    return body


def _high_hand(kit: Tuning, rng: np.random.Generator) -> Samples:
    frames = int(0.25 * SAMPLE_RATE)
    skin = modal([310, 493, 570, 663, 822], [1, 0.55, 0.4, 0.3, 0.2], [0.2, 0.13, 0.1, 0.09, 0.06], frames)
    return skin + 0.4 * _band(900, 6000, kit.dull, 0.05, 0.25, rng)


_MAKERS = {
    "kick": _kick, "snare": _snare, "clap": _clap, "hat": _hat, "open_hat": _open_hat, "ride": _ride, "crash": _crash,
    "shaker": _shaker, "rim": _rim, "stick": _stick, "tom": _tom, "taiko": _taiko, "low_hand": _low_hand,
    "high_hand": _high_hand,
}  # fmt: skip
DRUM_NAMES: tuple[str, ...] = tuple(_MAKERS)
