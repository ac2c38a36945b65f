"""MusicGen's thread under a caller who changes threads, cancels, and asks for fifty durations; its memory is watched.

A small random checkpoint is made with transformers, so the times are of the line and the loop, not of a real model.

    python tests/benchmarks/generator/streaming.py
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlx.core as mx
import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2]))

from tiny_musicgen import write_checkpoint

from music_catalog.generator import Cancelled, MusicgenAdapter
from music_catalog.generator.thread.calls import on_thread
from music_catalog.generator.thread.line import LINE
from music_catalog.generator.thread.streams import joined

PROMPT, DURATIONS = "calm piano with rain", 50


def elsewhere(call):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_checkpoint(Path(folder) / "tiny")
        adapter = MusicgenAdapter.from_pretrained(Path(folder) / "tiny")
        changing_threads(adapter)
        cancelling(adapter)
        together(adapter)
        durations(adapter)


def changing_threads(adapter: MusicgenAdapter) -> None:
    config = {"duration_s": 10.0, "seed": 1}
    whole = adapter.generate_music(PROMPT, config)
    began = time.perf_counter()
    stream = adapter.stream_music(PROMPT, config)
    parts = [elsewhere(lambda: next(stream))]
    first_s = time.perf_counter() - began
    while (part := elsewhere(lambda: next(stream, None))) is not None:
        parts.append(part)
    took_s = time.perf_counter() - began
    same = np.array_equal(joined(parts).samples, whole.samples)
    print(f"stream: {len(parts)} parts, each next() on a new thread; equals the whole: {same}")
    print(f"stream: first part after {first_s * 1000:.0f} ms, all after {took_s * 1000:.0f} ms")


def cancelling(adapter: MusicgenAdapter) -> None:
    def stop(done: int, total: int) -> None:
        if done >= 100:
            stopped.append(time.perf_counter())
            raise Cancelled("enough")

    stopped: list[float] = []
    try:
        adapter.generate_music(PROMPT, {"duration_s": 30.0, "seed": 1}, on_progress=stop)
    except Cancelled:
        print(f"cancel: {(time.perf_counter() - stopped[-1]) * 1000:.1f} ms from the callback to the caller")
    stream = adapter.stream_music(PROMPT, {"duration_s": 30.0, "seed": 1})
    next(stream)
    began = time.perf_counter()
    del stream
    on_thread(lambda _: None)
    print(f"abandoned: the thread is free after {(time.perf_counter() - began) * 1000:.0f} ms")
    assert LINE.works() == []


def together(adapter: MusicgenAdapter) -> None:
    configs = [{"duration_s": 4.0, "seed": seed} for seed in range(8)]
    adapter.generate_batch([PROMPT] * 8, configs)  # loops for that many rows are compiled once
    began = time.perf_counter()
    alone = [adapter.generate_music(PROMPT, config) for config in configs]
    alone_s, began = time.perf_counter() - began, time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        made = [*pool.map(lambda config: adapter.generate_music(PROMPT, config), configs)]
    together_s = time.perf_counter() - began
    same = all(np.array_equal(one.codes, other.codes) for one, other in zip(made, alone, strict=True))
    print(f"eight callers: one by one {alone_s:.2f} s, together {together_s:.2f} s; same codes: {same}")


def durations(adapter: MusicgenAdapter) -> None:
    """Make music of ever new durations: nothing may be kept of any."""
    held, peaks = [], []
    for number in range(DURATIONS):
        adapter.generate_music(PROMPT, {"duration_s": 1.0 + 0.1 * number, "seed": number})
        held.append(mx.get_active_memory())
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(
        f"{DURATIONS} durations: MLX holds {held[9] / 1e6:.2f} MB after ten, {held[-1] / 1e6:.2f} MB after all, "
        f"{mx.get_cache_memory() / 1e6:.2f} MB free; peak of the process {peaks[9]:.0f} and {peaks[-1]:.0f} MB"
    )


if __name__ == "__main__":
    main()
