"""The synthesizer's notes on the samples of a General MIDI soundfont, to compare what listeners hear in both.

`pip install tinysoundfont` (MIT) plays the file; FluidR3_GM.sf2 (MIT) comes with `apt-get install fluid-soundfont-gm`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from music_catalog.generator.synth import desk, generator
from music_catalog.generator.synth.composition import Part
from music_catalog.generator.synth.tones import SAMPLE_RATE, Samples

__all__ = ["sampled"]

PROGRAMS = {
    "piano": 0, "felt_piano": 0, "electric_piano": 4, "music_box": 10, "celesta": 8, "vibraphone": 11, "marimba": 12,
    "kalimba": 108, "harp": 46, "nylon_guitar": 24, "steel_guitar": 25, "distorted_guitar": 30, "oud": 24, "koto": 107,
    "pizzicato": 45, "bell": 14, "strings": 48, "spiccato": 48, "cello": 42, "violin": 40, "choir": 52, "organ": 19,
    "accordion": 21, "brass": 61, "horn": 60, "flute": 73, "clarinet": 71, "oboe": 68, "whistle": 78, "upright": 32,
    "electric": 33, "contrabass": 43,
}  # fmt: skip
"""Instrument -> program of General MIDI; what is not here is electronic, and stays with the synthesizer."""
KITS = {"acoustic": 0, "lofi": 8, "orchestral": 48, "hand": 0, "brushes": 40}
DRUMS = {
    "kick": 36, "snare": 38, "hat": 42, "open_hat": 46, "ride": 51, "crash": 49, "tom": 45, "clap": 39, "rim": 37,
    "shaker": 70, "low_hand": 64, "high_hand": 63, "stick": 31, "taiko": 41,
}  # fmt: skip
DRUM_CHANNEL = 9


@contextmanager
def sampled(font: Path) -> Iterator[None]:
    """Let the synthesizer play its parts by the samples of `font`; levels, reverberation and textures stay."""
    import tinysoundfont

    synth = tinysoundfont.Synth(samplerate=SAMPLE_RATE)
    loaded, plain = synth.sfload(str(font)), generator._play_parts

    def play(score: Any, synthesis: Any, mix: Samples, send: Samples, settings: Any, steps: Any) -> None:
        notes = generator.NoteCache(synthesis.brightness, settings.seed)
        kicks = generator._kicks(score)
        for part in score.parts:
            if part.instrument in (KITS if part.role == "drums" else PROGRAMS):
                bus = _part(synth, loaded, part, mix.shape[1])
            else:
                bus = np.zeros_like(mix)
                for note in part.notes:
                    generator._play_note(bus, part, note, notes, settings.loopable)
                generator._treat(bus, part, synthesis, score, kicks, settings.loopable)
            level = generator._level(part, synthesis) * generator.TARGET_RMS
            bus = bus * np.float32(level / max(desk.active_rms(bus), 1e-6))
            mix += bus
            send += np.float32(0.5 * generator.SEND[part.role]) * (bus[0] + bus[1])

    generator._play_parts = play
    try:
        yield
    finally:
        generator._play_parts = plain


def _part(synth: Any, font: int, part: Part, frames: int) -> Samples:
    """Return one part as samples of shape (2, frames)."""
    drums = part.role == "drums"
    channel = DRUM_CHANNEL if drums else 0
    synth.program_select(channel, font, 128 if drums else 0, (KITS if drums else PROGRAMS)[part.instrument])
    events = []
    for note in part.notes:
        key = DRUMS[note.pitch] if isinstance(note.pitch, str) else round(note.pitch)
        ends = int((note.start_s + note.duration_s) * SAMPLE_RATE)
        events += [(int(note.start_s * SAMPLE_RATE), 1, key, int(1 + 126 * note.velocity)), (ends, 0, key, 0)]
    waves, done = [], 0
    for at, on, key, velocity in [*sorted(events), (frames, 0, 0, 0)]:
        if done < min(at, frames):
            waves.append(np.frombuffer(bytes(synth.generate(min(at, frames) - done)), np.float32))
            done = min(at, frames)
        if on:
            synth.noteon(channel, key, velocity)
        else:
            synth.noteoff(channel, key)
    synth.sounds_off(channel)
    synth.generate(2 * SAMPLE_RATE)
    return np.concatenate(waves).reshape(-1, 2).T.copy()
