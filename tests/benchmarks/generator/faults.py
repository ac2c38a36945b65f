"""What the check after making finds, and what it blames wrongly.

    python -m tests.benchmarks.generator.faults [--seeds 2] [--seconds 24]

Every shipped style is rendered by the synthesizer as a background bed: each fault found in these is a false alarm. Then
each fault is put into the renders at several strengths, and the share in which its kind is found is printed beside that
of the dumbest rival: for silence, clipping and drop-outs a level alone, for stuck loops the largest autocorrelation of
the waveform, for the tempo the measured one. A rival is set so that it blames as little of what is sound as the check
does, or where it cannot, its false alarms are printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from music_catalog import presets
from music_catalog.generator import Audio, ProceduralGenerator
from music_catalog.generator.audio import analysis
from music_catalog.generator.listening.clipping import clipping
from music_catalog.generator.listening.dropouts import dropouts
from music_catalog.generator.listening.expected import Expected, Fault
from music_catalog.generator.listening.faults import find_faults
from music_catalog.generator.listening.silence import silence
from music_catalog.generator.listening.stuck import stuck as stuck_loops
from music_catalog.generator.listening.tempo import tempo as far_tempo
from music_catalog.generator.synth.parameters import Synthesis
from music_catalog.service.checking.asked import CRACKLING_TEXTURES, played_tempo_bpm
from music_catalog.service.making import shape

Change = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Render:
    name: str
    audio: Audio
    expected: Expected


def renders(seeds: int, seconds: float) -> list[Render]:
    """Return every style rendered and shaped as the service does it, with what was asked for."""
    library, made = presets.load(None), []
    for style in library.styles:
        for seed in range(1, seeds + 1):
            choices = {"seed": seed, "duration_s": seconds, "backend": "procedural"}
            config = dict(library.resolve(style, "background_bed", "standard", choices).values)
            synthesis = Synthesis.parse(config["synthesis"])
            audio = shape(ProceduralGenerator().generate_music(style, config), config)
            expected = Expected(
                fade_in_s=config["fade_in_s"],
                fade_out_s=config["fade_out_s"],
                may_crackle=bool(set(synthesis.textures) & CRACKLING_TEXTURES),
                tempo_bpm=played_tempo_bpm(synthesis, seconds, loopable=bool(config["loopable"])),
            )
            made.append(Render(f"{style} {seed}", audio, expected))
    return made


def silent_end(seconds: float) -> Change:
    def change(samples, rate, rng):
        samples[-round(seconds * rate) :] = 0.0
        return samples

    return change


def silent_start(seconds: float) -> Change:
    def change(samples, rate, rng):
        samples[: round(seconds * rate)] = 0.0
        return samples

    return change


def pause(seconds: float) -> Change:
    def change(samples, rate, rng):
        start = len(samples) // 2
        samples[start : start + round(seconds * rate)] = 0.0
        return samples

    return change


def clipped(over_db: float) -> Change:
    """Cut what is over so much under the peak, and make it as soft as before."""

    def change(samples, rate, rng):
        limit = np.abs(samples).max() * 10 ** (-over_db / 20)
        return np.clip(samples, -limit, limit)

    return change


def gaps(count: int, milliseconds: float) -> Change:
    def change(samples, rate, rng):
        for start in rng.integers(2 * rate, len(samples) - 4 * rate, count):
            samples[start : start + round(milliseconds * rate / 1000)] = 0.0
        return samples

    return change


def cuts(count: int) -> Change:
    """Take 15 ms out at random places, which leaves a jump in the wave."""

    def change(samples, rate, rng):
        for start in rng.integers(2 * rate, len(samples) - 4 * rate, count):
            samples = np.concatenate([samples[:start], samples[start + round(0.015 * rate) :]])
        return samples

    return change


def stuck(period_s: float, *, noise_db: float | None = None, drift_db: float = 0.0) -> Change:
    """From 8 s on repeat the same stretch, with noise under it and each time at a slightly other level."""

    def change(samples, rate, rng):
        period, start = round(period_s * rate), 8 * rate
        times = -(-(len(samples) - start) // period)
        gains = 10 ** (rng.uniform(-drift_db, drift_db, times) / 20)
        hung = np.concatenate([samples[start - period : start] * gain for gain in gains])
        samples[start:] = hung[: len(samples) - start]
        if noise_db is not None:
            level = np.sqrt(np.mean(np.square(samples))) * 10 ** (noise_db / 20)
            samples += rng.normal(0, level, samples.shape).astype(np.float32)
        return samples

    return change


CASES: tuple[tuple[str, str, Change], ...] = (
    ("silence", "the last 3 s", silent_end(3)),
    ("silence", "the last 6 s", silent_end(6)),
    ("silence", "the first 3 s", silent_start(3)),
    ("silence", "a pause of 2.5 s", pause(2.5)),
    ("silence", "all of it", silent_end(1e6)),
    ("clipping", "1 dB", clipped(1)),
    ("clipping", "3 dB", clipped(3)),
    ("clipping", "6 dB", clipped(6)),
    ("clipping", "12 dB", clipped(12)),
    ("drop-outs", "1 gap of 5 ms", gaps(1, 5)),
    ("drop-outs", "1 gap of 50 ms", gaps(1, 50)),
    ("drop-outs", "5 gaps of 20 ms", gaps(5, 20)),
    ("drop-outs", "1 cut", cuts(1)),
    ("drop-outs", "5 cuts", cuts(5)),
    ("drop-outs", "20 cuts", cuts(20)),
    ("stuck", "0.5 s", stuck(0.5)),
    ("stuck", "1 s", stuck(1)),
    ("stuck", "2 s", stuck(2)),
    ("stuck", "1 s, noise at -40 dB", stuck(1, noise_db=-40)),
    ("stuck", "2 s, levels within 0.5 dB", stuck(2, drift_db=0.5)),
    ("stuck", "2 s, levels within 2 dB", stuck(2, drift_db=2)),
)
CHECKS: dict[str, Callable[[Audio, Expected], list[Fault]]] = {
    "silence": silence,
    "clipping": lambda audio, _: clipping(audio),
    "drop-outs": dropouts,
    "stuck": stuck_loops,
}
"""The check of each kind alone."""
TEMPO_RATIOS = (0.67, 0.8, 0.85, 0.9, 1.1, 1.2, 1.3)


def repetition(samples: np.ndarray, rate: int) -> float:
    """Return the largest autocorrelation of the waveform at 0.3 to 4.2 s, of the second half."""
    mono = samples.mean(axis=1)[len(samples) // 2 :: 4].astype(np.float64)
    size = 1 << (2 * len(mono)).bit_length()
    repeats = np.fft.irfft(np.abs(np.fft.rfft(mono, size)) ** 2)[: len(mono)]
    repeats = repeats / max(repeats[0], 1e-12) * len(mono) / (len(mono) - np.arange(len(mono)) + 1)
    return float(repeats[round(0.3 * rate / 4) : round(4.2 * rate / 4)].max())


def rival(kind: str, samples: np.ndarray, rate: int) -> float:
    """Return the number by which the dumbest rival decides; more is worse."""
    if kind == "clipping":
        return float(np.abs(samples).max())
    if kind == "silence":
        return -float(np.sqrt(np.mean(np.square(samples))))
    if kind == "drop-outs":
        return float(np.abs(np.diff(samples, axis=0)).max())
    return repetition(samples, rate)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=24.0)
    arguments = parser.parse_args()
    made = renders(arguments.seeds, arguments.seconds)
    blamed = {one.name: find_faults(one.audio, one.expected) for one in made}
    alarms = {name: faults for name, faults in blamed.items() if faults}
    print(f"false alarms: {len(alarms)} of {len(made)} renders of {len(made) // arguments.seeds} styles")
    for name, faults in alarms.items():
        print(f"  {name}: {'; '.join(f'{fault.kind}, {fault.words}' for fault in faults)}")

    print("\n| fault | strength | found | rival |\n|---|---|---|---|")
    # A rival blames none of what is sound: its threshold is the largest value there.
    kinds = ("silence", "clipping", "drop-outs", "stuck")
    most = {
        kind: max(rival(kind, one.audio.samples, one.audio.sample_rate) for one in made) for kind in kinds
    }
    for kind, strength, change in CASES:
        found = by_rival = 0
        for number, one in enumerate(made):
            rate = one.audio.sample_rate
            samples = change(one.audio.samples.copy(), rate, np.random.default_rng(number))
            changed = Audio(np.ascontiguousarray(samples, np.float32), rate)
            found += bool(CHECKS[kind](changed, one.expected))
            by_rival += rival(kind, samples, rate) > most[kind] * (1 + 1e-6 * np.sign(most[kind]))
        print(f"| {kind} | {strength} | {found / len(made):.0%} | {by_rival / len(made):.0%} |", flush=True)
    _tempos([one for one in made if one.expected.tempo_bpm])


def _tempos(made: list[Render]) -> None:
    """Print how often another tempo than that of the music is found out, and how often by the measured tempo alone."""
    heard = [analysis.tempo_bpm(one.audio) for one in made]

    def by_measure(asked: float, tempo: float | None) -> bool:
        ratios = (0.5, 1.0, 2.0)
        return tempo is not None and min(abs(np.log(tempo / (asked * ratio))) for ratio in ratios) > 0.04

    for ratio in (1.0, *TEMPO_RATIOS):
        found = by_rival = 0
        for one, tempo in zip(made, heard, strict=True):
            asked = (one.expected.tempo_bpm or 0.0) * ratio
            found += bool(far_tempo(one.audio, replace(one.expected, tempo_bpm=asked)))
            by_rival += by_measure(asked, tempo)
        what = "none: false alarms" if ratio == 1.0 else f"{ratio:g} times the asked one"
        print(f"| tempo | {what} | {found / len(made):.0%} | {by_rival / len(made):.0%} |", flush=True)


if __name__ == "__main__":
    main()
