"""What a decision, an insert and an exact repeat cost as a catalog grows to millions of tracks.

    python tests/benchmarks/catalog/many_tracks.py [--sizes 100000,1000000,3000000] [--calls 20] [--home FOLDER]

The rows are synthetic: whole rows of the present schema with checksums that hold, made from one template, 100,000 a
commit. Contexts are 384 numbers in 2,000 clusters; brief vectors are of 64 moods and styles, each with a part of its
own. All name one audio file. The table grows from one size to the next. At each size: the indexes are made, then

decision: facts, the tracks nearest by text and by music, the rule, without encoding; insert: one row, synced, beside
the same with the ids scanned, as below 500,000 rows; repeat: a request that was made before, by its key.

Without --home a temporary folder is used and deleted. It needs some 6 kB of disk a track, half as much again for
indexes, and prints what the table and this process took.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import reuse_speed
from builders import a_track
from reuse_speed import CLUSTERS, DIMENSION, ENCODER, LABELS, LIBRARY, ROLES, line, near, timed, unit

from music_catalog.brief.reader import load
from music_catalog.brief.vectors import MOOD, STYLES, kind, track_vector
from music_catalog.disk.maintenance import WORDS
from music_catalog.history.rejections import Rejections
from music_catalog.reuse import certificate, music_certificate
from music_catalog.reuse.decision import decide
from music_catalog.reuse.terms import Terms
from music_catalog.service.choice.found import search as search_tracks
from music_catalog.service.repeats import Repeats
from music_catalog.service.stages import Flow
from music_catalog.store import schema as schemas
from music_catalog.store.rewrite import insert_missing
from music_catalog.store.rows import recorded, to_track_row
from music_catalog.store.schema import track_schema
from music_catalog.store.store import Store

AT_ONCE = 100_000
KINDS = 64
DRAWN = slice(STYLES + MOOD, -1)
"""The part of a brief vector that is drawn from the id of its track."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="100000,1000000,3000000")
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    logging.disable(logging.WARNING)
    folder = options.home or Path(tempfile.mkdtemp())
    try:
        measure(folder, [*map(int, options.sizes.split(","))], options.calls)
    finally:
        if options.home is None:
            shutil.rmtree(folder, ignore_errors=True)


def measure(home: Path, sizes: list[int], calls: int) -> None:
    draw = np.random.default_rng(0)
    centres = unit(draw.normal(size=(CLUSTERS, DIMENSION)))
    store = Store.open(home, encoder=ENCODER.identity, dimension=DIMENSION)
    store.tracks.insert(first := one_track(store), centres[0])
    written = 0
    for size in sizes:
        began = time.perf_counter()
        for table in synthetic_rows(store, first, draw, centres, written, size):
            store.tracks.table.durable.commit("filling", lambda lance, t=table: lance.add(t), adds_only=True)
        filled_s, written, began = time.perf_counter() - began, size, time.perf_counter()
        index(store, size)
        indexed_s, load_ = time.perf_counter() - began, os.getloadavg()[0]
        print(
            f"{size:,} tracks: {filled_s:.0f} s to write, {indexed_s:.0f} s to index, load {load_:.1f}",
            flush=True,
        )
        answers(store, draw, centres, size, calls)


def one_track(store: Store) -> Any:
    path, sha256, size_bytes = store.audio.put(b"stands for audio")
    return a_track(
        encoder=ENCODER.identity, audio_path=path, audio_sha256=sha256, audio_bytes=size_bytes, id="first"
    )


def synthetic_rows(
    store: Store, first: Any, draw: np.random.Generator, centres: NDArray[np.float32], start: int, stop: int
) -> Iterator[Any]:
    """Yield tables of tracks number `start` to `stop`, each a row with a record and checksums of its own."""
    import pyarrow as pa

    model = load(ENCODER.identity)
    assert model is not None
    schema = track_schema(DIMENSION, ENCODER.identity)
    kinds = [one_kind(draw, number, model, first, centres) for number in range(KINDS)]
    for begin in range(start, stop, AT_ONCE):
        count = min(AT_ONCE, stop - begin)
        chosen = draw.integers(KINDS, size=count)
        vectors = draw.standard_normal((count, DIMENSION), dtype=np.float32)
        vectors *= np.float32(0.6 / np.sqrt(DIMENSION))
        vectors += centres[draw.integers(CLUSTERS, size=count)]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        own: dict[str, list[str]] = {
            name: [] for name in ("id", "key", "vector_sha256", "record", "row_sha256")
        }
        for number, which, vector in zip(range(begin, begin + count), chosen.tolist(), vectors, strict=True):
            digest = hashlib.sha256(vector.tobytes()).hexdigest()
            record = kinds[which]["record"].replace("@ID@", f"t{number:08}").replace("@VECTOR@", digest)
            row_sha256 = hashlib.sha256(record.encode()).hexdigest()
            values = (f"t{number:08}", f"key-t{number:08}", digest, record, row_sha256)
            for name, value in zip(own, values, strict=True):
                own[name].append(value)
        columns: dict[str, Any] = {name: pa.array(values) for name, values in own.items()}
        flat, of_vectors = pa.array(vectors.ravel()), schema.field("vector").type
        columns["vector"] = pa.FixedSizeListArray.from_arrays(flat, type=of_vectors)
        briefs = np.stack([one["row"]["brief"] for one in kinds])[chosen]
        turned = draw.standard_normal((count, briefs[:, DRAWN].shape[1]), dtype=np.float32)
        lengths = np.linalg.norm(briefs[:, DRAWN], axis=1) / np.linalg.norm(turned, axis=1)
        briefs[:, DRAWN] = turned * lengths[:, None]
        flat, of_briefs = pa.array(briefs.ravel()), schema.field("brief").type
        columns["brief"] = pa.FixedSizeListArray.from_arrays(flat, type=of_briefs)
        places = pa.array(chosen)
        for field in schema:
            if field.name not in columns:
                columns[field.name] = pa.array([one["row"][field.name] for one in kinds], field.type).take(
                    places
                )
        yield pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def one_kind(
    draw: np.random.Generator, number: int, model: Any, first: Any, centres: NDArray[np.float32]
) -> dict[str, Any]:
    """Return a row whose style, mood, role and length many have, and its record with places for id and vector."""
    style = str(draw.choice([row["fits"][0] for row in LABELS]))
    valence, energy = np.clip(draw.normal(scale=0.5, size=2), -1, 1).round(3).tolist()
    track = first.model_copy(
        update={
            "id": "0" * 9,
            "key": "key-@ID@",
            "style": style,
            "role": ROLES[number % len(ROLES)],
            "loopable": bool(draw.integers(2)),
            "duration_s": float(draw.integers(10, 100)),
            "valence": valence,
            "energy": energy,
        }
    )
    brief = track_vector(
        model,
        LIBRARY.styles[style],
        style,
        valence=valence,
        energy=energy,
        track_id=f"k{number}",
        encoder=ENCODER,
    )
    row = to_track_row(track, centres[0])
    row = recorded({**row, "id": "@ID@", "vector_sha256": "@VECTOR@"})
    return {"row": {**row, "brief_kind": kind(model), "brief": brief}, "record": row["record"]}


def index(store: Store, size: int) -> None:
    """Make the indexes anew that a table of this size has, but that of words, which no answer here needs."""
    table, maintenance = store.tracks.table.durable, store.care._maintenance
    with table.locked():
        for column, of_kind in schemas.index_for("tracks", size).items():
            if column == WORDS:
                continue
            for name in [each.name for each in table.table.list_indices() if each.columns == [column]]:
                table.commit_locked("indexes", lambda lance, n=name: lance.drop_index(n), adds_only=True)
            maintenance._index(table, column, of_kind)


def answers(
    store: Store, draw: np.random.Generator, centres: NDArray[np.float32], size: int, calls: int
) -> None:
    """Print what a decision, a repeat and an insert take."""
    numbers = [f"t{number:08}" for number in draw.integers(size, size=calls)]
    tracks = [store.tracks.get(number) for number in numbers]  # raises Damage for a row that is not whole
    queries = [near(draw, centres[number % CLUSTERS]) for number in range(calls)]
    asked = reuse_speed.wishes(draw, calls, store.home)
    flow = Flow(store, LIBRARY, ENCODER, lambda *_: None)  # type: ignore[arg-type]  # nothing is made here
    terms = Terms(
        certificate=certificate.standing(store.home, ENCODER.identity).certificate,
        music=music_certificate.standing(store.home, ENCODER.identity),
    )
    flow.music.fill_once()

    def decision(call: int) -> Any:
        rejections = Rejections(store, asked[call].key)
        found = search_tracks(store, flow.music, asked[call], queries[call], rejections, terms, None)
        facts = {"styles": LIBRARY.styles, "facts": found.facts, "considered": found.considered}
        return decide(asked[call], found.hits, terms, **facts)

    def repeat(call: int) -> Any:
        track = tracks[call]
        assert track is not None
        return Repeats(store, track.key, Rejections(store, track.key)).find(terms)

    decided, answered = timed(decision, calls)
    line("decision", decided, f"{sum(each.action == 'reuse' for each in answered)} of {calls} reuse a track")
    repeated, found = timed(repeat, calls)
    assert all(each.track.id == number for each, number in zip(found, numbers, strict=True))
    line("repeat", repeated, "")
    template, put = tracks[0], iter(range(10**6))
    assert template is not None

    def insert(call: int) -> None:
        name = f"n{size}-{next(put)}"
        store.tracks.insert(template.model_copy(update={"id": name, "key": name}), queries[call])

    with patch("music_catalog.disk.maintenance.EVERY_COMMITS", 10**6):
        inserted, _ = timed(insert, calls)
        line(
            "insert",
            inserted,
            "by the index of ids" if size >= schemas.ID_INDEX_ROWS else "the ids are scanned",
        )
        if size >= schemas.ID_INDEX_ROWS:
            with patch("music_catalog.store.track_table.insert_missing", by_scan):
                inserted, _ = timed(insert, calls)
            line("insert, the ids scanned", inserted, "")
    assert store.tracks.table.count(f"starts_with(id, 'n{size}-')") == next(put)
    used = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
    )
    print(
        f"  {store.tracks.table.durable.size_bytes() / 1e9:.1f} GB of table, {used:.1f} GB of memory at the most"
    )


def by_scan(lance: Any, rows: Any, schema: Any, *, alone: bool) -> int:
    del alone
    return insert_missing(lance, rows, schema, alone=False)


if __name__ == "__main__":
    main()
