"""Fit the heads of `catalog/text/heads.py` to public labelled sentences and write the file that is shipped.

    python tests/benchmarks/catalog/fit_heads.py --eval-dir DIR [--out FILE]

Fitted to the train rows of EmoBank (valence, energy) and a balanced part of the train rows of GoEmotions (emotions), by
their own splits; the head for threats to fearful and other train rows of GoEmotions and to `threat_sentences.py`. Dev
rows are only measured, by `features.py` beside this. The penalties, the scale of the plane and the weights in
`catalog/text/feeling.py` and `catalog/text/parsed.py` were chosen by cross-validation within train rows. The same
folder gives the same file, up to rounding on another processor.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from threat_sentences import HARMLESS, PAIRS

from music_catalog.text import encoder as encoders
from music_catalog.text import feeling, heads, language, parsed, summary
from music_catalog.text.sentences import spread
from music_catalog.text.tensors import read_tensors

Array = NDArray[np.float64]

RIDGE_PENALTY = 3.0
VALENCE_SCALE, ENERGY_SCALE = 1.5, 2.0
"""EmoBank's points (3 is the middle of its 1 to 5) -> the plane of the moods; chosen for the best agreement with
EmoBank when mixed with the mood words, and to spread about as wide as readings without heads do."""
EMOTION_PENALTY = 3e-5
THREAT_PENALTY = 1e-3
FEARFUL = ("fear", "nervousness")
AUTHORED, COLLECTED, ASIDE = 1.0, 2.0, 0.3
"""What weigh, for the head for threats: the authored pairs, the sentences of GoEmotions, the harmless ones aside."""
CALM_ROWS = 3000
MOST_ROWS, MOST_NEUTRAL_ROWS = 700, 2000
"""Rows taken for an emotion; more of the common ones change little."""
NEUTRAL = "neutral"

SOURCES = [
    {
        "name": "EmoBank",
        "by": "Buechel and Hahn 2017, JULIE Lab",
        "address": "https://github.com/JULIELab/EmoBank",
        "licence": "CC BY-SA 4.0",
        "used_for": "affect: valence and energy",
        "rows": "those of split train",
    },
    {
        "name": "GoEmotions",
        "by": "Demszky et al. 2020, Google Research",
        "address": "https://github.com/google-research/google-research/tree/master/goemotions",
        "licence": "CC BY 4.0",
        "used_for": "emotions; threat, beside sentences written for this project",
        "rows": f"of train, at most about {MOST_ROWS} an emotion ({MOST_NEUTRAL_ROWS} neutral)",
    },
]


def emobank(folder: Path, split: str) -> tuple[list[str], Array]:
    """Return the texts of a split, and their valence and arousal, 1 to 5, shape (rows, 2)."""
    with (folder / "emobank" / "emobank.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    return [row["text"] for row in rows], np.array([[float(row["V"]), float(row["A"])] for row in rows])


def goemotions(folder: Path, split: str) -> tuple[list[str], Array, list[str]]:
    """Return the texts of a split, their emotions as shares of 1, shape (rows, 28), and the emotions' names."""
    root = folder / "goemotions"
    names = [*root.joinpath("labels.txt").read_text(encoding="utf-8").split(), NEUTRAL][:28]
    lines = [
        line.split("\t") for line in root.joinpath(f"{split}.tsv").read_text(encoding="utf-8").splitlines()
    ]
    shares = np.zeros((len(lines), len(names)))
    for row, (_, listed, _) in zip(shares, lines, strict=True):
        labels = [int(label) for label in listed.split(",")]
        row[labels] = 1 / len(labels)
    return [text for text, _, _ in lines], shares, names


def balanced(texts: Sequence[str], shares: Array) -> list[int]:
    """Return the rows to fit to: in an order by hash, those with an emotion that has not enough of them yet."""
    most = [MOST_ROWS] * (shares.shape[1] - 1) + [MOST_NEUTRAL_ROWS]
    found: Counter[int] = Counter()
    kept = []
    for row in sorted(range(len(texts)), key=lambda i: hashlib.sha256(texts[i].encode()).hexdigest()):
        labels = np.flatnonzero(shares[row]).tolist()
        if any(found[label] < most[label] for label in labels):
            kept.append(row)
            found.update(labels)
    return sorted(kept)


def read_all(encoder: encoders.Encoder, texts: Sequence[str], cache: Path | None = None) -> Array:
    """Return what the heads read of each text, shape (rows, inputs); of several sentences the mean of their vectors."""
    plains = [summary.plain_text(spread(text)) for text in texts]
    pieces = [(row, piece) for row, plain in enumerate(plains) for piece in summary.segments(plain)]
    inputs = "\n".join([encoder.identity, *(piece for _, piece in pieces)])
    kept = cache / f"{hashlib.sha256(inputs.encode()).hexdigest()[:16]}.npy" if cache else None
    if kept and kept.exists():
        vectors = np.load(kept)
    else:
        vectors = np.empty((len(pieces), encoder.dimension), dtype=np.float32)
        by_length = sorted(range(len(pieces)), key=lambda i: (len(pieces[i][1]), i))
        for start in range(0, len(by_length), 256):
            part = by_length[start : start + 256]
            vectors[part] = encoder.encode([pieces[i][1] for i in part])
            print(f"\rencoded {start + len(part):,} of {len(pieces):,}", end="", file=sys.stderr)
        print(file=sys.stderr)
        if kept:
            np.save(kept, vectors)
    sums = np.zeros((len(texts), encoder.dimension))
    counts = np.zeros(len(texts))
    for (row, _), vector in zip(pieces, vectors, strict=True):
        sums[row] += vector
        counts[row] += 1
    return np.array(
        [
            heads.inputs(mean.astype(np.float32), parsed.word_inputs(plain, language.guess(plain)))
            for mean, plain in zip(sums / counts[:, None], plains, strict=True)
        ],
        dtype=np.float64,
    )


def ridge(inputs: Array, wanted: Array) -> Array:
    """Return weights, shape (targets, inputs); the last input is the 1 of the offset, which goes unpenalised."""
    middle = inputs[:, :-1].mean(axis=0)
    centred, usual = inputs[:, :-1] - middle, wanted.mean(axis=0)
    gram = centred.T @ centred + RIDGE_PENALTY * np.eye(centred.shape[1])
    weights = np.linalg.solve(gram, centred.T @ (wanted - usual)).T
    return np.column_stack([weights, usual - weights @ middle])


def multinomial(inputs: Array, shares: Array, usual: Array) -> Array:
    """Return weights, shape (emotions, inputs), whose softmax has the emotions as often as `usual` says."""
    from scipy.optimize import minimize

    size = inputs.shape[1]
    lift = np.sqrt(usual / shares.mean(axis=0))  # halfway from the balanced part to all rows, on a log scale
    weight = (shares * lift).sum(axis=1)
    weight /= weight.sum()

    def loss(flat: Array) -> tuple[float, Array]:
        weights = flat.reshape(-1, size)
        logits = inputs @ weights.T
        logits -= logits.max(axis=1, keepdims=True)
        powers = np.exp(logits)
        total = powers.sum(axis=1, keepdims=True)
        penalised = weights.copy()
        penalised[:, -1] = 0
        value = -(weight * (shares * (logits - np.log(total))).sum(axis=1)).sum()
        slope = ((powers / total - shares) * weight[:, None]).T @ inputs + EMOTION_PENALTY * penalised
        return value + EMOTION_PENALTY / 2 * (penalised**2).sum(), slope.ravel()

    found = minimize(
        loss, np.zeros(shares.shape[1] * size), jac=True, method="L-BFGS-B", options={"maxiter": 300}
    )
    weights = found.x.reshape(-1, size)
    weights[:, -1] += np.log(lift)
    return np.asarray(weights)


def threats(
    encoder: encoders.Encoder, sentences: Sequence[str], shares: Array, names: Sequence[str]
) -> Array:
    """Return weights, shape (dimension + 1,), of authored situations and of fearful sentences against others."""
    fearful = shares[:, [names.index(name) for name in FEARFUL]].sum(axis=1)
    by_hash = sorted(range(len(sentences)), key=lambda i: hashlib.sha256(sentences[i].encode()).hexdigest())
    parts = [
        ([threat for threat, _ in PAIRS], 1.0, AUTHORED / 2),
        ([harmless for _, harmless in PAIRS], 0.0, AUTHORED / 2),
        (HARMLESS, 0.0, ASIDE),
        ([sentences[i] for i in by_hash if fearful[i] >= 0.5], 1.0, COLLECTED / 2),
        ([sentences[i] for i in by_hash if not fearful[i]][:CALM_ROWS], 0.0, COLLECTED / 2),
    ]
    inputs = np.vstack([read_all(encoder, texts) for texts, _, _ in parts])
    inputs = np.column_stack([inputs[:, : encoder.dimension], np.ones(len(inputs))])
    wanted = np.concatenate([np.full(len(texts), label) for texts, label, _ in parts])
    weight = np.concatenate([np.full(len(texts), share / len(texts)) for texts, _, share in parts])
    return logistic(inputs, wanted, weight / weight.sum())


def logistic(inputs: Array, wanted: Array, weight: Array) -> Array:
    """Return weights whose logistic is likeliest to give `wanted`, 0 or 1 a row; the last input goes unpenalised."""
    from scipy.optimize import minimize

    def loss(weights: Array) -> tuple[float, Array]:
        logits, penalised = inputs @ weights, np.append(weights[:-1], 0)
        value = (weight * (np.logaddexp(0, logits) - wanted * logits)).sum()
        slope = inputs.T @ (weight * (1 / (1 + np.exp(-logits)) - wanted)) + THREAT_PENALTY * penalised
        return value + THREAT_PENALTY / 2 * (penalised**2).sum(), slope

    found = minimize(loss, np.zeros(inputs.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return np.asarray(found.x)


def in_the_plane(points: Array, usual: Array) -> Array:
    """Return EmoBank's points as valence and energy: the usual arousal is the rest of `feeling.ENERGY_REST`."""
    valence = VALENCE_SCALE * (points[:, 0] - 3)
    energy = ENERGY_SCALE * (points[:, 1] - usual[1]) + feeling.ENERGY_REST
    return np.column_stack([valence, energy])


def write(path: Path, tensors: Mapping[str, Array], about: dict[str, object]) -> None:
    from safetensors.numpy import save_file

    save_file(
        {name: np.ascontiguousarray(values, dtype=np.float32) for name, values in tensors.items()},
        path,
        # One entry, since the writer does not keep several in order.
        metadata={"about": json.dumps(about, sort_keys=True)},
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--eval-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=heads.HEADS_FILE)
    parser.add_argument("--cache", type=Path, help="folder that keeps the vectors between runs")
    parser.add_argument(
        "--threats-only", action="store_true", help="keep the other heads of the shipped file as they are"
    )
    options = parser.parse_args()
    encoder = encoders.load()
    sentences, shares, names = goemotions(options.eval_dir, "train")
    hidden = threats(encoder, sentences, shares, names)
    if options.threats_only:
        about = {
            **heads.about(),
            "fitted_to": [{**one, **SOURCES[i]} for i, one in enumerate(heads.about()["fitted_to"])],
        }
        write(options.out, {**read_tensors(heads.HEADS_FILE), "threat": hidden}, about)
        return

    texts, points = emobank(options.eval_dir, "train")
    affect = ridge(read_all(encoder, texts, options.cache), in_the_plane(points, points.mean(axis=0)))

    kept = balanced(sentences, shares)
    usual = shares.mean(axis=0)
    emotions = multinomial(
        read_all(encoder, [sentences[row] for row in kept], options.cache), shares[kept], usual
    )
    about: dict[str, object] = {
        "encoder": encoder.identity,
        "emotions": names,
        "fitted_to": [
            {**source, "count": count} for source, count in zip(SOURCES, (len(texts), len(kept)), strict=True)
        ],
        "by": "tests/benchmarks/catalog/fit_heads.py",
    }
    tensors = {"affect": affect, "emotions": emotions, "usual": usual, "threat": hidden}
    write(options.out, tensors, about)
    print(
        f"{options.out}: {options.out.stat().st_size:,} bytes, fitted to {len(texts):,} and {len(kept):,} sentences"
    )


if __name__ == "__main__":
    main()
