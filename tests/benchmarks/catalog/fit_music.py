"""Fit the decision on music to graded pairs, certify its thresholds, measure it, and write the file that is shipped.

    python tests/benchmarks/catalog/fit_music.py --eval-dir DIR [--cache FILE] [--shipped] [--out FILE]

A pair is a text and a track that was made for another text; judges graded whether the track would serve the text (see
`music_fit/PAIRS.md`). The weights are fitted to pairs of texts that the brief was fitted to, with chances of a brief
that was fitted without those texts. The thresholds are certified on the part "calibrate" and measured on the part
"test": texts that nothing was fitted to, by other authors. Beside them stand 630 earlier pairs of other judges. Rivals:
the cosine of the two texts, the mood distance, and the style's chance alone. `--shipped` keeps the weights of the
shipped certificate and measures it on the parts "calibrate" and "test", which they never saw; with `--out` it first
certifies its thresholds anew, for the brief that is shipped now.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

import fit_brief
from brief_readings import Reading
from brief_readings import read_all as read_texts
from brief_texts import FOLDS, applications_of, as_sent, folds_of
from music_labels import FOLDER, read_all_labels, read_labels, read_pairs, read_tracks

from music_catalog import presets
from music_catalog.brief.reader import read_brief
from music_catalog.brief.vectors import logit
from music_catalog.glossary.glossary import LANGUAGES
from music_catalog.reuse.calibration import GRID, RATES, certified, scenes_needed
from music_catalog.reuse.certificate import Bound
from music_catalog.reuse.music_certificate import (
    SHIPPED,
    GlossedBounds,
    MusicCertificate,
    brief_digest,
    identified,
    save,
    version,
)
from music_catalog.reuse.serving import HURTS, NUMBERS
from music_catalog.reuse.terms import LEAST_FIT
from music_catalog.reuse.trials import Trial
from music_catalog.text import encoder
from music_catalog.text.mood import mood_distance

Array = NDArray[np.float64]

PENALTY, LENIENCY_PENALTY = 0.02, 0.003
SOURCE = (
    "pairs of a text and a track that language models graded by tests/benchmarks/catalog/music_fit/PAIRS.md"
)


@dataclass(frozen=True)
class Pairs:
    """Graded pairs, one row a pair."""

    part: NDArray[np.str_]
    """ "fit", "calibrate", "test", "earlier" or "languages"."""
    text: NDArray[np.str_]
    style: NDArray[np.int64]
    numbers: Array
    """Shape (pairs, NUMBERS)."""
    style_fits: Array
    """The chance to fit that the brief gives the style of the track."""
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
        """Return the chances to pass and to fit, as `music_catalog.reuse.serving.chances` gives them."""
        score = self.score(pairs)
        of_brief = np.array([logit(chance) for chance in pairs.style_fits])
        fits = np.minimum(score, (score - self.step + of_brief) / 2)
        return fit_brief._sigmoid(score), fit_brief._sigmoid(fits)


Crossed = dict[str, tuple[Array, Array, Array]]
"""By text: the chances of the styles to pass and to fit, and valence and energy."""


def read_all(
    labelled: list[dict[str, Any]],
    crossed: Crossed,
    earlier: list[dict[str, Any]],
    readings: Readings,
    styles: dict[str, Any],
) -> Pairs:
    """Return the graded pairs with their evidence, as `music_catalog.reuse.serving.evidence` gives it for a request.

    Those of texts that the brief is fitted to are left out where `crossed` lacks the text.
    """
    of_id = {row["id"]: row for row in labelled}
    names, tracks = list(styles), read_tracks()

    def numbers(text: str, track: dict[str, Any]) -> tuple[list[float], float]:
        if text in crossed:
            passes, fits, wanted = crossed[text]
            place = names.index(track["style"])
            chance, style_fits = float(passes[place]), float(fits[place])
        else:
            # Nothing was fitted to this text, so the brief that is shipped reads it as it would a user's.
            brief = readings.brief(text)
            chances, wanted = brief.styles[track["style"]], np.array([brief.valence, brief.energy])
            chance, style_fits = chances.passes, chances.fits
        style, known = (
            styles[track["style"]],
            SimpleNamespace(**{**track, "mood_tags": tuple(track["mood_tags"])}),
        )
        found = {
            "style": logit(chance),
            "valence": abs(wanted[0] - style.valence),
            "energy": abs(wanted[1] - style.energy),
            "mood": mood_distance(readings(text).features, known),
        }
        return [float(found[name]) for name in NUMBERS], style_fits

    rows: list[Any] = []
    for pair in (*read_pairs(), *read_pairs("language_pairs")):
        row, track = of_id[pair["text"]], tracks[pair["track"]]
        if "part" not in row and row["text"] not in crossed:
            continue
        if row["lang"] != "en" and readings(row["text"]).spoken != "en":
            continue  # it is not read word for word in English, and gets no track of another text
        cosine = readings(row["text"]).layers[-1] @ readings(of_id[track["made_for"]]["text"]).layers[-1]
        part = row.get("part", "fit")
        rows.append((part, pair["text"], track["style"], *numbers(row["text"], track), cosine, pair["grade"]))
    for pair in earlier:
        text, track = pair["text"], pair["track"]
        cosine = readings(text).layers[-1] @ readings(track["made_for"]).layers[-1]
        rows.append(("earlier", text, track["style"], *numbers(text, track), cosine, pair["grade"]))
    part, text, style, *rest = zip(*rows, strict=True)
    places = np.array([names.index(name) for name in style])
    return Pairs(np.array(part), np.array(text), places, *(np.array(each) for each in rest))


def cross_fitted(texts: fit_brief.Texts) -> Crossed:
    """Return what a brief says of the texts that the brief is fitted to, by one fitted to others."""
    passes, fits = np.zeros(texts.grades.shape), np.zeros(texts.grades.shape)
    affect = np.zeros((len(texts.rows), 2))
    fitting = texts.part == "fit"
    fold = folds_of(texts)
    for number in range(FOLDS):
        here, others = (fold == number) & fitting, (fold != number) & fitting
        model = fit_brief.model_of(texts, others)
        score, affect[here] = model.scores(texts, here), model.moods(texts, here)
        passes[here], fits[here] = fit_brief._sigmoid(score), fit_brief._sigmoid(score - model.network.step)
    passes, fits = np.round(passes, 4), np.round(fits, 4)
    return {
        texts.rows[number]["text"]: (passes[number], fits[number], affect[number])
        for number in np.flatnonzero(fitting)
    }


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
    for part in ("calibrate", "test", "earlier", "languages"):
        if not (pairs.part == part).any():
            continue
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
        fitting, score = here.grade == 2, model.score(here)
        print(
            f"AUC, fitting against the rest: the chance to fit {auc(fits, fitting):.3f}, evidence alone "
            f"{auc(score, fitting):.3f}, brief alone {auc(here.style_fits, fitting):.3f}; "
            f"mean chance to fit {fits.mean():.3f}"
        )
        glossed = certificate.glossed.bounds if certificate.glossed else ()
        for bound in glossed if part == "languages" else certificate.bounds:
            if bound.threshold is None:
                print(f"  at most {bound.max_false_reuse:.0%} wrong: nothing certified")
                continue
            for name, least in {"whatever the chance to fit": 0.0, **LEAST_FIT}.items():
                served = (passes >= bound.threshold) & (fits >= least)
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
    """Return the certificate: the weights, and thresholds certified on the part "calibrate".

    Those of texts that are read word for word in English are certified on the part "languages".
    """
    here, glossed = (pairs.where(pairs.part == part) for part in ("calibrate", "languages"))
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
            leniency=dict(zip(names, np.round(model.leniency, 4).tolist(), strict=True)),
            bounds=_bounds(here, model),
            glossed=GlossedBounds(
                source_sha256=hashlib.sha256((FOLDER / "language_pairs.jsonl").read_bytes()).hexdigest(),
                languages=LANGUAGES,
                texts=len(set(glossed.text)),
                pairs=len(glossed.text),
                bounds=_bounds(glossed, model),
            ),
        )
    )


def _bounds(pairs: Pairs, model: Model) -> tuple[Bound, ...]:
    """Return a bound for each rate. It holds for all pairs, and for those that are left by the chance to fit too."""
    passes, fits = model.chances(pairs)
    tried = trials(pairs, passes, pairs.grade == 0)
    left = trials(pairs, np.where(fits >= LEAST_FIT["passable"], passes, 0.0), pairs.grade == 0)
    bounds = []
    for rate in RATES:
        grid = _grid(tried, rate)
        by_default = certified(left, rate, grid=grid).threshold
        kept = [limit for limit in grid if by_default is not None and limit >= by_default]
        bounds.append(certified(tried, rate, grid=kept))
    return tuple(bounds)


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
    parser.add_argument("--cache", type=Path, help="keep what is read of texts in this file for later runs")
    parser.add_argument("--shipped", action="store_true", help="measure the shipped certificate, fit nothing")
    options = parser.parse_args()
    reader, styles = encoder.load(), dict(presets.load(None).styles)
    labelled = read_labels(options.eval_dir)
    if options.shipped:
        measure_shipped(labelled, reader, styles, options)
        return
    vectors = reader.encode([style.description for style in styles.values()])
    earlier = [*map(json.loads, (options.eval_dir / "music_fit" / "pairs.jsonl").open(encoding="utf-8"))]
    rows = read_all_labels(options.eval_dir)
    wanted = [*map(as_sent, rows)]
    wanted += [text for pair in earlier for text in (pair["text"], pair["track"]["made_for"])]
    known = read_texts(wanted, reader, options.cache)
    texts = fit_brief.gather(rows, known[: len(rows)], styles, vectors, applications_of(rows, reader))
    readings = Readings(dict(zip(wanted, known, strict=True)), styles, reader)
    pairs = read_all(labelled, cross_fitted(texts), earlier, readings, styles)
    model = fit(pairs.where(np.isin(pairs.part, ["fit", "earlier"])), len(styles))
    certificate = certify(pairs, model, list(styles), reader.identity)
    without = fit(pairs.where(pairs.part == "fit"), len(styles))
    measure(pairs, without, certificate)
    if options.out:
        save(certificate, options.out)


def measure_shipped(
    labelled: list[dict[str, Any]], reader: encoder.Encoder, styles: dict[str, Any], options: Any
) -> None:
    """Print the figures of the shipped certificate on the parts that its weights never saw, or of one made anew."""
    certificate = MusicCertificate.model_validate_json(SHIPPED.read_bytes())
    of_id = {row["id"]: row for row in labelled}
    graded = (*read_pairs(), *read_pairs("language_pairs"))
    ids = {pair["text"] for pair in graded if "part" in of_id[pair["text"]]}
    ids |= {track["made_for"] for track in read_tracks().values()}
    texts = [of_id[each]["text"] for each in sorted(ids)]
    known = read_texts(texts, reader, options.cache)
    readings = Readings(dict(zip(texts, known, strict=True)), styles, reader)
    lenient = [certificate.leniency.get(name, 0.0) for name in styles]
    model = Model(certificate.weights, certificate.step, np.array(lenient))
    pairs = read_all(labelled, {}, [], readings, styles)
    if options.out:
        certificate = certify(pairs, model, list(styles), reader.identity)
        save(certificate, options.out)
    elif certificate.brief != brief_digest():
        raise SystemExit("the certificate is for another brief; certify it anew with --out FILE")
    measure(pairs, model, certificate)
    _check_default(pairs.where(pairs.part == "calibrate"), model, certificate.bounds)
    if certificate.glossed:
        print("read word for word in English:")
        _check_default(pairs.where(pairs.part == "languages"), model, certificate.glossed.bounds)


def _check_default(pairs: Pairs, model: Model, bounds: Sequence[Bound]) -> None:
    """Print whether each rate holds too for what is left by the chance to fit: what hardly fits is not reused."""
    passes, fits = model.chances(pairs)
    tried = trials(pairs, np.where(fits >= LEAST_FIT["passable"], passes, 0.0), pairs.grade == 0)
    for bound in bounds:
        if bound.threshold is not None:
            rate = bound.max_false_reuse
            held = certified(tried, rate, grid=[bound.threshold]).threshold is not None
            print(f"reused by default, at most {rate:.0%} wrong: {'holds' if held else 'fails'}")


class Readings:
    """The vectors, the features and the shipped brief of texts."""

    def __init__(self, known: dict[str, Reading], styles: dict[str, Any], reader: encoder.Encoder) -> None:
        self._known, self._styles, self._reader = known, styles, reader
        self._briefs: dict[str, Any] = {}

    def __call__(self, text: str) -> Reading:
        return self._known[text]

    def brief(self, text: str) -> Any:
        if text not in self._briefs:
            self._briefs[text] = read_brief(*self(text).to_brief(), self._styles, self._reader)
        return self._briefs[text]


if __name__ == "__main__":
    main()
