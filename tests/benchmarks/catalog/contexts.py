"""Find-or-make over 200 real contexts, then what a reuse decision must get right: repeats, paraphrases, opposites.

    python tests/benchmarks/catalog/contexts.py --eval-dir PATH [--contexts 200] [--pairs 100] [--seconds 1]

The folder holds public data sets: xquad_en, nq_oracle, light_rooms, fairytaleqa, emobank, stsb, mood_swaps. Printed
are, in one run: how many contexts got a track, how many of them another context's (with the one-sided 95 % bound of
Clopper and Pearson), how many the second pass reused; of reworded contexts, how many reuse the track of what they
reword and how many another one; the share of paraphrases that reuse against the share of mood-swapped and of unrelated
texts that do, what a plain cosine threshold with the same paraphrase rate would have let through, and the number of
hard facts broken.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from music_catalog import MusicService
from music_catalog.history.statistics import upper_bound
from music_catalog.models import Result
from music_catalog.reuse.decision import like
from music_catalog.reuse.facts import hard_facts
from music_catalog.search.filters import QUALITY_RANK

Pair = tuple[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--eval-dir", type=Path, required=True)
    parser.add_argument("--contexts", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--no-pairs", action="store_true", help="skip the pairs; pass over the catalog only")
    parser.add_argument(
        "--no-catalog", action="store_true", help="skip the catalog passes; score the pairs only"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, MusicService.open(home) as service:
        ask = {"quality": "preview", "duration_s": args.seconds}
        if not args.no_catalog:
            texts = contexts(args.eval_dir, args.contexts)
            run_catalog(service, texts, ask)
        if not args.no_pairs:
            score_pairs(service, args.eval_dir, args.pairs, ask)


def run_catalog(service: MusicService, texts: list[tuple[str, str]], ask: dict[str, Any]) -> None:
    broken = 0
    for number in (1, 2):
        results = [(kind, service.find_or_make(text, **ask)) for kind, text in texts]
        actions = Counter(result.action for _, result in results)
        with_track = sum(result.path is not None and result.path.is_file() for _, result in results)
        broken += sum(breaks_a_fact(result) for _, result in results)
        print(f"pass {number}: {len(results)} contexts, {with_track} with a track, {dict(actions)}")
        if number == 1:
            styles = Counter(result.request.style for _, result in results)
            print(f"  styles: {dict(styles.most_common())}")
            others, asked = actions["reused"], len(results)
            print(
                f"  another context's track: {others} of {asked} (at most {upper_bound(others, asked):.1%})"
            )
            report_reused(results)
            own = [result.track.id if result.track else "" for _, result in results]
    reworded = [(kind, service.find_or_make(reword(text), **ask, dry_run=True)) for kind, text in texts]
    by_kind: dict[str, list[bool]] = {}
    wrong = 0
    for (kind, result), mine in zip(reworded, own, strict=True):
        by_kind.setdefault(kind, []).append(result.track is not None and result.track.id == mine)
        wrong += result.track is not None and result.track.id != mine
        broken += breaks_a_fact(result)
    shares = ", ".join(f"{kind} {np.mean(hits):.2f}" for kind, hits in by_kind.items())
    hits = sum(hit for hits in by_kind.values() for hit in hits)
    print(
        f"sentences dropped and reordered: {hits} of {len(reworded)} reuse the track of what they reword ({shares}), "
        f"{wrong} another (at most {upper_bound(wrong, len(reworded)):.1%})"
    )
    print(f"hard facts broken: {broken}")


def report_reused(results: list[tuple[str, Result]]) -> None:
    """Show what the first pass already reused: distinct contexts that were held to fit an earlier track."""
    for _, result in [pair for pair in results if pair[1].action == "reused"][:8]:
        assert result.track is not None
        print(
            f"  reused at {result.decision.probability or 1.0:.2f}: {result.request.features.summary_of_topic[:70]!r}"
        )
        print(f"       from {result.track.summary[:70]!r}")


def breaks_a_fact(result: Result) -> bool:
    facts, track = hard_facts(result.request), result.track
    if track is None or result.decision.rule == "exact":
        return False
    return not (
        track.role == facts.role
        and QUALITY_RANK[track.quality] >= QUALITY_RANK[facts.min_quality or "preview"]
        and track.model_rank >= (facts.min_model_rank or 0)
        and (facts.loopable is None or track.loopable == facts.loopable)
        and (facts.style is None or track.style == facts.style)
        and (facts.min_duration_s or 0) <= track.duration_s <= (facts.max_duration_s or 1e9)
    )


def score_pairs(service: MusicService, folder: Path, count: int, ask: dict[str, Any]) -> None:
    """Score pairs as the decision would: the first text's request as the track, the second's as what is asked."""
    sets = {
        "STS-B pairs rated 4.5 and above (paraphrases)": sts(folder, lambda score: score >= 4.5),
        "STS-B pairs rated 1.5 and below (unrelated)": sts(folder, lambda score: score <= 1.5),
        "captions with mood words turned round": swaps(folder),
    }
    scored = {name: score_set(service, pairs, count, ask) for name, pairs in sets.items()}
    same = scored[next(iter(scored))]
    rate = np.mean([reused for _, reused in same])
    plain = float(np.quantile([cosine for cosine, _ in same], 1 - rate)) if rate > 0 else 1.0
    print(f"plain cosine with the same paraphrase rate: {plain:.2f}")
    for name, values in scored.items():
        cosines, reused = np.array(values).T
        print(
            f"  {name}: reused {np.mean(reused):.2f}, plain cosine {np.mean(cosines >= plain):.2f} "
            f"(n={len(values)}, median cosine {np.median(cosines):.2f})"
        )


def score_set(
    service: MusicService, pairs: Iterator[Pair], count: int, ask: dict[str, Any]
) -> list[tuple[float, float]]:
    scored, terms = [], service._terms("auto", None, None)
    for first, second in itertools.islice(pairs, count):
        calls = [service._flow.begin("bench", text, ask) for text in (first, second)]
        (known, first_vector), (asked, second_vector) = (service._flow.understand(call) for call in calls)
        cosine = float(first_vector @ second_vector)
        scored.append((cosine, float(like(asked, known, cosine, terms))))
    return scored


def contexts(folder: Path, count: int) -> list[tuple[str, str]]:
    """Return (kind, text) for question-answer paragraphs, scenes and emotional text, a quarter each."""
    squad = json.loads((folder / "xquad_en/xquad.en.json").read_text("utf-8"))["data"]
    kinds: dict[str, list[str]] = {
        "paragraph": [p["context"] for article in squad for p in article["paragraphs"]],
        "answer": [row["text"] for row in lines(folder / "nq_oracle/nq_open_oracle.jsonl")],
        "scene": [row["description"] for row in lines(folder / "light_rooms/rooms.jsonl")],
        "tale": [row["text"] for row in table(folder / "fairytaleqa/sections.csv")],
        "emotional": [
            row["text"]
            for row in table(folder / "emobank/emobank.csv")
            if abs(float(row["V"]) - 3) > 0.9 and len(row["text"].split()) > 8
        ],
    }
    share = -(-count // len(kinds))
    picked = [
        (kind, text) for kind, texts in kinds.items() for text in random.Random(kind).sample(texts, share)
    ]
    return picked[:count]


def reword(text: str) -> str:
    """Return the text with its sentences in another order, and the last of three and more left out."""
    sentences = re.split(r"(?<=[.!?])\s+", text.strip())
    kept = sentences[:-1] if len(sentences) > 2 else sentences
    return " ".join(kept[::-1]) + ("" if len(sentences) > 1 else " Indeed.")


def sts(folder: Path, wanted: Callable[[float], bool]) -> Iterator[Pair]:
    with (folder / "stsb/stsb-en-dev.csv").open(encoding="utf-8", newline="") as file:
        for first, second, score in csv.reader(file):
            if first != second and wanted(float(score)):
                yield first, second


def swaps(folder: Path) -> Iterator[Pair]:
    for row in table(folder / "mood_swaps/musiccaps_mood_swaps.csv"):
        yield row["caption"], row["swapped"]


def lines(path: Path) -> Iterable[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def table(path: Path) -> Iterable[dict[str, str]]:
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
