"""Measure the features on public labelled data, and print what each stage of `extract` costs.

    python tests/benchmarks/features.py --eval-dir DIR [--rows 1000]

The scalars in `catalog/features.py` were chosen on the first 3,000 rows of EmoBank in this script's order, on
GoEmotions' dev file and on the first 400 mood swaps; "held out" are other rows.
"""

from __future__ import annotations

import argparse
import ast
import csv
import json
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from catalog import encoder as encoders
from catalog import features, language, mood, place, prototypes, summary
from catalog.lexicon import PLACES
from catalog.models import Context, Features
from catalog.mood import mood_distance

Extract = Callable[[str], Features]

EKMAN = {
    "anger": "anger annoyance disapproval",
    "disgust": "disgust",
    "fear": "fear nervousness",
    "joy": "joy amusement approval excitement gratitude love optimism relief pride admiration desire caring",
    "sadness": "sadness disappointment embarrassment grief remorse",
    "surprise": "surprise realization confusion curiosity",
}
"""Grouping of the 27 emotions, as the GoEmotions repository gives it."""

MOOD_TO_EKMAN = {
    "anger": "angry aggressive",
    "fear": "scary anxious tense ominous",
    "sadness": "sad grieving lonely melancholic dark nostalgic",
    "surprise": "curious mysterious chaotic",
}

ROOM_PLACES = {
    "Forest": "forest",
    "Jungle": "forest",
    "Port": "ocean",
    "Shore": "ocean",
    "underwater aquapolis": "ocean",
    "Bazaar": "city",
    "Town": "city",
    "Cave": "cave",
    "Desert": "desert",
    "Wasteland": "desert",
    "Tavern": "tavern",
    "frozen tundra": "snow",
}


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def emobank(folder: Path, rows: int, extract: Extract, label: str) -> None:
    data = read_csv(folder / "emobank" / "emobank.csv")
    random.Random(1).shuffle(data)
    for part, chosen in (("chosen on", data[:rows]), ("held out", data[3000 : 3000 + rows])):
        found = [extract(row["text"]) for row in chosen]
        valence = np.corrcoef([f.valence for f in found], [float(r["V"]) for r in chosen])[0, 1]
        energy = np.corrcoef([f.energy for f in found], [float(r["A"]) for r in chosen])[0, 1]
        print(
            f"EmoBank {part:9} {label:12} valence r {valence:.3f}  arousal r {energy:.3f}  (n={len(chosen)})"
        )


def goemotions(folder: Path, rows: int, extract: Extract, label: str) -> None:
    names = (folder / "goemotions" / "labels.txt").read_text().split()
    group = {word: kind for kind, words in EKMAN.items() for word in words.split()}
    to_ekman = {word: kind for kind, words in MOOD_TO_EKMAN.items() for word in words.split()}
    for part, file in (("chosen on", "dev.tsv"), ("held out", "train.tsv")):
        lines = (folder / "goemotions" / file).read_text(encoding="utf-8").splitlines()
        pairs = [
            (text, names[int(ids)]) for text, ids, _ in (line.split("\t") for line in lines) if "," not in ids
        ]
        pairs = [(text, group[name]) for text, name in pairs if name in group]
        random.Random(1).shuffle(pairs)
        truth = [kind for _, kind in pairs[:rows]]
        found = [to_ekman.get(extract(text).mood_tags[0], "joy") for text, _ in pairs[:rows]]
        print(
            f"GoEmotions {part:9} {label:12} Ekman-6 accuracy {accuracy(truth, found):.3f}  macro F1 "
            f"{macro_f1(truth, found):.3f}  (always joy: {accuracy(truth, ['joy'] * len(truth)):.3f}, n={len(truth)})"
        )


def accuracy(truth: Sequence[str], found: Sequence[str]) -> float:
    return sum(a == b for a, b in zip(truth, found, strict=True)) / len(truth)


def macro_f1(truth: Sequence[str], found: Sequence[str]) -> float:
    scores = []
    for kind in sorted(set(truth)):
        hits = sum(a == b == kind for a, b in zip(truth, found, strict=True))
        scores.append(2 * hits / max(1, truth.count(kind) + list(found).count(kind)))
    return statistics.mean(scores)


def places(folder: Path, rows: int, extract: Extract, label: str) -> None:
    rooms = [json.loads(line) for line in (folder / "light_rooms" / "rooms.jsonl").read_text().splitlines()]
    truth = [ROOM_PLACES.get(room["category"]) for room in rooms]
    prose = encyclopaedic(folder, rows)

    def by_name(text: str) -> str | None:
        return next((place for place in PLACES if re.search(rf"\b{place}\b", text.lower())), None)

    for name, guess in (("name in text", by_name), (label, lambda text: extract(text).environment)):
        found = [guess(room["description"]) for room in rooms]
        given = sum(f is not None for f in found)
        hits = sum(f is not None and f == t for f, t in zip(found, truth, strict=True))
        staged = sum(guess(text) is not None for text in prose)
        print(
            f"LIGHT rooms {name:12} environment precision {hits / max(1, given):.2f}  recall "
            f"{hits / sum(t is not None for t in truth):.2f}  (n={len(rooms)}); given to encyclopaedic passages "
            f"{staged / len(prose):.3f} (n={len(prose)})"
        )


def encyclopaedic(folder: Path, rows: int) -> list[str]:
    squad = json.loads((folder / "xquad_en" / "xquad.en.json").read_text())["data"]
    texts = [paragraph["context"] for article in squad for paragraph in article["paragraphs"]]
    corpus = json.loads((folder / "twowiki_corpus" / "2wikimultihopqa_corpus.json").read_text())
    texts += [passage["text"] for passage in corpus]
    random.Random(2).shuffle(texts)
    return texts[: rows // 3]


def auc(low: Sequence[float], high: Sequence[float]) -> float:
    """Return the chance that one of `high` lies above one of `low`, ties counted half."""
    below = np.sort(np.asarray(low))
    left, right = np.searchsorted(below, high, "left"), np.searchsorted(below, high, "right")
    return float(((left + right) / 2).mean() / len(below))


def mood_swaps(folder: Path, rows: int, extract: Extract, label: str) -> None:
    memo: dict[str, Features] = {}

    def distance(a: str, b: str) -> float:
        for text in (a, b):
            if text not in memo:
                memo[text] = extract(text)
        return mood_distance(memo[a], memo[b])

    swaps = read_csv(folder / "mood_swaps" / "musiccaps_mood_swaps.csv")[-max(rows, 250) :]
    swapped = [distance(row["caption"], row["swapped"]) for row in swaps]
    captions = {row["ytid"]: row for row in read_csv(folder / "musiccaps" / "musiccaps-public.csv")}
    same: dict[str, list[float]] = {"reworded caption": [], "caption and its tags": []}
    for row in swaps:
        caption = row["caption"]
        same["reworded caption"].append(distance(caption, reworded(caption)))
        tags = ", ".join(ast.literal_eval(captions[row["ytid"]]["aspect_list"]))
        same["caption and its tags"].append(distance(caption, tags))
    with (folder / "stsb" / "stsb-en-train.csv").open(newline="", encoding="utf-8") as file:
        close = [pair for pair in csv.reader(file) if float(pair[2]) >= 4.5]
    random.Random(1).shuffle(close)
    same["STS-B pairs >= 4.5"] = [distance(a, b) for a, b, _ in close[: rows // 2]]
    print(f"mood distance, {label}; share above a bound")
    bounds = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
    for name, part in (
        ("swapped, looked at", swapped[:-202]),
        ("swapped, held out", swapped[-202:]),
        *same.items(),
    ):
        shares = "  ".join(f">{b:.2f}: {np.mean(np.asarray(part) > b):.3f}" for b in bounds)
        print(f"  {name:22} median {np.median(part):.3f}  {shares}  (n={len(part)})")
    for name, part in same.items():
        print(f"  AUC swapped over {name}: {auc(part, swapped):.3f}")


def reworded(caption: str) -> str:
    """Return the caption with its sentences reversed and words that carry no mood exchanged."""
    sentences = re.split(r"(?<=[.!?])\s+", caption.strip())
    text = " ".join(reversed(sentences))
    for old, new in (
        (r"\bsong\b", "track"),
        (r"\bmusic\b", "piece"),
        (r"\bfeatures\b", "has"),
        (r"\bconsists of\b", "is made of"),
        (r"\bplaying\b", "heard"),
        (r"\bsings\b", "performs"),
        (r"\bThis\b", "The"),
        (r"\bcan be\b", "may be"),
    ):
        text = re.sub(old, new, text)
    return text


def speed(extractor: encoders.Encoder, folder: Path) -> None:
    text = " ".join(encyclopaedic(folder, 900))
    text = " ".join(text.split()[:200])
    known = prototypes.vectors(extractor)
    plain = summary.plain_text(text)
    pieces = summary.segments(plain)
    vectors = extractor.encode(pieces)
    document = vectors.mean(axis=0) / np.linalg.norm(vectors.mean(axis=0))
    context = Context(text=text)
    looked = features._look(context, None, None)
    stages: dict[str, Callable[[], object]] = {
        "extract, whole": lambda: features.extract(context, extractor),
        "  plain text and segments": lambda: summary.segments(summary.plain_text(text)),
        "  encode the segments": lambda: extractor.encode(pieces),
        "  mood words": lambda: mood.read(plain, "en"),
        "  VADER": lambda: features._vader(looked),
        "  place": lambda: place.environment(plain, document, known),
        "  language": lambda: language.guess(plain),
        "  summary": lambda: summary.summarize(pieces, vectors),
        "extract, no encoder": lambda: features.extract(context),
    }
    print(f"speed on {len(text.split())} words ({len(pieces)} segments), median of 9, ms")
    whole = 0.0
    for name, call in stages.items():
        call()
        times, cpu = [], time.process_time()
        for _ in range(9):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        cpu = (time.process_time() - cpu) / 9
        median = statistics.median(times)
        whole = whole or median
        print(f"  {name:28} {1000 * median:7.1f}  {median / whole:4.0%}   (CPU {1000 * cpu:.1f})")
    start = time.perf_counter()
    features.extract(Context(text=(text + "\n") * (999_000 // (len(text.encode()) + 1))), extractor)
    print(f"  {'extract, 1 MB':28} {1000 * (time.perf_counter() - start):7.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--eval-dir", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--only", choices=["emobank", "goemotions", "places", "swaps", "speed"])
    parser.add_argument("--words-only", action="store_true", help="measure without an encoder as well")
    asked = parser.parse_args()
    csv.field_size_limit(10**9)
    encoder = encoders.load()
    cache = Path(tempfile.mkdtemp(prefix="features-"))
    variants: list[tuple[str, Extract]] = [
        ("encoder", lambda text: features.extract(Context(text=text), encoder, cache_dir=cache))
    ]
    if asked.words_only:
        variants.append(("words only", lambda text: features.extract(Context(text=text))))
    parts = {"emobank": emobank, "goemotions": goemotions, "places": places, "swaps": mood_swaps}
    for name, measure in parts.items():
        for label, extract in variants if asked.only in (None, name) else ():
            measure(asked.eval_dir, asked.rows, extract, label)
    if asked.only in (None, "speed"):
        speed(encoder, asked.eval_dir)


if __name__ == "__main__":
    main()
