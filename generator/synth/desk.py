"""The mixing desk: levels, echo, pump, worn tape, width and soft clipping, on buses of shape (2, frames) in place."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from ..audio.shaping import half_cosine
from .tones import SAMPLE_RATE, Samples, angle

__all__ = [
    "active_rms",
    "add_echo",
    "add_note",
    "add_wave",
    "fade_ends",
    "finish_level",
    "overdrive",
    "pump",
    "sway",
    "wear",
    "widen",
]


CHUNK = 1 << 15
"""Frames that are computed at a time, so that memory for long pieces stays small."""
WOW_MARGIN = 40
"""Frames that worn tape may be off on either side."""
KNEE, CEILING = 0.65, 0.93
PUMP_S = 0.26
PUMP_ATTACK_FRAMES = 160


def add_wave(channel: Samples, start: int, wave: Samples, *, circular: bool) -> None:
    """Add a wave to a channel, both of shape (frames,); past the end it goes on at the start (circular) or is cut."""
    total = channel.shape[0]
    at, done = start % total if circular else start, 0
    while done < wave.shape[0] and at < total:
        count = min(wave.shape[0] - done, total - at)
        channel[at : at + count] += wave[done : done + count]
        at, done = 0, done + count
        if not circular:
            return


def add_note(bus: Samples, start: int, wave: Samples, left: float, right: float, *, circular: bool) -> None:
    """Add a note, shape (1 or 2, frames), to the bus with a gain for each side; see `add_wave`."""
    add_wave(bus[0], start, np.float32(left) * wave[0], circular=circular)
    add_wave(bus[1], start, np.float32(right) * wave[-1], circular=circular)


def active_rms(bus: Samples, block_s: float = 0.2) -> float:
    """Return the RMS over the blocks within 20 dB of the loudest, both channels together; 0 for silence."""
    block = min(int(block_s * SAMPLE_RATE), bus.shape[1])
    count = bus.shape[1] // block
    blocks = bus[:, : count * block].reshape(2, count, block)
    power = np.einsum("cbn,cbn->b", blocks, blocks) / (2 * block)
    loud = power[power > power.max() * 0.01]
    return float(np.sqrt(loud.mean())) if loud.size else 0.0


def add_echo(bus: Samples, delay_s: float, level: float, *, circular: bool) -> None:
    """Add three echoes, each weaker than the one before and on the other side."""
    dry = bus.copy()
    total = bus.shape[1]
    for tap in (1, 2, 3):
        shift = int(tap * delay_s * SAMPLE_RATE)
        gain = np.float32(0.55 * level**tap)
        source = dry[::-1] if tap % 2 else dry
        if circular:
            bus += gain * np.roll(source, shift % total, axis=1)
        elif shift < total:
            bus[:, shift:] += gain * source[:, : total - shift]


def sway(bus: Samples, rate_hz: float, depth: float = 0.35) -> None:
    """Move the sound slowly between the sides, a whole number of times over the length, so that a loop closes."""
    total = bus.shape[1]
    cycles = max(1, round(rate_hz * total / SAMPLE_RATE))
    for start in range(0, total, CHUNK):
        count = min(CHUNK, total - start)
        phase = np.float32(2 * np.pi * cycles / total) * np.arange(count, dtype=np.float32)
        wave = np.float32(depth) * np.sin(phase + np.float32(2 * np.pi * ((cycles * start / total) % 1)))
        bus[0, start : start + count] *= 1 + wave
        bus[1, start : start + count] *= 1 - wave


def overdrive(bus: Samples, drive: float, *, circular: bool) -> None:
    """Play the bus through a tube amplifier and its loudspeaker, which passes 80 Hz to 5 kHz and favours 2.5 kHz.

    The sum of the notes is bent, not each note: the rough sound of a power chord is their intermodulation.
    """
    gain = np.float32(drive / max(active_rms(bus), 1e-6) * 0.35)
    speaker, margin = _loudspeaker(), _loudspeaker().size // 2
    for channel in bus:
        bent = np.tanh(gain * channel + np.float32(0.15)) - np.float32(np.tanh(0.15))
        around = np.pad(bent, margin, mode="wrap" if circular else "constant")
        channel[:] = np.convolve(around, speaker, mode="valid")


@lru_cache(maxsize=1)
def _loudspeaker() -> Samples:
    """Return the impulse response of a guitar loudspeaker, shape (65,)."""
    hz = np.fft.rfftfreq(1024, 1 / SAMPLE_RATE)
    gain = (
        (1 + np.exp(-(((hz - 2500) / 1100) ** 2)))
        / (1 + (hz / 4800) ** 6)
        / (1 + (80 / np.maximum(hz, 1)) ** 4)
    )
    response = np.roll(np.fft.irfft(gain), 32)[:65] * np.hanning(67)[1:-1]
    return response.astype(np.float32)


def pump(bus: Samples, hits_s: Sequence[float], depth: float, *, circular: bool) -> None:
    """Lower the bus at every hit of the kick drum; it comes back within a quarter of a second.

    This is an effect of dance music, on the beat. Ducking under a voice is `generator.audio.ducking`.
    """
    recovery = int(PUMP_S * SAMPLE_RATE)
    curve = (1 - depth * (1 - np.linspace(0, 1, recovery)) ** 1.5).astype(np.float32)
    curve[:PUMP_ATTACK_FRAMES] = np.linspace(1, curve[PUMP_ATTACK_FRAMES], PUMP_ATTACK_FRAMES)
    total = bus.shape[1]
    starts = sorted(int(hit * SAMPLE_RATE) for hit in hits_s)
    for start, following in zip(starts, [*starts[1:], total + starts[0] if circular else total], strict=True):
        count = min(recovery, following - start)
        inside = max(0, min(count, total - start))
        bus[:, start : start + inside] *= curve[:inside]
        if circular and count > inside:
            bus[:, : count - inside] *= curve[inside:count]


def wear(bus: Samples, amount: float) -> None:
    """Play the mix from worn tape: wavering pitch, less treble, soft saturation. The ends of a loop still meet."""
    total = bus.shape[1]
    turns = max(1, round(0.55 * total / SAMPLE_RATE)), max(1, round(5.3 * total / SAMPLE_RATE))
    depths = np.float32(26.0 * amount), np.float32(2.2 * amount)  # frames of displacement
    drive, dullness = np.float32(1 + 1.5 * amount), np.float32(0.25 * amount)
    dry = np.pad(bus, ((0, 0), (WOW_MARGIN, WOW_MARGIN)), mode="wrap")
    dry[:, 1:-1] += dullness * (dry[:, :-2] - 2 * dry[:, 1:-1] + dry[:, 2:])
    for start in range(0, total, CHUNK):
        count = min(CHUNK, total - start)
        turn = np.arange(start, start + count) * (np.array(turns)[:, None] / total)
        wow, flutter = np.sin(angle(turn))
        shift = depths[0] * wow + depths[1] * flutter + np.float32(WOW_MARGIN)
        whole = shift.astype(np.int32)
        part = shift - whole
        whole += np.arange(count, dtype=np.int32)
        for channel in range(2):
            track = dry[channel, start : start + count + 2 * WOW_MARGIN]
            near = track[whole]
            now = near + part * (track[whole + 1] - near)
            bus[channel, start : start + count] = np.tanh(drive * now) / drive


def widen(bus: Samples, width: float) -> None:
    """Scale the difference between the channels; 0 is mono, 1 changes nothing."""
    middle = np.float32(0.5) * (bus[0] + bus[1])
    side = np.float32(0.5 * width) * (bus[0] - bus[1])
    np.add(middle, side, out=bus[0])
    np.subtract(middle, side, out=bus[1])


def fade_ends(bus: Samples, in_s: float, out_s: float) -> None:
    """Fade the start in and the end out along half-cosines; each takes at most half of the length."""
    total = bus.shape[1]
    for seconds, at_end in ((in_s, False), (out_s, True)):
        count = min(int(seconds * SAMPLE_RATE), total // 2)
        curve = half_cosine(count)
        if at_end:
            bus[:, total - count :] *= curve[::-1]
        else:
            bus[:, :count] *= curve


def finish_level(bus: Samples, target_rms: float) -> None:
    """Bring the mix to `target_rms` and bend its peaks softly under the ceiling.

    This is a colour of the sound, sample by sample. The limiter that keeps a true peak is `generator.audio.loudness`.
    """
    peak = float(max(-bus.min(), bus.max(), 1e-9))
    bus *= np.float32(min(target_rms / max(active_rms(bus), 1e-9), 1.6 / peak))
    span = np.float32(CEILING - KNEE)
    for channel in bus:
        for start in range(0, channel.shape[0], CHUNK):
            part = channel[start : start + CHUNK]
            over = np.abs(part) > KNEE
            loud = part[over]
            part[over] = np.sign(loud) * (KNEE + span * np.tanh((np.abs(loud) - KNEE) / span))
