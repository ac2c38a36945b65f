"""Fit the weight of meaning in a search by both, and print how well words, meaning and both find the right text.

    python tests/benchmarks/catalog/words_and_meaning.py --eval-dir PATH [--rows 1000] [--queries 300]

The folder holds musiccaps (query: the list of aspects, wanted: the caption written from it, so words are flattered) and
stsb (query: a sentence, wanted: another one scored 4 or more of 5, so meaning is flattered: the model was trained on
its like). Of each, one part of the queries fits the weight: the one with the best mean R@1 over both sets. The other
part, which had no say, is what is printed: the share of queries whose text comes first, and among the first five, for
words alone, meaning alone, reciprocal rank fusion, and the blend of `search_hybrid` by the fitted weight and others.
"""

from __future__ import annotations

import argparse
import ast
import csv
import random
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from builders import a_track

from music_catalog.disk.reading import to_arrow
from music_catalog.models import Filter
from music_catalog.store.rows import to_track_row
from music_catalog.store.schema import track_schema
from music_catalog.store.store import Store
from music_catalog.store.tracks import MEANING_WEIGHT, blend
from music_catalog.text import encoder as encoders

Pair = tuple[str, str]


class Answer(NamedTuple):
    """A query's wanted text, and the scores by words, by meaning, and the cosines of all found either way."""

    wanted: str
    words: Mapping[str, float]
    meaning: Mapping[str, float]
    cosines: Mapping[str, float]


GRID = tuple(round(0.05 * step, 2) for step in range(21))
SHOWN = (0.3, 0.5, 0.7)
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
    sets = {"musiccaps": musiccaps(options.eval_dir), "stsb": stsb(options.eval_dir)}
    answered: dict[str, list[Answer]] = {}
    for name, pairs in sets.items():
        random.Random(0).shuffle(pairs)
        answered[name] = look_up(pairs[: options.rows], 2 * options.queries)
    fitting = {name: answers[: options.queries] for name, answers in answered.items()}
    held_out = {name: answers[options.queries :] for name, answers in answered.items()}
    shares = {weight: sum(first(some, weight) for some in fitting.values()) / 2 for weight in GRID}
    fitted = max(GRID, key=lambda weight: (shares[weight], -abs(weight - 0.5)))
    print(
        f"fitted on {options.queries} queries of each set: meaning weighs {fitted} (shipped {MEANING_WEIGHT})"
    )
    print("mean R@1 there: " + ", ".join(f"{weight}: {share:.3f}" for weight, share in shares.items()))
    for name, answers in held_out.items():
        print(
            f"\n{name}: {options.rows:,} texts, {len(answers)} queries kept apart".ljust(49) + "R@1     R@5"
        )
        for way, scored in ways(fitted).items():
            ranks = np.array([rank_of(scored(one), one.wanted) for one in answers])
            print(f"  {way:<44}{np.mean(ranks == 0):.3f}   {np.mean(ranks < 5):.3f}")


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


def look_up(pairs: Sequence[Pair], queries: int) -> list[Answer]:
    reader = encoders.load()
    with tempfile.TemporaryDirectory() as folder:
        store = fill(Store.open(folder, encoder=reader.identity, dimension=reader.dimension), reader, pairs)
        texts = [query for query, _ in pairs[:queries]]
        vectors = np.concatenate([reader.encode(texts[at : at + 64]) for at in range(0, len(texts), 64)])
        return [
            ask(store, query, vector, f"t{number}")
            for number, (query, vector) in enumerate(zip(texts, vectors, strict=True))
        ]


def ask(store: Store, query: str, vector: np.ndarray, wanted: str) -> Answer:
    words = {track.id: score for track, score in store.tracks.search_words(query, Filter(), POOL)}
    meaning = {track.id: score for track, score in store.tracks.search(vector, Filter(), POOL)}
    others = store.tracks.table.vectors_of([each for each in words if each not in meaning])
    cosines = meaning | {each: float(other @ vector) for each, other in others.items()}
    return Answer(wanted, words, meaning, cosines)


def first(answers: Sequence[Answer], weight: float) -> float:
    """Return R@1 of the blend by `weight`."""
    ranks = [rank_of(blend(one.cosines, one.words, weight), one.wanted) for one in answers]
    return sum(rank == 0 for rank in ranks) / len(ranks)


def rank_of(scores: Mapping[str, float], wanted: str) -> int:
    best = sorted(scores, key=lambda each: (-scores[each], each))
    return best.index(wanted) if wanted in best else 10**6


def fill(store: Store, reader: encoders.Encoder, pairs: Sequence[Pair]) -> Store:
    now = datetime.now(timezone.utc)
    vectors = np.concatenate(
        [reader.encode([text for _, text in pairs[start : start + 64]]) for start in range(0, len(pairs), 64)]
    )
    path, sha256, size = store.audio.put(b"stands for audio")
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
    store.tracks.insert(tracks[0], vectors[0])
    rows = [to_track_row(track, vector) for track, vector in zip(tracks[1:], vectors[1:], strict=True)]
    schema = track_schema(reader.dimension, reader.identity)
    store.tracks.table.durable.commit("filling", lambda table: table.add(to_arrow(rows, schema)))
    store.care.compact()
    return store


def ways(fitted: float) -> dict[str, Callable[[Answer], Mapping[str, float]]]:
    names = {fitted: " (fitted)", MEANING_WEIGHT: " (shipped)"}
    if fitted == MEANING_WEIGHT:
        names = {fitted: " (fitted, shipped)"}
    found: dict[str, Callable[[Answer], Mapping[str, float]]] = {
        "words (BM25)": lambda one: one.words,
        "meaning (cosine)": lambda one: one.meaning,
        "reciprocal rank fusion": lambda one: fused(one.words, one.meaning),
    }
    for weight in sorted({*SHOWN, *names}):
        found[f"both, meaning weighs {weight}{names.get(weight, '')}"] = lambda one, weight=weight: blend(
            one.cosines, one.words, weight
        )
    return found


def fused(*rankings: Mapping[str, float]) -> dict[str, float]:
    scores: dict[str, float] = {}
    for ranking in rankings:
        for place, each in enumerate(sorted(ranking, key=lambda each: -ranking[each])):
            scores[each] = scores.get(each, 0.0) + 1.0 / (FUSION_CONSTANT + place + 1)
    return scores


if __name__ == "__main__":
    main()
