"""Fit the decision on music to graded pairs, certify its thresholds, measure it, and write the file that is shipped.

    python tests/benchmarks/catalog/fit_music.py --eval-dir DIR [--cache FILE] [--out FILE]

A pair is a text and a track that was made for another text; judges graded whether the track would serve the text (see
`music_fit/PAIRS.md`). The weights are fitted to pairs of texts that the brief was fitted to, with chances of a brief
that was fitted without those texts. The thresholds are certified on the part "calibrate" and measured on the part
"test": texts that nothing was fitted to, by other authors. Beside them stand 630 earlier pairs of other judges. Rivals:
the cosine of the two texts, the mood distance, and the style's chance alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

import fit_brief
from brief_readings import read_all as read_texts
from music_labels import FOLDER, read_labels, read_pairs, read_tracks

from music_catalog import presets
from music_catalog.brief.reader import read_brief
from music_catalog.brief.vectors import logit
from music_catalog.reuse.calibration import GRID, RATES, certified, scenes_needed
from music_catalog.reuse.music_certificate import MusicCertificate, brief_digest, identified, version
from music_catalog.reuse.serving import HURTS, NUMBERS
from music_catalog.reuse.terms import LIKELY
from music_catalog.reuse.trials import Trial
from music_catalog.text import encoder
from music_catalog.text.mood import mood_distance

Array = NDArray[np.float64]

FOLDS = 3
PENALTY, LENIENCY_PENALTY = 0.02, 0.003
SOURCE = (
    "pairs of a text and a track that language models graded by tests/benchmarks/catalog/music_fit/PAIRS.md"
)


@dataclass(frozen=True)
class Pairs:
    """Graded pairs, one row a pair."""

    part: NDArray[np.str_]
    """ "fit", "calibrate", "test" or "earlier"."""
    text: NDArray[np.str_]
    style: NDArray[np.int64]
    numbers: Array
    """Shape (pairs, NUMBERS)."""
    cosine: Array
    grade: NDArray[np.int64]

    def where(self, rows: Any) -> Pairs:
        return Pairs(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Model:
    weights: dict[str, float]
    step: float
    leniency: Array

    def score(self, pairs: Pairs) -> Array:
        given = np.array([self.weights[name] for name in NUMBERS])
        return np.asarray(self.weights["constant"] + pairs.numbers @ given + self.leniency[pairs.style])

    def chances(self, pairs: Pairs) -> tuple[Array, Array]:
        score = self.score(pairs)
        return fit_brief._sigmoid(score), fit_brief._sigmoid(score - self.step)


def read_all(
    texts: fit_brief.Texts, earlier: list[dict[str, Any]], readings: Readings, styles: dict[str, Any]
) -> Pairs:
    """Return every graded pair with its evidence, as `music_catalog.reuse.serving.evidence` gives it for a request."""
    passes, affect = _cross_fitted(texts)
    row_of = {row["text"]: number for number, row in enumerate(texts.rows)}
    of_id = {row["id"]: row for row in texts.rows}
    names, tracks = list(styles), read_tracks()

    def numbers(text: str, track: dict[str, Any]) -> list[float]:
        number = row_of.get(text)
        if number is not None and texts.part[number] == "fit":
            chance = float(passes[number, names.index(track["style"])])
            wanted = affect[number]
        else:
            # Nothing was fitted to this text, so the brief that is shipped reads it as it would a user's.
            brief = readings.brief(text)
            chance, wanted = brief.styles[track["style"]].passes, (brief.valence, brief.energy)
        style, known = (
            styles[track["style"]],
            SimpleNamespace(**{**track, "mood_tags": tuple(track["mood_tags"])}),
        )
        found = {
            "style": logit(chance),
            "valence": abs(wanted[0] - style.valence),
            "energy": abs(wanted[1] - style.energy),
            "mood": mood_distance(readings(text)[1], known),
        }
        return [float(found[name]) for name in NUMBERS]

    rows: list[Any] = []
    for pair in read_pairs():
        row, track = of_id[pair["text"]], tracks[pair["track"]]
        cosine = readings(row["text"])[0][-1] @ readings(of_id[track["made_for"]]["text"])[0][-1]
        part = row.get("part", "fit")
        rows.append((part, pair["text"], track["style"], numbers(row["text"], track), cosine, pair["grade"]))
    for pair in earlier:
        text, track = pair["text"], pair["track"]
        cosine = readings(text)[0][-1] @ readings(track["made_for"])[0][-1]
        rows.append(("earlier", text, track["style"], numbers(text, track), cosine, pair["grade"]))
    part, text, style, found, cosines, grade = zip(*rows, strict=True)
    places = np.array([names.index(name) for name in style])
    return Pairs(np.array(part), np.array(text), places, np.array(found), np.array(cosines), np.array(grade))


def _cross_fitted(texts: fit_brief.Texts) -> tuple[Array, Array]:
    """Return the chances to pass and the affect of the texts that the brief is fitted to, by one fitted to others."""
    passes, affect = np.zeros(texts.grades.shape), np.zeros((len(texts.rows), 2))
    fitting = texts.part == "fit"
    fold = np.random.default_rng(11).integers(0, FOLDS, len(texts.rows))
    for number in range(FOLDS):
        here, others = (fold == number) & fitting, (fold != number) & fitting
        network = fit_brief.network_of(texts, others)
        passes[here] = fit_brief._sigmoid(network.scores(texts.inputs[here], texts.compared[here]))
        affect[here] = network.head(network.moods, texts.inputs[here])[:, :2]
    return np.round(passes, 4), np.clip(affect, -1, 1)


def fit(pairs: Pairs, styles: int) -> Model:
    """Fit the ordinal logistic regression of the greatest likelihood, with the signs that the evidence must have."""
    from scipy.optimize import minimize

    spread = pairs.numbers.std(axis=0)
    x, count, width = pairs.numbers / spread, len(pairs.grade), len(NUMBERS)
    fits, passable = pairs.grade == 2, pairs.grade == 1

    def loss(values: Array) -> tuple[float, Array]:
        constant, step, given, leniency = (
            values[0],
            np.exp(values[1]),
            values[2 : 2 + width],
            values[2 + width :],
        )
        score = constant + x @ given + leniency[pairs.style]
        passes, fitting = fit_brief._sigmoid(score), fit_brief._sigmoid(score - step)
        between = np.clip(passes - fitting, 1e-9, 1)
        likelihood = np.where(
            fits, np.log(fitting + 1e-12), np.where(passable, np.log(between), np.log(1 - passes + 1e-12))
        )
        slopes = (passes * (1 - passes) - fitting * (1 - fitting)) / between
        slope = np.where(fits, 1 - fitting, np.where(passable, slopes, -passes))
        step_slope = np.where(fits, -(1 - fitting), np.where(passable, fitting * (1 - fitting) / between, 0))
        total = -likelihood.mean() + PENALTY / 2 * given @ given + LENIENCY_PENALTY / 2 * leniency @ leniency
        gradient = [
            [-slope.mean()],
            [-step_slope.mean() * step],
            -(x.T @ slope) / count + PENALTY * given,
            -np.bincount(pairs.style, slope, styles) / count + LENIENCY_PENALTY * leniency,
        ]
        return float(total), np.concatenate(gradient)

    limits: list[Any] = [(None, None), (None, None)]
    limits += [(None, 0.0) if name in HURTS else (0.0, None) for name in NUMBERS]
    limits += [(None, None)] * styles
    found = minimize(loss, np.zeros(len(limits)), jac=True, method="L-BFGS-B", bounds=limits).x
    given = dict(zip(NUMBERS, (found[2 : 2 + width] / spread).tolist(), strict=True))
    return Model({"constant": float(found[0]), **given}, float(np.exp(found[1])), found[2 + width :])


def trials(pairs: Pairs, chance: Array, wrong: Any) -> list[Trial]:
    """Return a trial a pair; the pairs of one text share its weight."""
    sizes = dict(zip(*np.unique(pairs.text, return_counts=True), strict=True))
    return [
        Trial(text, 1 / int(sizes[text]), not bad, value, value * bad, value * (not bad))
        for text, value, bad in zip(pairs.text.tolist(), chance.tolist(), wrong.tolist(), strict=True)
    ]


def auc(score: Array, right: Any) -> float:
    """Return the chance that a right pair scores above a wrong one (Mann and Whitney 1947)."""
    from scipy.stats import rankdata

    ranks, count = rankdata(score), right.sum()
    return float((ranks[right].sum() - count * (count + 1) / 2) / (count * (len(right) - count)))


def measure(pairs: Pairs, model: Model, certificate: MusicCertificate) -> None:
    """Print the figures of pairs that nothing was fitted to, and how far a second judge agrees."""
    _agreement()
    for part in ("calibrate", "test", "earlier"):
        here = pairs.where(pairs.part == part)
        passes, fits = model.chances(here)
        right = here.grade > 0
        print(
            f"\n{part}: {len(right)} pairs of {len(set(here.text))} texts, "
            f"wrong {np.mean(~right):.1%}, fitting {np.mean(here.grade == 2):.1%}"
        )
        style, mood = here.numbers[:, 0], here.numbers[:, NUMBERS.index("mood")]
        rivals = {
            "the decision": passes,
            "style's chance": style,
            "mood distance": -mood,
            "cosine": here.cosine,
        }
        print(
            "AUC, wrong against the rest: "
            + ", ".join(f"{name} {auc(value, right):.3f}" for name, value in rivals.items())
        )
        for bound in certificate.bounds:
            if bound.threshold is None:
                print(f"  at most {bound.max_false_reuse:.0%} wrong: nothing certified")
                continue
            for name, served in (
                ("passable", passes >= bound.threshold),
                ("fits", (passes >= bound.threshold) & (fits >= LIKELY)),
            ):
                shares = [np.mean(here.grade[served] == grade) for grade in (0, 2)]
                print(
                    f"  at most {bound.max_false_reuse:.0%} wrong, {name}: {bound.threshold:.2f} and above, "
                    f"{served.mean():.0%} of the pairs, wrong {shares[0]:.1%}, fitting {shares[1]:.1%}"
                )


def _agreement() -> None:
    first = {(pair["text"], pair["track"]): pair["grade"] for pair in read_pairs()}
    second = {(pair["text"], pair["track"]): pair["grade"] for pair in read_pairs("second_pairs")}
    both = [(first[key], grade) for key, grade in second.items() if key in first]
    a, b = (np.array(each) for each in zip(*both, strict=True))
    share = [[np.mean(each == grade) for grade in range(3)] for each in (a, b)]
    chance = sum(share[0][i] * share[1][j] * abs(i - j) for i in range(3) for j in range(3))
    kappa = 1 - np.abs(a - b).mean() / chance
    print(
        f"two judges, {len(a)} pairs: the same grade {np.mean(a == b):.0%}, wrong for one and fitting for the "
        f"other {np.mean(np.abs(a - b) == 2):.1%}, weighted kappa {kappa:.2f}"
    )


def certify(pairs: Pairs, model: Model, names: list[str], identity: str) -> MusicCertificate:
    """Return the certificate: the weights, and thresholds certified on the part "calibrate"."""
    here = pairs.where(pairs.part == "calibrate")
    tried = trials(here, model.chances(here)[0], here.grade == 0)
    return identified(
        MusicCertificate(
            made_at=datetime.now(timezone.utc).replace(microsecond=0),
            source=SOURCE,
            source_sha256=hashlib.sha256((FOLDER / "pairs.jsonl").read_bytes()).hexdigest(),
            encoder=identity,
            brief=brief_digest(),
            features=version(),
            texts=len(set(here.text)),
            pairs=len(here.text),
            weights={name: round(value, 4) for name, value in model.weights.items()},
            step=round(model.step, 4),
            leniency={
                name: round(float(value), 4) for name, value in zip(names, model.leniency, strict=True)
            },
            bounds=tuple(certified(tried, rate, grid=_grid(tried, rate)) for rate in RATES),
        )
    )


def _grid(tried: list[Trial], rate: float) -> list[float]:
    """Return the thresholds to test, strict to lenient: those at which twice as many texts reuse as certifying takes.

    At a stricter one a single wrong reuse would end the tests. This looks at no grade.
    """
    needed = 2 * scenes_needed(rate)
    return [limit for limit in GRID if len({one.scene for one in tried if one.reused_to >= limit}) >= needed]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval-dir", type=Path, required=True, help="the folder of public data sets")
    parser.add_argument("--out", type=Path, help="write the shipped file here")
    parser.add_argument(
        "--cache", type=Path, help="keep what is read of each text in this file for later runs"
    )
    options = parser.parse_args()
    reader, styles = encoder.load(), dict(presets.load(None).styles)
    vectors = reader.encode([style.description for style in styles.values()])
    labelled = read_labels(options.eval_dir)
    earlier = [
        json.loads(line) for line in (options.eval_dir / "music_fit" / "pairs.jsonl").open(encoding="utf-8")
    ]
    wanted = [row["text"] for row in labelled]
    wanted += [text for pair in earlier for text in (pair["text"], pair["track"]["made_for"])]
    known = read_texts(wanted, reader, options.cache)
    texts = fit_brief.gather(labelled, known[: len(labelled)], styles, vectors)
    readings = Readings(dict(zip(wanted, known, strict=True)), styles, reader)
    pairs = read_all(texts, earlier, readings, styles)
    model = fit(pairs.where(np.isin(pairs.part, ["fit", "earlier"])), len(styles))
    certificate = certify(pairs, model, list(styles), reader.identity)
    without = fit(pairs.where(pairs.part == "fit"), len(styles))
    measure(pairs, without, certificate)
    if options.out:
        options.out.write_text(certificate.model_dump_json(indent=1) + "\n", encoding="utf-8")
        print(f"\nwrote {options.out}: certificate {certificate.id}")


class Readings:
    """The vectors, the features and the shipped brief of texts."""

    def __init__(self, known: dict[str, Any], styles: dict[str, Any], reader: encoder.Encoder) -> None:
        self._known, self._styles, self._reader = known, styles, reader
        self._briefs: dict[str, Any] = {}

    def __call__(self, text: str) -> Any:
        return self._known[text]

    def brief(self, text: str) -> Any:
        if text not in self._briefs:
            layers, read = self(text)
            self._briefs[text] = read_brief(text, layers, read, self._styles, self._reader)
        return self._briefs[text]


if __name__ == "__main__":
    main()
