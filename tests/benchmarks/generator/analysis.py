"""Tempo and key as the package measures them, against librosa's other ways and numpy and scipy alone.

Renders every shipped style and place twice and asks each candidate, beside click tracks, cadences, and sounds that
have neither tempo nor key. About five minutes. Run from the repository root:
python -m tests.benchmarks.generator.analysis
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from music_catalog import presets
from music_catalog.generator.audio import analysis, resample, to_mono
from music_catalog.generator.protocol import Audio
from music_catalog.generator.synth.generator import ProceduralGenerator
from music_catalog.generator.synth.parameters import Texture, names_of

RATE = 22_050
DURATION_S = 24.0
SEEDS = (1, 2)
DARK_MODES = ("minor", "dorian", "phrygian", "hijaz", "harmonic minor")
CADENCES = {"major": "0M 5M 7M 0M 9m 5M 7M 0M", "minor": "0m 5m 7M 0m 8M 5m 7M 0m"}


# What is measured


def signal_of(audio: Audio) -> np.ndarray:
    return resample(to_mono(audio), RATE).samples[:, 0]


def audio_of(signal: np.ndarray) -> Audio:
    return Audio(signal[:, None].astype(np.float32), RATE)


def renders() -> Iterator[tuple[np.ndarray, float, str, bool]]:
    """Yield a signal, its tempo and key as played, and whether drums keep the time."""
    for file in ("styles.yaml", "environments.yaml"):
        document = yaml.safe_load((Path(presets.__file__).parent / file).read_text("utf-8"))
        for preset in document["musicgen"]["presets"].values():
            for seed in SEEDS:
                config = {"duration_s": DURATION_S, "seed": seed, "synthesis": preset["synthesis"]}
                audio = ProceduralGenerator().generate_music("a prompt", config)
                origin = audio.provenance
                drums = origin["synthesis"]["groove"] != "none"
                yield signal_of(audio), origin["tempo_bpm"], origin["musical_key"], drums


def clicks() -> Iterator[tuple[np.ndarray, float]]:
    """Yield click tracks: plain, under noise, with a human beat, and short."""
    t = np.arange(RATE // 20) / RATE
    click = np.exp(-80 * t) * np.sin(2 * np.pi * 1000 * t)
    for tempo in (48, 60, 72, 80, 95.5, 110, 128, 140, 152, 170):
        for duration_s, noise, jitter_s in ((20, 0, 0), (20, 0.05, 0), (20, 0, 0.008), (6, 0, 0)):
            random = np.random.default_rng(0)
            signal = random.standard_normal(duration_s * RATE) * noise
            for beat_s in np.arange(0.1, duration_s - 0.1, 60 / tempo):
                at = round((beat_s + jitter_s * random.standard_normal()) * RATE)
                signal[at : at + len(click)] += click[: len(signal) - at]
            yield signal, tempo


def cadences() -> Iterator[tuple[np.ndarray, str]]:
    """Yield a cadence in each of the 24 keys, plain and under noise."""
    t = np.arange(RATE // 2) / RATE
    shape = np.minimum(1, (0.5 - t) * 10) * np.minimum(1, t * 50)
    for tonic in range(12):
        for mode, chords in CADENCES.items():
            pitches = [
                [
                    60 + tonic + int(chord[:-1]) + third
                    for third in ((0, 4, 7) if chord[-1] == "M" else (0, 3, 7))
                ]
                for chord in chords.split()
            ]
            hertz = 440 * 2 ** ((np.array(pitches) - 69) / 12)
            partials = sum(np.sin(2 * np.pi * hertz[..., None] * k * t) / k for k in range(1, 7))
            signal = 0.1 * (partials.sum(axis=1) * shape).ravel()
            for noise in (0.0, 0.05):
                hiss = noise * np.random.default_rng(0).standard_normal(len(signal))
                yield signal + hiss, f"{analysis.NAMES[tonic]} {mode}"


def colours() -> Iterator[np.ndarray]:
    """Yield what has neither tempo nor key: noises, drops, sparks, and unpitched textures without music."""
    for seed in range(4):
        for duration_s in (6, 12, 24):
            random = np.random.default_rng(seed)
            count = duration_s * RATE
            white = random.standard_normal(count) * 0.1
            brown = np.cumsum(white) * 0.01
            yield white
            yield brown - brown.mean()
            yield white * (1 + np.sin(2 * np.pi * 0.13 * np.arange(count) / RATE))
            yield np.convolve((random.random(count) > 0.9997) * 1.0, np.exp(-np.arange(400) / 40), "same")
            yield (random.random(count) > 0.99985) * 1.0
    for texture in sorted(set(names_of(Texture)) - {"drone", "chimes", "owl"}):
        for seed in SEEDS:
            synthesis = {"harmony": "none", "textures": {texture: 0.8}}
            config = {"duration_s": DURATION_S, "seed": seed, "synthesis": synthesis}
            yield signal_of(ProceduralGenerator().generate_music("a prompt", config))


# Numpy and scipy alone


def magnitude(signal: np.ndarray, size: int, hop: int) -> np.ndarray:
    from scipy.fft import rfft

    frames = np.lib.stride_tricks.sliding_window_view(np.pad(signal, size // 2), size)[::hop]
    return np.ascontiguousarray(np.abs(rfft(frames * np.hanning(size + 1)[:-1].astype(np.float32), axis=1)).T)


def own_tempo(signal: np.ndarray) -> float | None:
    """Autocorrelate spectral flux in 40 mel bands; the lag that repeats best, with its double, wins."""
    from scipy.fft import irfft, rfft
    from scipy.ndimage import uniform_filter1d

    highest = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = np.unique(
        np.rint(700 * (10 ** (np.arange(40) * highest / 40 / 2595) - 1) * 1024 / RATE).astype(int)
    )
    power = np.add.reduceat(magnitude(signal, 1024, 256) ** 2, edges, axis=0)
    bands = 10 * np.log10(np.maximum(power, 1e-10))
    flux = np.maximum(np.diff(np.maximum(bands, bands.max() - 60), axis=1), 0).mean(axis=0)
    flux = np.convolve(flux, np.hanning(7)[1:-1] / 3, mode="same")
    flux -= uniform_filter1d(flux, RATE // 256)
    count = len(flux)
    raw = irfft(np.abs(rfft(flux, 2 * count)) ** 2)[:count]
    repeats = raw / np.linspace(1, 1 / count, count) / max(raw[0], 1e-12)
    per_minute = 60 * RATE / 256
    lags = np.arange(int(per_minute / 180), min(int(per_minute / 60) + 1, count // 2 - 1) + 1)
    score = 0.5 * (repeats[lags] + repeats[2 * lags])
    best = int(np.argmax(score * np.exp(-0.5 * np.log2(per_minute / lags / 115) ** 2)))
    return per_minute / float(lags[best]) if score[best] >= 0.2 else None


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one, other)[0, 1]) if one.std() and other.std() else 0.0


def best_key(chroma: np.ndarray, least_fit: float = -1.0) -> str | None:
    fits = {
        f"{analysis.NAMES[tonic]} {mode}": correlation(np.roll(profile, tonic), chroma)
        for mode, profile in analysis.PROFILES.items()
        for tonic in range(12)
    }
    best = max(fits, key=fits.__getitem__)
    return best if fits[best] >= least_fit else None


def own_key(signal: np.ndarray) -> str | None:
    """Fold the partials that stand out of an 8192-point spectrum; both halves of the frames must agree."""
    from scipy.ndimage import uniform_filter1d

    from music_catalog.generator.musicgen.chroma import chroma_filters

    spectrum = magnitude(signal, 8192, 4096)
    partials = np.maximum(spectrum - 2 * uniform_filter1d(spectrum, 61, axis=0), 0)
    partials[: round(55 * 8192 / RATE)] = partials[round(2000 * 8192 / RATE) :] = 0
    frames = chroma_filters(RATE, 8192, 12) @ partials
    turn = np.arange(frames.shape[1]) // 2 % 2
    if correlation(frames[:, turn == 0].mean(axis=1), frames[:, turn == 1].mean(axis=1)) < 0.8:
        return None
    return best_key(frames.mean(axis=1), 0.6)


# librosa's other ways, which always tell something


def librosa_tempo(
    signal: np.ndarray, hop: int = 512, lag: int = 1, max_size: int = 1, **options: Any
) -> float:
    from librosa.feature.rhythm import tempo
    from librosa.onset import onset_strength

    strength = onset_strength(y=signal, sr=RATE, hop_length=hop, lag=lag, max_size=max_size)
    return float(tempo(onset_envelope=strength, sr=RATE, hop_length=hop, **options)[0])


def uniform_tempo(signal: np.ndarray) -> float:
    from scipy.stats import uniform

    return librosa_tempo(signal, 256, prior=uniform(40, 140))


def tracked_tempo(signal: np.ndarray) -> float:
    from librosa.beat import beat_track
    from librosa.onset import onset_strength

    strength = onset_strength(y=signal, sr=RATE, hop_length=256)
    tempo, _ = beat_track(onset_envelope=strength, sr=RATE, hop_length=256, start_bpm=115)
    return float(np.atleast_1d(tempo)[0])


def librosa_key(signal: np.ndarray, method: str, **options: Any) -> str | None:
    from librosa.feature import spectral

    return best_key(
        getattr(spectral, f"chroma_{method}")(y=signal, sr=RATE, tuning=0.0, **options).mean(axis=1)
    )


TEMPO: dict[str, Callable[[np.ndarray], float | None]] = {
    "music_catalog.generator.audio.analysis": lambda signal: analysis.tempo_bpm(audio_of(signal)),
    "numpy and scipy": own_tempo,
    "tempo, defaults": librosa_tempo,
    "tempo, hop 256, start 115": lambda signal: librosa_tempo(signal, 256, start_bpm=115),
    "tempo, ac_size 4": lambda signal: librosa_tempo(signal, 256, start_bpm=115, ac_size=4.0),
    "tempo, ac_size 12": lambda signal: librosa_tempo(signal, 256, start_bpm=115, ac_size=12.0),
    "tempo, uniform prior": uniform_tempo,
    "tempo, maximum filter": lambda signal: librosa_tempo(signal, 256, 2, 3, start_bpm=115, std_bpm=0.7),
    "beat_track": tracked_tempo,
}
KEY: dict[str, Callable[[np.ndarray], str | None]] = {
    "music_catalog.generator.audio.analysis": lambda signal: analysis.musical_key(audio_of(signal)),
    "numpy and scipy": own_key,
    "chroma_stft": lambda signal: librosa_key(signal, "stft"),
    "chroma_stft, 8192": lambda signal: librosa_key(signal, "stft", n_fft=8192, hop_length=4096),
    "chroma_cqt": lambda signal: librosa_key(signal, "cqt", hop_length=2048),
    "chroma_cens": lambda signal: librosa_key(signal, "cens", hop_length=2048),
}


# How it is judged


def folded(tempo: float) -> float:
    """Return the tempo from 60 up that a slower one is as well called."""
    while tempo < 60:
        tempo *= 2
    return tempo


def tempo_grade(measured: float | None, true: float) -> str:
    """Right within 4 %; octave for a tempo that is double, triple, one and a half, or one of those less."""
    if measured is None:
        return "none"
    ratio = folded(measured) / folded(true)
    if abs(ratio - 1) < 0.04:
        return "right"
    return "octave" if any(abs(ratio / f - 1) < 0.04 for f in (2, 0.5, 3, 1 / 3, 1.5, 2 / 3)) else "wrong"


def key_grade(measured: str | None, true: str) -> str:
    """Right with tonic and nearer mode; near for a fifth off, the relative or the parallel key."""
    if measured is None:
        return "none"
    (one, dark), (other, wanted) = (
        (analysis.NAMES.index(name.split()[0]), name.split(maxsplit=1)[1] in DARK_MODES)
        for name in (measured, true)
    )
    apart = (one - other) % 12
    if dark == wanted:
        return "right" if apart == 0 else "near" if apart in (5, 7) else "wrong"
    return "near" if apart in (0, 9 if dark else 3) else "wrong"


COLD = """
import time
import numpy as np
from tests.benchmarks.generator import analysis
measure = getattr(analysis, {kind!r})[{name!r}]
signal = (np.random.default_rng(0).standard_normal(30 * 22050) * 0.1).astype(np.float32)
began = time.process_time()
measure(signal)
cold_s = time.process_time() - began
times = []
for _ in range(5):
    began = time.process_time()
    measure(signal)
    times.append(time.process_time() - began)
print(cold_s, 1000 * sorted(times)[2])
"""


def cost(kind: str, name: str) -> tuple[float, float]:
    """Return the processor time of the first call in a fresh process in s, and of later ones in ms, for 30 s."""
    code = COLD.format(kind=kind, name=name)
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
    )
    cold_s, warm_ms = map(float, done.stdout.split())
    return cold_s, warm_ms


def counts(grades: list[str], names: tuple[str, ...]) -> str:
    counted = Counter(grades)
    return "".join(f"{counted[name]:7}" for name in names)


def parity(signals: list[np.ndarray]) -> None:
    """Print in how many signals tempo or key differ from what librosa's onset strength, tempo and chroma give."""
    from tests.generator.audio.test_librosa_parity import reference_key, reference_tempo

    audios = [audio_of(signal) for signal in signals]
    tempos = sum(analysis.tempo_bpm(audio) != reference_tempo(audio) for audio in audios)
    keys = sum(analysis.musical_key(audio) != reference_key(audio) for audio in audios)
    print(f"of {len(audios)} signals {tempos} have another tempo by librosa, and {keys} another key")


def main() -> None:
    """Print a table for tempo and one for key; with --parity, how many of them librosa would give otherwise."""
    if "--parity" in sys.argv:
        return parity(
            [each[0] for source in (renders(), clicks(), cadences()) for each in source] + [*colours()]
        )
    music = [(signal.astype(np.float32), *truth) for signal, *truth in renders()]
    noises = [signal.astype(np.float32) for signal in colours()]
    ticks = [(signal.astype(np.float32), tempo) for signal, tempo in clicks()]
    chords = [(signal.astype(np.float32), key) for signal, key in cadences()]
    names = ("right", "octave", "wrong", "none")
    print(
        f"tempo of {len(music)} renders, {sum(drums for *_, drums in music)} with drums, {len(ticks)} click tracks"
    )
    print(
        f"{'':28}{'all':^28}{'with drums':^28}{'click tracks':^28}{'error':>8}{'told':>10}{'cold':>8}{'warm':>8}"
    )
    heads = "".join(f"{name:>7}" for name in names)
    print(f"{'':28}{heads * 3}{'median':>8}{'of ' + str(len(noises)):>10}{'s':>8}{'ms':>8}")
    for name, tempo in TEMPO.items():
        measured = [(tempo(signal), true, drums) for signal, true, _, drums in music]
        grades = [(tempo_grade(value, true), drums) for value, true, drums in measured]
        errors = [
            abs(folded(value) / folded(true) - 1)
            for value, true, _ in measured
            if value is not None and tempo_grade(value, true) == "right"
        ]
        line = counts([grade for grade, _ in grades], names)
        line += counts([grade for grade, drums in grades if drums], names)
        line += counts([tempo_grade(tempo(signal), true) for signal, true in ticks], names)
        false_alarms = sum(tempo(signal) is not None for signal in noises)
        cold_s, warm_ms = cost("TEMPO", name)
        print(
            f"{name:28}{line}{100 * np.median(errors):7.2f}%{false_alarms:10}{cold_s:8.2f}{warm_ms:8.0f}",
            flush=True,
        )
    names = ("right", "near", "wrong", "none")
    heads = "".join(f"{name:>7}" for name in names)
    print(f"\nkey of {len(music)} renders, {len(chords)} cadences")
    print(f"{'':28}{heads * 2}{'of ' + str(len(noises)):>10}{'cold s':>8}{'warm ms':>8}")
    for name, key in KEY.items():
        line = counts([key_grade(key(signal), true) for signal, _, true, _ in music], names)
        line += counts([key_grade(key(signal), true) for signal, true in chords], names)
        false_alarms = sum(key(signal) is not None for signal in noises)
        cold_s, warm_ms = cost("KEY", name)
        print(f"{name:28}{line}{false_alarms:10}{cold_s:8.2f}{warm_ms:8.0f}", flush=True)


if __name__ == "__main__":
    main()
