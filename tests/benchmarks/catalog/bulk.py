"""Texts read and embedded by workers of Ray, beside the same function in one process, in one run.

    python tests/benchmarks/catalog/bulk.py [--texts 400] [--workers 2] [--rounds 3]

A text is read as a request is: features, brief, vector. Each process has one thread. The two ways take turns on other
texts of the same length, with workers that have started and read some texts before; what starting them took is told
apart. Every way must give the same vectors for the same texts.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

import numpy as np
import reading_speed

from music_catalog import MusicService
from music_catalog.bulk.reading import read_calls
from music_catalog.bulk.workers import InProcess, Workers
from music_catalog.service.call import Call
from music_catalog.store.requests import STOCKING

WORDS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--texts", type=int, default=400, help="Texts of one round, for each way.")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    from music_catalog.integrations.ray import RayWorkers

    with tempfile.TemporaryDirectory() as home, MusicService.open(home) as service:
        began = time.perf_counter()
        on_ray, alone = RayWorkers("local", count=options.workers), InProcess()
        print(f"Ray started in {time.perf_counter() - began:.1f} s", flush=True)
        texts = reading_speed.texts_of(WORDS, 2 * options.rounds * options.texts)
        calls = [service.flow.begin(STOCKING, text, {}) for text in texts]
        began = time.perf_counter()
        same(service, on_ray, alone, texts[: WARM * options.workers])
        print(f"workers started and loaded in {time.perf_counter() - began:.1f} s", flush=True)
        ratios = []
        for _ in range(options.rounds):
            spent = {}
            for name, workers in (("one process", alone), (f"Ray, {options.workers} workers", on_ray)):
                own, calls = calls[: options.texts], calls[options.texts :]
                spent[name] = read(service, workers, own)
                each_ms = 1e3 * spent[name] / len(own)
                print(f"{name:16} {each_ms:6.1f} ms a text, load {os.getloadavg()[0]:.1f}", flush=True)
            first, second = spent.values()
            ratios.append(first / second)
        print(
            f"Ray is {statistics.median(ratios):.2f} times as fast ({', '.join(f'{x:.2f}' for x in ratios)})"
        )


WARM = 16
"""Texts that each worker reads before the clock starts."""


def read(service: MusicService, workers: Workers, calls: Sequence[Call]) -> float:
    """Read the texts of `calls`; return the seconds it took."""
    began = time.perf_counter()
    read_calls(workers, service.flow, calls)
    assert all(call.understood is not None for call in calls)
    return time.perf_counter() - began


def same(service: MusicService, one: Workers, other: Workers, texts: Sequence[str]) -> None:
    """Raise AssertionError unless both ways give the same vectors and styles."""
    got = []
    for workers in (one, other):
        calls = [service.flow.begin(STOCKING, text, {}) for text in texts]
        read_calls(workers, service.flow, calls)
        got.append([service.flow.understand(call) for call in calls])
    for (request, vector), (request_again, vector_again) in zip(*got, strict=True):
        assert request.style == request_again.style
        assert np.array_equal(vector, vector_again)


if __name__ == "__main__":
    main()
