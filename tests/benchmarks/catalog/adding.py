"""How fast music is added: decoded, measured, fingerprinted, read for its words and stored.

    python tests/benchmarks/catalog/adding.py [--pieces 16] [--minutes 3]

Pieces of as many styles are rendered and coded as MP3 at 44.1 kHz, and added to an empty catalog by a process for each
core. The rival is decoding alone, in one process: nothing can be added faster than that.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import soundfile as sf

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "generator"))
from timbre import render, styles

from music_catalog import MusicService
from music_catalog.generator.audio import resample


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pieces", type=int, default=16)
    parser.add_argument("--minutes", type=float, default=3.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        music = Path(folder) / "music"
        music.mkdir()
        chosen = styles()[:: max(1, len(styles()) // options.pieces)][: options.pieces]
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(write, [(*one, options.minutes * 60.0, str(music)) for one in chosen]))
        files = sorted(music.iterdir())
        seconds = len(files) * options.minutes * 60.0
        began = time.perf_counter()
        for path in files[:4]:
            sf.read(path, dtype="float32")
        decoding = (time.perf_counter() - began) / min(4, len(files))
        print(f"{len(files)} pieces of {options.minutes:g} minutes as MP3, {os.cpu_count()} cores")
        print(f"decoding alone: {options.minutes * 60.0 / decoding:.0f} x real time on one core")
        with MusicService.open(Path(folder) / "home") as service:
            service.warm()
            before = processor_s()
            began = time.perf_counter()
            batch = service.add(music, license="CC0-1.0")
            took = time.perf_counter() - began
            used = processor_s() - before
        print(batch)
        print(f"adding: {took:.1f} s, {seconds / took:.0f} x real time")
        each = used / len(files)
        print(f"processor time: {used:.1f} s, {each:.2f} s a piece, {seconds / used:.0f} x real time a core")


def write(task: tuple) -> None:
    name, synthesis, seconds, folder = task
    audio = resample(render(synthesis, seconds, 3), 44_100)
    sf.write(Path(folder) / f"{name}.mp3", audio.samples, audio.sample_rate, format="MP3")


def processor_s() -> float:
    """Return the processor seconds of this process and its children, whose end was waited for."""
    own, theirs = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + theirs.ru_utime + theirs.ru_stime


if __name__ == "__main__":
    main()
