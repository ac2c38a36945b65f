"""How well words, meaning and both together find the right track, on public texts.

    python tests/benchmarks/words_and_meaning.py --eval-dir PATH [--rows 1000] [--queries 300]

The folder holds musiccaps (query: the list of aspects, wanted: the caption written from it, so words are flattered) and
stsb (query: a sentence, wanted: another one scored 4 or more of 5, so meaning is flattered: the model was trained on
its like). Printed for each: the share of queries whose text comes first, and among the first ten, for words alone,
meaning alone, reciprocal rank fusion, and the blend of `search_hybrid` by the weight of meaning.
"""

from __future__ import annotations

import argparse
import ast
import csv
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from builders import a_track

from catalog import encoder as encoders
from catalog.models import Filter
from catalog.ranking import MEANING_WEIGHT, blend
from catalog.schema import to_track_row, track_schema
from catalog.store import Store
from catalog.tracks import to_arrow

Pair = tuple[str, str]
WEIGHTS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
FUSION_CONSTANT = 60
"""Of reciprocal rank fusion (Cormack, Clarke and Buettcher 2009)."""
POOL = 50


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--eval-dir", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--queries", type=int, default=300)
    options = parser.parse_args()
    for name, pairs in (("musiccaps", musiccaps(options.eval_dir)), ("stsb", stsb(options.eval_dir))):
        random.Random(0).shuffle(pairs)
        report(name, pairs[: options.rows], options.queries)


def musiccaps(folder: Path) -> list[Pair]:
    with (folder / "musiccaps" / "musiccaps-public.csv").open(encoding="utf-8", newline="") as file:
        return [
            (", ".join(ast.literal_eval(row["aspect_list"])), row["caption"]) for row in csv.DictReader(file)
        ]


def stsb(folder: Path) -> list[Pair]:
    with (folder / "stsb" / "stsb-en-train.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if len(row) == 3]
    pairs = {wanted: query for query, wanted, score in rows if float(score) >= 4 and query != wanted}
    return [(query, wanted) for wanted, query in pairs.items()]


def report(name: str, pairs: Sequence[Pair], queries: int) -> None:
    reader = encoders.load()
    with tempfile.TemporaryDirectory() as folder:
        store = fill(Store.open(folder, encoder=reader.identity, dimension=reader.dimension), reader, pairs)
        asked = pairs[:queries]
        vectors = reader.encode([query for query, _ in asked])
        ranks: dict[str, list[int]] = {}
        for number, ((query, _), vector) in enumerate(zip(asked, vectors, strict=True)):
            for way, scores in ways(store, query, vector).items():
                best = sorted(scores, key=lambda each: (-scores[each], each))
                wanted = f"t{number}"
                ranks.setdefault(way, []).append(best.index(wanted) if wanted in best else 10**6)
    print(f"\n{name}: {len(pairs):,} texts, {len(asked)} queries" + " " * 12 + "first   in ten")
    for way, found in ranks.items():
        places = np.array(found)
        print(f"  {way:<44}{np.mean(places == 0):.3f}   {np.mean(places < 10):.3f}")


def fill(store: Store, reader: encoders.Encoder, pairs: Sequence[Pair]) -> Store:
    now = datetime.now(timezone.utc)
    vectors = np.concatenate(
        [reader.encode([text for _, text in pairs[start : start + 64]]) for start in range(0, len(pairs), 64)]
    )
    path, sha256, size = store.put_audio(b"stands for audio")
    same = {"audio_path": path, "audio_sha256": sha256, "audio_bytes": size, "encoder": reader.identity}
    tracks = [
        a_track(
            id=f"t{number}",
            created_at=now,
            context=text,
            summary="",
            prompt="",
            mood_tags=(),
            style="",
            **same,
        )
        for number, (_, text) in enumerate(pairs)
    ]
    store.insert(tracks[0], vectors[0])
    rows = [to_track_row(track, vector) for track, vector in zip(tracks[1:], vectors[1:], strict=True)]
    schema = track_schema(reader.dimension, reader.identity)
    store._tracks.durable.commit("filling", lambda table: table.add(to_arrow(rows, schema)))
    store.compact()
    return store


def ways(store: Store, query: str, vector: np.ndarray) -> Mapping[str, Mapping[str, float]]:
    words = {track.id: score for track, score in store.search_words(query, Filter(), POOL)}
    meaning = {track.id: score for track, score in store.search(vector, Filter(), POOL)}
    both = store._tracks.vectors_of([each for each in words if each not in meaning])
    cosines = meaning | {each: float(other @ vector) for each, other in both.items()}
    blended = {
        f"blend, meaning weighs {weight}" + (" (shipped)" if weight == MEANING_WEIGHT else ""): blend(
            cosines, words, weight
        )
        for weight in WEIGHTS
    }
    return {
        "words (BM25)": words,
        "meaning (cosine)": meaning,
        "reciprocal rank fusion": fused(words, meaning),
        **blended,
    }


def fused(*rankings: Mapping[str, float]) -> dict[str, float]:
    scores: dict[str, float] = {}
    for ranking in rankings:
        for place, each in enumerate(sorted(ranking, key=lambda each: -ranking[each])):
            scores[each] = scores.get(each, 0.0) + 1.0 / (FUSION_CONSTANT + place + 1)
    return scores


if __name__ == "__main__":
    main()
