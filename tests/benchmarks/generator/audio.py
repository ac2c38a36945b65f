"""Cost of each step after generation for a 30 s stereo clip, and of a fresh process that measures one.

Run from the repository root: python -m tests.benchmarks.generator.audio
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from music_catalog.generator import audio
from music_catalog.generator.audio import analysis
from music_catalog.generator.protocol import Audio

RATE = 32_000
DURATION_S = 30.0
REPEATS = 5

COLD = """
import time
began, worked = time.perf_counter(), time.process_time()
{}
print(time.perf_counter() - began, time.process_time() - worked)
"""
STEPS = {
    "import scipy.signal (needed by loudness)": "import scipy.signal",
    "loudness of 30 s": "from music_catalog.generator import audio; audio.loudness_lufs(clip)",
    "loudness, tempo and key of 30 s": (
        "from music_catalog.generator import audio; from music_catalog.generator.audio import analysis\n"
        "audio.loudness_lufs(clip); analysis.tempo_bpm(clip); analysis.musical_key(clip)"
    ),
}


def music() -> Audio:
    """Return chords over a beat at 100 bpm, with noise: something that every step has work with."""
    t = np.arange(round(DURATION_S * RATE)) / RATE
    beat = np.exp(-20 * (t % 0.6)) * np.sin(2 * np.pi * 60 * t)
    chords = sum(np.sin(2 * np.pi * hertz * t) for hertz in (220.0, 261.6, 329.6))
    noise = np.random.default_rng(0).standard_normal((2, len(t)))
    return Audio((0.5 * beat + 0.05 * chords + 0.02 * noise).T.astype(np.float32), RATE)


def median_s(step: Callable[[], object]) -> float:
    """Return the median time of `step` once it is warm."""
    step()
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def cold_s(code: str) -> tuple[float, float]:
    """Return wall and processor time that `code` takes in a fresh process, numpy and a clip at hand."""
    setup = (
        "import numpy as np\nfrom music_catalog.generator.protocol import Audio\n"
        f"clip = Audio(np.random.default_rng(0).standard_normal(({round(DURATION_S * RATE)}, 2))"
        f".astype(np.float32) * 0.1, {RATE})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", setup + COLD.format(code)], check=True, capture_output=True, text=True
    )
    wall_s, processor_s = map(float, done.stdout.split())
    return wall_s, processor_s


def main() -> None:
    """Print both tables."""
    clip = music()
    loudness = audio.loudness_lufs(clip) or 0.0
    wav, ogg = audio.encode(clip), audio.encode(clip, "ogg")
    steps: dict[str, Callable[[], object]] = {
        "fit_duration (crop)": lambda: audio.fit_duration(clip, 29.0, "crop"),
        "fade": lambda: audio.fade(clip, 1.0, 2.0),
        "loudness_lufs": lambda: audio.loudness_lufs(clip),
        "true_peak_db": lambda: audio.true_peak_db(clip),
        "normalize_loudness, gain only": lambda: audio.normalize_loudness(clip, loudness - 6),
        "normalize_loudness, limited": lambda: audio.normalize_loudness(clip, loudness + 12),
        "tempo_bpm": lambda: analysis.tempo_bpm(clip),
        "musical_key": lambda: analysis.musical_key(clip),
        "peaks (800 bins)": lambda: analysis.peaks(clip, 800),
        "resample to 44.1 kHz": lambda: audio.resample(clip, 44_100),
        "encode wav": lambda: audio.encode(clip),
        "encode flac": lambda: audio.encode(clip, "flac"),
        "encode ogg": lambda: audio.encode(clip, "ogg"),
        "read wav": lambda: audio.read(wav),
        "read ogg": lambda: audio.read(ogg),
    }
    print(f"{'warm, 30 s stereo at 32 kHz':44}{'ms':>9}{'x real time':>14}")
    for name, step in steps.items():
        took_s = median_s(step)
        print(f"{name:44}{1000 * took_s:9.1f}{DURATION_S / took_s:14.0f}")
    print(f"\n{'fresh process, second of two runs':44}{'wall s':>9}{'processor s':>14}")
    for name, code in STEPS.items():
        cold_s(code)
        wall_s, processor_s = cold_s(code)
        print(f"{name:44}{wall_s:9.2f}{processor_s:14.2f}")


if __name__ == "__main__":
    main()
