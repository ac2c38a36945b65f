"""Measure the features on public labelled data: heads against prototypes against words, in one run.

    python tests/benchmarks/catalog/features.py --eval-dir DIR [--rows 1000] [--only PART]

Nothing was fitted to or chosen on the rows marked "held out": EmoBank's and GoEmotions' dev splits (the heads were
fitted to train rows), the half of the LIGHT rooms and of the hand-written scenes whose hash is odd, and the last 202
mood swaps.
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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from music_catalog import models
from music_catalog.models import Context, Features
from music_catalog.text import encoder as encoders
from music_catalog.text import features, feeling, heads, language, mood, parsed, prototypes, summary
from music_catalog.text import setting as place
from music_catalog.text.mood import mood_distance
from music_catalog.text.parsed import parse
from tests.scene_moods import SCENES, chosen_on

Extract = Callable[[str], Features]
PARTS = ["emobank", "goemotions", "scenes", "places", "threats", "swaps", "speed"]

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
    "city in the clouds": "city",
    "Cave": "cave",
    "Dungeon": "cave",
    "Desert": "desert",
    "Wasteland": "desert",
    "Tavern": "tavern",
    "frozen tundra": "snow",
}
"""Category of a LIGHT room -> our environment, where there is one; 23 categories have none."""

KEYWORDS = {
    "forest": "forest woods jungle trees",
    "rain": "rain raining rainy",
    "ocean": "ocean sea beach ship shore",
    "city": "city town street market",
    "night": "night midnight moon",
    "cave": "cave cavern underground dungeon",
    "desert": "desert dunes sand",
    "tavern": "tavern inn bar pub",
    "storm": "storm thunder lightning",
    "snow": "snow ice frozen",
    "space": "space planet spaceship",
    "fireside": "fireplace campfire hearth",
}
"""The plain way: the environment whose words come most often, the first of those that tie."""


class Renamed:
    """The same vectors under another name, to which no heads were fitted."""

    def __init__(self, encoder: encoders.Encoder) -> None:
        self.identity = f"renamed {encoder.identity}"
        self.dimension = encoder.dimension
        self.encode = encoder.encode


class Remembering:
    """An encoder that encodes a text once, however many readers ask."""

    def __init__(self, encoder: encoders.Encoder) -> None:
        self.identity, self.dimension, self._encoder = encoder.identity, encoder.dimension, encoder
        self._known: dict[str, np.ndarray] = {}

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._encoder.encode(new), strict=True))
        return np.stack([self._known[text] for text in texts])


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def emobank(folder: Path, rows: int, readers: Mapping[str, Extract]) -> None:
    data = [row for row in read_csv(folder / "emobank" / "emobank.csv") if row["split"] == "dev"][:rows]
    truth = np.array([[float(row["V"]), float(row["A"])] for row in data])
    print(f"EmoBank dev, held out (n={len(data)}): correlation with the readers' mean")
    for label, extract in readers.items():
        found = [extract(row["text"]) for row in data]
        valence = correlation([f.valence for f in found], truth[:, 0])
        energy = correlation([f.energy for f in found], truth[:, 1])
        print(f"  {label:12} valence r {valence:.3f}  arousal r {energy:.3f}")
        for name, points in (("valence", truth[:, 0]), ("energy", truth[:, 1])):
            usual = 0.0 if name == "valence" else feeling.ENERGY_REST
            side = [np.sign(getattr(f, name) - usual) for f in found]
            true = points - points.mean()
            right = np.where((np.abs(true) <= 0.05) | (np.array(side) == 0), 0.5, side == np.sign(true))
            reliability(f"{name} on the right side", [f.confidences[name] for f in found], right)
    vader = [parsed.word_inputs(row["text"], "en")[0] for row in data]
    print(f"  {'VADER alone':12} valence r {correlation(vader, truth[:, 0]):.3f}")


def correlation(found: Sequence[float], truth: np.ndarray) -> float:
    return float(np.corrcoef(found, truth)[0, 1])


def reliability(
    what: str, confidences: Sequence[float], right: Sequence[float] | np.ndarray, parts: int = 5
) -> None:
    """Print, from the least sure fifth of the readings to the surest: mean confidence, and the share that was right."""
    order = np.argsort(confidences, kind="stable")
    groups = [
        (float(np.mean(np.asarray(confidences)[part])), float(np.mean(np.asarray(right)[part])))
        for part in np.array_split(order, parts)
        if len(part)
    ]
    print(
        f"      {what}: stated -> right  "
        + "  ".join(f"{stated:.2f} -> {share:.2f}" for stated, share in groups)
    )


def goemotions(folder: Path, rows: int, readers: Mapping[str, Extract]) -> None:
    names = [*(folder / "goemotions" / "labels.txt").read_text().split(), "neutral"]
    group = {word: kind for kind, words in EKMAN.items() for word in words.split()} | {"neutral": "neutral"}
    to_ekman = {word: kind for kind, words in MOOD_TO_EKMAN.items() for word in words.split()}
    lines = (folder / "goemotions" / "dev.tsv").read_text(encoding="utf-8").splitlines()
    pairs = [
        (text, names[int(ids)]) for text, ids, _ in (line.split("\t") for line in lines) if "," not in ids
    ]
    random.Random(1).shuffle(pairs)
    moved = [(text, group[name]) for text, name in pairs if name != "neutral"][:rows]
    truth = [kind for _, kind in moved]
    any_row = [(text, group[name]) for text, name in pairs][:rows]
    print(f"GoEmotions dev, held out: Ekman's six by the first mood (n={len(moved)})")
    print(f"  {'always joy':12} accuracy {accuracy(truth, ['joy'] * len(truth)):.3f}")
    for label, extract in readers.items():
        found = [to_ekman.get(extract(text).mood_tags[0], "joy") for text, _ in moved]
        print(f"  {label:12} accuracy {accuracy(truth, found):.3f}  macro F1 {macro_f1(truth, found):.3f}")
        read = [extract(text) for text, _ in any_row]
        right = [kind in heads.MOOD_KINDS[f.mood_tags[0]] for (_, kind), f in zip(any_row, read, strict=True)]
        reliability(
            f"first mood of the right kind, with neutral rows (n={len(any_row)})",
            [f.confidences["mood_tags"] for f in read],
            np.array(right, float),
        )


def fitted_emotions(folder: Path, rows: int, encoder: encoders.Encoder) -> None:
    """Print what the emotion head says by itself, without words and prototypes."""
    fitted = heads.load(encoder.identity)
    if fitted is None:
        return
    group = {word: kind for kind, words in EKMAN.items() for word in words.split()}
    lines = (folder / "goemotions" / "dev.tsv").read_text(encoding="utf-8").splitlines()
    pairs = [(text, int(ids)) for text, ids, _ in (line.split("\t") for line in lines) if "," not in ids]
    random.Random(1).shuffle(pairs)
    pairs = [(text, label) for text, label in pairs if fitted.names[label] in group][:rows]
    truth = [group[fitted.names[label]] for _, label in pairs]
    found, exact = [], 0
    for text, label in pairs:
        seen = parse(Context(text=text), encoder, None)
        chances = dict(zip(fitted.names, fitted.probabilities(seen.inputs).tolist(), strict=True))
        exact += max(group, key=lambda name: chances[name]) == fitted.names[label]
        kinds = {kind: sum(chances[word] for word in words.split()) for kind, words in EKMAN.items()}
        found.append(max(kinds, key=lambda kind: kinds[kind]))
    print(
        f"  {'head alone':12} accuracy {accuracy(truth, found):.3f}  macro F1 {macro_f1(truth, found):.3f}  "
        f"all 27 emotions {exact / len(pairs):.3f}"
    )


def scenes(readers: Mapping[str, Extract]) -> None:
    halves = {"chosen on": [s for s in SCENES if chosen_on(s[0])]}
    halves["held out"] = [s for s in SCENES if not chosen_on(s[0])]
    for half, those in halves.items():
        print(f"hand-written scenes, {half} (n={len(those)})")
        for label, extract in readers.items():
            found = [(extract(text).mood_tags, kind, suits) for text, kind, suits in those]
            first = sum(tags[0] in suits for tags, _, suits in found)
            every = sum(set(tags) <= suits for tags, _, suits in found)
            plain = [tags[0] in suits for tags, kind, suits in found if kind == "everyday"]
            print(
                f"  {label:12} first mood suits {first / len(those):.2f}  all named suit {every / len(those):.2f}  "
                f"first of everyday scenes {sum(plain)} of {len(plain)}"
            )


def accuracy(truth: Sequence[str], found: Sequence[str]) -> float:
    return sum(a == b for a, b in zip(truth, found, strict=True)) / len(truth)


def macro_f1(truth: Sequence[str], found: Sequence[str]) -> float:
    scores = []
    for kind in sorted(set(truth)):
        hits = sum(a == b == kind for a, b in zip(truth, found, strict=True))
        scores.append(2 * hits / max(1, truth.count(kind) + list(found).count(kind)))
    return statistics.mean(scores)


def by_keyword(text: str) -> str | None:
    words = re.findall(r"[a-z]+", text.lower())
    counts = {place: sum(words.count(word) for word in listed.split()) for place, listed in KEYWORDS.items()}
    best = max(counts, key=lambda place: counts[place])
    return best if counts[best] else None


def places(folder: Path, rows: int, readers: Mapping[str, Extract]) -> None:
    rooms = [json.loads(line) for line in (folder / "light_rooms" / "rooms.jsonl").read_text().splitlines()]
    prose = encyclopaedic(folder, rows)
    ways: dict[str, Callable[[str], str | None]] = {"keywords": by_keyword}
    ways |= {
        label: lambda text, extract=extract: extract(text).environment for label, extract in readers.items()
    }
    for half in ("chosen on", "held out"):
        those = [room for room in rooms if chosen_on(room["description"]) == (half == "chosen on")]
        mapped = [
            (room["description"], ROOM_PLACES[room["category"]])
            for room in those
            if room["category"] in ROOM_PLACES
        ]
        others = [room["description"] for room in those if room["category"] not in ROOM_PLACES]
        print(f"LIGHT rooms, {half}: {len(mapped)} of a mapped category, {len(others)} of another")
        usual = max(ROOM_PLACES.values(), key=lambda place: sum(t == place for _, t in mapped))
        print(f"  {f'always {usual}':12} accuracy {sum(t == usual for _, t in mapped) / len(mapped):.2f}")
        for label, guess in ways.items():
            found = [guess(text) for text, _ in mapped]
            hits = sum(f == t for f, (_, t) in zip(found, mapped, strict=True))
            print(
                f"  {label:12} accuracy {hits / len(mapped):.2f}  "
                f"named one for {sum(map(bool, found)) / len(mapped):.2f}, "
                f"right when named {hits / max(1, sum(map(bool, found))):.2f}; "
                f"named one for other rooms {sum(bool(guess(text)) for text in others) / len(others):.2f}"
            )
            if label in readers:
                read = [
                    (readers[label](room["description"]), ROOM_PLACES.get(room["category"])) for room in those
                ]
                reliability(
                    "environment or none right",
                    [f.confidences["environment"] for f, _ in read],
                    np.array([f.environment == t for f, t in read], float),
                    parts=3,
                )
    for label, guess in ways.items():
        staged = sum(guess(text) is not None for text in prose)
        print(f"  {label:12} named one for {staged} of {len(prose)} encyclopaedic passages")


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


def mood_swaps(folder: Path, rows: int, readers: Mapping[str, Extract]) -> None:
    for label, extract in readers.items():
        swapped_moods(folder, rows, extract, label)


def swapped_moods(folder: Path, rows: int, extract: Extract, label: str) -> None:
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


FEARFUL = frozenset({"scary", "ominous", "tense", "anxious", "dark", "aggressive", "chaotic"})
AFRAID = re.compile(
    r"\b(scared|afraid|frighten\w*|terrif\w*|fear\w*|nervous|anxious|worried|alarm\w*|horrif\w*|panic\w*|uneasy)",
    re.I,
)
GLAD = re.compile(
    r"\b(happy|glad|joy\w*|delight\w*|pleased|excited|relieved|thankful|grateful|content|proud)", re.I
)
OCCASION = re.compile(r"\b(?:when|after|as|while|because|since|that|about)\b\s+(.*?)\??$")


def threats(folder: Path, readers: Mapping[str, Extract]) -> None:
    """Print how many texts of fear, and of other feelings, would get the music of a calm scene like theirs."""
    calm = models.Features(
        summary_of_topic="",
        emotional_tone_description="",
        valence=0.4,
        energy=-0.6,
        mood_tags=("calm", "peaceful"),
    )
    certificate = Path(features.__file__).parents[1] / "reuse" / "certificate.json"
    weights = json.loads(certificate.read_text("utf-8"))["weights"]
    needed = 0.87

    def passes(felt: Features) -> bool:
        distance = mood_distance(felt, calm)
        same = 1 / (1 + np.exp(-weights["mood"] - weights["mood_distance"] * distance))
        return bool(distance <= 0.5 and same >= needed)

    print(f"would take calm music were the scene the same (mood alone above {needed}); first mood fearful")
    for name, texts in fearful_and_not(folder).items():
        figures = []
        for label, extract in readers.items():
            found = [extract(text) for text in texts]
            taken = np.mean([passes(felt) for felt in found])
            figures.append(f"{label} {taken:.3f} {np.mean([f.mood_tags[0] in FEARFUL for f in found]):.3f}")
        print(f"  {name:52} n={len(texts):3}  {'   '.join(figures)}")


def fearful_and_not(folder: Path) -> dict[str, list[str]]:
    """Return rows that were neither fitted to nor written for it, by their feeling."""
    names = [*(folder / "goemotions" / "labels.txt").read_text().split(), "neutral"]
    lines = (folder / "goemotions" / "dev.tsv").read_text(encoding="utf-8").splitlines()
    comments = [
        (text, [names[int(i)] for i in ids.split(",")]) for text, ids, _ in (x.split("\t") for x in lines)
    ]
    random.Random(1).shuffle(comments)
    rows = [row for row in read_csv(folder / "emobank" / "emobank.csv") if row["split"] == "dev"]
    points = [(row["text"], float(row["V"]), float(row["A"])) for row in rows]
    tales: dict[str, list[str]] = {"fear": [], "glad": []}
    for row in read_csv(folder / "fairytaleqa" / "questions.csv"):
        found = OCCASION.search(row["question"]) if row["attribute"] == "feeling" else None
        if found and len(found[1].split()) >= 3:
            answer = row["answer"]
            kind = "fear" if AFRAID.search(answer) else "glad" if GLAD.search(answer) else ""
            tales.setdefault(kind, []).append(found[1])
    afraid = {"fear", "nervousness"}
    return {
        "tales, somebody is afraid (the clause alone)": tales["fear"],
        "the same, from the 61st on": tales["fear"][60:],
        "tales, somebody is glad": tales["glad"],
        "GoEmotions dev, fear or nervousness": [text for text, emotions in comments if afraid & {*emotions}],
        "GoEmotions dev, neither": [text for text, emotions in comments if not afraid & {*emotions}][:400],
        "EmoBank dev, valence <= 2.6, arousal >= 3.3": [x for x, v, a in points if v <= 2.6 and a >= 3.3],
        "EmoBank dev, valence >= 3.2, arousal <= 2.9": [x for x, v, a in points if v >= 3.2 and a <= 2.9],
        "encyclopaedic passages": encyclopaedic(folder, 180),
    }


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
    vector = encoders.embed_document(extractor, text)
    context = Context(text=text)
    fitted = heads.load(extractor.identity)
    looked = parse(context, extractor, None)
    stages: dict[str, Callable[[], object]] = {
        "extract, whole": lambda: features.extract(context, extractor),
        "  plain text and segments": lambda: summary.segments(summary.plain_text(text)),
        "  encode": lambda: encoders.embed_layers(extractor, text),
        "  mood words": lambda: mood.read_mood(plain, "en"),
        "  VADER": lambda: parsed.vader(plain, "en"),
        "  heads": lambda: fitted and (fitted.feeling(looked.inputs), fitted.moods(looked.inputs)),
        "  place": lambda: place.environment(plain, vector, known),
        "  language": lambda: language.guess(plain),
        "  summary": lambda: summary.summarize(pieces),
        "extract, no encoder": lambda: features.extract(context),
    }
    print(f"speed on {len(text.split())} words, median of 9, ms")
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
    parser.add_argument("--only", choices=PARTS)
    options = parser.parse_args()
    csv.field_size_limit(10**9)
    encoder = encoders.load()
    once = Remembering(encoder)
    cache = Path(tempfile.mkdtemp(prefix="features-"))

    def reader(using: encoders.Encoder | None) -> Extract:
        return lambda text: features.extract(Context(text=text), using, cache_dir=cache)

    readers = {"heads": reader(once), "prototypes": reader(Renamed(once)), "words only": reader(None)}
    wanted = [options.only] if options.only else PARTS
    if "emobank" in wanted:
        emobank(options.eval_dir, options.rows, readers)
    if "goemotions" in wanted:
        goemotions(options.eval_dir, options.rows, readers)
        fitted_emotions(options.eval_dir, options.rows, once)
    if "scenes" in wanted:
        scenes(readers)
    if "places" in wanted:
        places(options.eval_dir, options.rows, readers)
    if "threats" in wanted:
        threats(options.eval_dir, readers)
    if "swaps" in wanted:
        mood_swaps(options.eval_dir, options.rows, readers)
    if "speed" in wanted:
        speed(encoder, options.eval_dir)


if __name__ == "__main__":
    main()
