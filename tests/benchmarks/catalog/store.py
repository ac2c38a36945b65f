"""What the store costs beside a plain numpy scan of the same vectors, in one run.

    python tests/benchmarks/catalog/store.py [--rows 2000] [--calls 40] [--words 12] [--seed 0]

Fills a temporary home with `rows` synthetic tracks (384 numbers per vector, 200 clusters; texts of 60 words out of
`words`, by Zipf's law), then prints the median and the 95th percentile in milliseconds of opening, the exact repeat,
searches with and without a filter and either with `--license commercial`, words, both together, lists and durable
inserts, and of reading the index of the words, which the first search for words of a process checks so, each with its
ratio to the numpy scan (dot products and a partial sort), and what importing lancedb costs once per process. A
comparison holds inside one run only.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from builders import a_track

from music_catalog.disk.damage.indexes import FOLDER
from music_catalog.disk.files import sha256_of
from music_catalog.disk.maintenance import WORDS as WORDS_COLUMN
from music_catalog.disk.reading import to_arrow
from music_catalog.models import Filter, Track
from music_catalog.store.rows import to_track_row
from music_catalog.store.schema import track_schema
from music_catalog.store.store import Store

DIMENSION, ENCODER, CLUSTERS = 384, "synthetic@1/384", 200
STYLES = ("ambient_lofi", "cinematic", "jazz_noir", "folk", "drone")
WORDS = (
    "rain",
    "night",
    "city",
    "forest",
    "waves",
    "fire",
    "storm",
    "snow",
    "desert",
    "tavern",
    "calm",
    "tense",
)
LICENSES = ("none", "CC-BY-NC-4.0", "MIT", "CC-BY-4.0", "CC0-1.0", "unknown")
CHUNK_ROWS = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--words", type=int, default=len(WORDS))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        vectors = clusters(draw, options.rows)
        began = time.perf_counter()
        store = fill(folder, draw, vectors, options.words)
        took_s, size = time.perf_counter() - began, store.care.stats()["table_bytes"]
        print(f"{options.rows:,} rows written in {took_s:.1f} s; {size:,} bytes")
        measure(folder, store, draw, vectors, options.calls)
    print(f"\nimport lancedb, once per process: {import_s():.2f} s")
    unit = 1 if sys.platform == "darwin" else 1024
    print(
        f"largest memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6:.0f} MB"
    )


def clusters(draw: np.random.Generator, rows: int) -> NDArray[np.float32]:
    centres = draw.normal(size=(CLUSTERS, DIMENSION))
    vectors = centres[draw.integers(0, CLUSTERS, rows)] + 0.7 * draw.normal(size=(rows, DIMENSION))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def fill(folder: str, draw: np.random.Generator, vectors: NDArray[np.float32], words: int) -> Store:
    store = Store.open(folder, encoder=ENCODER, dimension=DIMENSION)
    path, sha256, size = store.audio.put(b"stands for audio")
    vocabulary = np.array([*WORDS, *(f"word{number}" for number in range(words - len(WORDS)))])
    chances = 1 / np.arange(1, len(vocabulary) + 1)
    texts = draw.choice(vocabulary, p=chances / chances.sum(), size=(len(vectors), 60))
    tracks = [
        a_synthetic(draw, number, path, sha256, size).model_copy(update={"context": " ".join(text)})
        for number, text in enumerate(texts)
    ]
    store.tracks.insert(tracks[0], vectors[0])
    schema = track_schema(DIMENSION, ENCODER)
    for start in range(1, len(tracks), CHUNK_ROWS):
        chunk = zip(tracks[start : start + CHUNK_ROWS], vectors[start : start + CHUNK_ROWS], strict=True)
        data = to_arrow([to_track_row(track, vector) for track, vector in chunk], schema)
        store.tracks.table.durable.commit("filling", lambda table, data=data: table.add(data))
    store.care.compact()
    return store


def a_synthetic(draw: np.random.Generator, number: int, path: str, sha256: str, size: int) -> Track:
    return a_track(
        id=f"t{number}",
        key=f"key-{number}",
        created_at=datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=number),
        summary=" ".join(draw.choice(WORDS, size=6)),
        mood_tags=tuple(draw.choice(["calm", "dark", "warm", "tense"], size=2, replace=False)),
        style=str(draw.choice(STYLES)),
        role=str(draw.choice(["background_bed", "intro_sting"])),
        duration_s=float(draw.integers(5, 120)),
        encoder=ENCODER,
        audio_path=path,
        audio_sha256=sha256,
        audio_bytes=size,
        weights_license=str(draw.choice(LICENSES)),
    )


def measure(
    folder: str, store: Store, draw: np.random.Generator, vectors: NDArray[np.float32], calls: int
) -> None:
    queries = clusters(draw, calls)
    narrow = Filter(style="folk", role="background_bed", mood=("calm",), min_duration_s=20.0)
    licensed, narrow_licensed = (
        Filter(license="commercial"),
        narrow.model_copy(update={"license": "commercial"}),
    )
    existing = store.tracks.list(limit=1)[0]

    def insert(call: int) -> None:
        store.tracks.insert(
            existing.model_copy(update={"id": f"new{call}", "key": f"new-key-{call}"}), queries[call]
        )

    def numpy_scan(call: int) -> None:
        scores = vectors @ queries[call]
        np.argpartition(-scores, min(20, len(scores) - 1))

    durable = store.tracks.table.durable
    (index,) = [index for index in durable.table.list_indices() if index.columns == [WORDS_COLUMN]]
    files = [path for path in (durable.folder / FOLDER / index.index_uuid).rglob("*") if path.is_file()]
    print(f"index of the words: {sum(path.stat().st_size for path in files):,} bytes in {len(files)} files")
    work: dict[str, Callable[[int], object]] = {
        "numpy scan, best 20": numpy_scan,
        "search, best 20": lambda call: store.tracks.search(queries[call]),
        "search, filtered": lambda call: store.tracks.search(queries[call], narrow),
        "search, commercial": lambda call: store.tracks.search(queries[call], licensed),
        "filtered, commercial": lambda call: store.tracks.search(queries[call], narrow_licensed),
        "index of words, read": lambda call: [sha256_of(path) for path in files],
        "the same, known": lambda call: durable.indexes.altered(index.index_uuid),
        "search_words": lambda call: store.tracks.search_words("rain city"),
        "search_hybrid": lambda call: store.tracks.search_hybrid("rain city", queries[call]),
        "made_for": lambda call: next(store.tracks.made_for(f"key-{call}")),
        "get": lambda call: store.tracks.get(f"t{call}"),
        "count, filtered": lambda call: store.tracks.count(narrow),
        "count, commercial": lambda call: store.tracks.count(licensed),
        "list, newest 20": lambda call: store.tracks.list(limit=20),
        "open and made_for": lambda call: next(
            Store.open(folder, encoder=ENCODER).tracks.made_for(f"key-{call}")
        ),
        "insert, durable": insert,
    }
    print(f"\n{'':<22}{'p50 ms':>9}{'p95 ms':>9}{'x numpy':>9}")
    base = None
    for name, call in work.items():
        times = timed(call, calls)
        middle = statistics.median(times)
        base = base or middle
        print(f"{name:<22}{middle:>9.2f}{np.percentile(times, 95):>9.2f}{middle / base:>9.1f}")


def timed(call: Callable[[int], object], calls: int) -> list[float]:
    call(0)
    times = []
    for number in range(calls):
        began = time.perf_counter()
        call(number)
        times.append(1000 * (time.perf_counter() - began))
    return times


def import_s() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import lancedb"], check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
