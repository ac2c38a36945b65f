"""How fast the procedural generator renders each shipped style, beside a note-by-note rendering without its economies.

Run it on one thread:  OMP_NUM_THREADS=1 python -m tests.benchmarks.generator.procedural [--seconds 30] [--runs 3]

The reference plays the very same scores with the same instruments, but computes every note afresh, each partial as
its own sine, and convolves every part with the room in one piece: what the program would cost if written plainly.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import yaml

from music_catalog import presets
from music_catalog.generator.synth import tones
from music_catalog.generator.synth.composition import compose
from music_catalog.generator.synth.generator import SEND, ProceduralGenerator
from music_catalog.generator.synth.notes import NoteCache
from music_catalog.generator.synth.parameters import Synthesis
from music_catalog.generator.synth.reverb import impulse_response
from music_catalog.generator.synth.tones import SAMPLE_RATE

REFERENCE_STYLES = ("jazz_lounge", "acoustic_folk", "sad_piano", "world_percussion")
SHIPPED = [Path(presets.__file__).parent / name for name in ("styles.yaml", "environments.yaml")]


def plain_modal(freqs_hz, amps, t60_s, frames):
    """Sum decaying sines one by one, a sine and an exponential per sample."""
    time_s = np.arange(frames) / SAMPLE_RATE
    wave = np.zeros(frames)
    for hz, amp, t60 in zip(freqs_hz, amps, t60_s, strict=True):
        if hz < 14_000:
            wave += amp * np.exp(-np.log(1000) * time_s / max(t60, 1e-3)) * np.sin(2 * np.pi * hz * time_s)
    return wave.astype(np.float32)


def render_plainly(values, duration_s):
    """Play the notes of a score without caches, matrix products or blocks."""
    synthesis = Synthesis.parse(values)
    score = compose(synthesis, duration_s, loopable=False, seed=1)
    frames = int(duration_s * SAMPLE_RATE)
    mix = np.zeros((2, frames))
    for part in (p for p in score.parts if p.role != "drums"):
        bus = np.zeros((2, frames))
        for note in part.notes:
            name = f"bass.{part.instrument}" if part.role == "bass" else part.instrument
            wave = NoteCache(synthesis.brightness, 1).note(name, note.pitch, note.duration_s, note.velocity)
            start = int(note.start_s * SAMPLE_RATE)
            count = min(wave.shape[1], frames - start)
            bus[:, start : start + count] += note.velocity * wave[:, :count]
        room = impulse_response(round(synthesis.room_s, 2))
        size = frames + room.shape[1]
        for channel in range(2):
            wet = np.fft.irfft(
                np.fft.rfft(bus[channel], size) * np.fft.rfft(room[channel].astype(float), size), size
            )
            mix[channel] += bus[channel] + SEND[part.role] * synthesis.reverb * wet[:frames]
    return mix


def seconds_of(work):
    started, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - cpu


def main():
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--seconds", type=float, default=30.0)
    arguments.add_argument("--runs", type=int, default=3)
    options = arguments.parse_args()
    styles = {
        name: preset["synthesis"]
        for path in SHIPPED
        for name, preset in yaml.safe_load(path.read_text("utf-8"))["musicgen"]["presets"].items()
    }
    generator = ProceduralGenerator()
    config = {"duration_s": options.seconds, "seed": 1}
    print(f"{options.seconds:g} s stereo at 32 kHz, one thread, best of {options.runs}; x is times real time")
    print(f"{'style':24s} {'wall s':>7s} {'cpu s':>7s} {'x wall':>7s} {'x cpu':>7s}")
    times = {}
    for name, values in styles.items():
        runs = [
            seconds_of(lambda values=values: generator.generate_music("", {**config, "synthesis": values}))
            for _ in range(options.runs)
        ]
        wall, cpu = min(runs)[0], min(run[1] for run in runs)
        times[name] = wall, cpu
        print(f"{name:24s} {wall:7.3f} {cpu:7.3f} {options.seconds / wall:7.0f} {options.seconds / cpu:7.0f}")
    for label, column in (("wall", 0), ("cpu", 1)):
        rates = {name: options.seconds / pair[column] for name, pair in times.items()}
        slowest = min(rates, key=rates.__getitem__)
        total = options.seconds * len(rates) / sum(pair[column] for pair in times.values())
        print(
            f"{label}: slowest {rates[slowest]:.0f}x ({slowest}), median {statistics.median(rates.values()):.0f}x, "
            f"all {len(rates)} together {total:.0f}x"
        )
    compare(generator, styles)
    unit = 1e9 if sys.platform == "darwin" else 1e6
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit:.2f} GB")


def compare(generator, styles, duration_s=8.0):
    """Print how much faster the generator is than the plain rendering of the same notes."""
    print(
        f"\nreference: the same notes over {duration_s:g} s, each computed afresh, sine by sine; cpu seconds"
    )
    fast_modal = tones.modal
    for name in REFERENCE_STYLES:
        config = {"duration_s": duration_s, "seed": 1, "synthesis": styles[name]}
        _, ours = min(
            seconds_of(lambda config=config: generator.generate_music("", config)) for _ in range(3)
        )
        tones.modal = plain_modal
        try:
            _, plain = seconds_of(lambda name=name: render_plainly(styles[name], duration_s))
        finally:
            tones.modal = fast_modal
        print(f"{name:24s} plain {plain:6.2f}, ours {ours:5.2f}, {plain / ours:4.0f} times faster")


if __name__ == "__main__":
    main()
