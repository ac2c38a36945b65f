"""What the log costs at many lines: statistics, suggestions, search, rejections, plays and one more line.

    python tests/benchmarks/catalog/feedback.py [--lines 10000] [--tracks 1000] [--calls 15] [--eval-dir FOLDER]

Fills a temporary home with synthetic lines (384 numbers per vector, 200 clusters, half of them exact repeats without a
vector) and prints the median and the 95th percentile in milliseconds of each call, the first of them beside the plain
way: every line read as a value and counted in Python. With `--eval-dir` the share of STS-B pairs (stsb/stsb-en-dev.csv)
that the rule of near rejections takes for near is printed, with all-MiniLM-L6-v2. Compare inside one run only.
"""

from __future__ import annotations

import argparse
import csv
import statistics as figures
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from homes import a_judgement, a_record
from store import DIMENSION, ENCODER, STYLES, WORDS, clusters, fill, timed

from music_catalog.disk.reading import to_arrow
from music_catalog.history.rejections import NEAR, Rejections
from music_catalog.history.statistics import statistics
from music_catalog.history.suggestions import served_tracks
from music_catalog.store.rows import to_judgement_row, to_request_row
from music_catalog.store.schema import judgement_schema, request_schema
from music_catalog.store.store import Store

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
CHUNK_ROWS, REJECTIONS, LISTENERS = 5_000, 500, 20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--tracks", type=int, default=1_000)
    parser.add_argument("--calls", type=int, default=15)
    parser.add_argument("--eval-dir", type=Path)
    options = parser.parse_args()
    draw = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        store = fill(folder, draw, clusters(draw, options.tracks))
        vectors = clusters(draw, options.lines)
        fill_logs(store, draw, vectors, options.tracks)
        print(f"{options.lines:,} lines, {options.tracks:,} tracks, {REJECTIONS} rejections")
        measure(store, clusters(draw, options.calls + 1), options.calls)
    if options.eval_dir:
        near_pairs(options.eval_dir)


def fill_logs(store: Store, draw: np.random.Generator, vectors: NDArray[np.float32], tracks: int) -> None:
    lines = []
    for number, vector in enumerate(vectors):
        repeat = bool(number % 2)
        line = a_record(
            f"r{number}",
            key=f"key-{number - repeat}",
            created_at=NOW + timedelta(seconds=number),
            query=" ".join(draw.choice(WORDS, size=6)),
            summary=" ".join(draw.choice(WORDS, size=12)),
            style=str(draw.choice(STYLES)),
            rule="exact" if repeat else "similar",
            track_id=f"t{draw.integers(tracks)}",
            listener=f"listener-{draw.integers(LISTENERS)}",
        )
        lines.append(to_request_row(line, None if repeat else vector, ENCODER))
    bulk(store.requests.table, lines, request_schema(DIMENSION))
    judgements = [
        to_judgement_row(
            a_judgement(
                f"j{number}",
                verdict="rejected",
                rating=None,
                key=f"key-{2 * number}",
                track_id=f"t{draw.integers(tracks)}",
            ),
            vectors[2 * number],
            ENCODER,
        )
        for number in range(REJECTIONS)
    ]
    bulk(store.judgements.table, judgements, judgement_schema(DIMENSION))
    store.care.compact()


def bulk(log: object, rows: list[dict], schema: object) -> None:
    log.durable.create(schema)
    for start in range(0, len(rows), CHUNK_ROWS):
        data = to_arrow(rows[start : start + CHUNK_ROWS], schema)
        log.durable.commit("filling", lambda table, data=data: table.add(data, on_bad_vectors="null"))


def measure(store: Store, queries: NDArray[np.float32], calls: int) -> None:
    def counted_plainly(_: int) -> object:
        lines = store.requests.list()
        cost = {track.id: track.generation_s for track in store.tracks.list(limit=None)}
        saved = sum(cost.get(line.track_id or "", 0.0) for line in lines if line.action == "reused")
        return Counter((line.action, line.rule, line.style, line.role) for line in lines), saved

    work: dict[str, Callable[[int], object]] = {
        "every line read and counted": counted_plainly,
        "statistics": lambda call: statistics(store),
        "suggestions, outcomes": lambda call: served_tracks(store, queries[call]),
        "history, newest 50": lambda call: store.requests.list(limit=50),
        "history, by meaning": lambda call: store.requests.search(queries[call], 50),
        "history, by words": lambda call: store.requests.search_words("rain city", 50),
        "rejected, by key": lambda call: Rejections(store, f"key-{call}").own,
        "rejected, near too": lambda call: Rejections(store, f"key-{call}").near(queries[call]),
        "plays of a listener": lambda call: store.requests.plays(f"listener-{call % LISTENERS}", NOW),
        "one more line": lambda call: store.requests.append(a_record(f"new{call}"), queries[call]),
    }
    print(f"\n{'':<30}{'p50 ms':>9}{'p95 ms':>9}")
    for name, call in work.items():
        times = timed(call, 3 if name.startswith("every") else calls)
        print(f"{name:<30}{figures.median(times):>9.1f}{np.percentile(times, 95):>9.1f}")


def near_pairs(folder: Path) -> None:
    from music_catalog.text.encoder import load

    with (folder / "stsb/stsb-en-dev.csv").open(encoding="utf-8", newline="") as file:
        pairs = [(one, two, float(score)) for one, two, score in csv.reader(file)]
    encoder = load()
    first, second = (encoder.encode([pair[side] for pair in pairs]) for side in (0, 1))
    cosines = np.sum(first * second, axis=1)
    print(f"\nSTS-B pairs with a cosine of {NEAR} or more")
    for low, high, name in (
        (4.5, 5.0, "the same (4.5 to 5)"),
        (3.0, 4.0, "alike (3 to 4)"),
        (0.0, 1.5, "unrelated (0 to 1.5)"),
    ):
        chosen = np.array([low <= score <= high for *_, score in pairs])
        print(f"{name:<24}{np.mean(cosines[chosen] >= NEAR):>7.0%} of {chosen.sum()}")


if __name__ == "__main__":
    main()
