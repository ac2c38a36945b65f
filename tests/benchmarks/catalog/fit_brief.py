"""Fit the model of `catalog/brief/reader.py` to labelled texts, measure it, and write the file that is shipped.

    python tests/benchmarks/catalog/fit_brief.py --eval-dir DIR [--encoder NAME] [--cache FILE] [--no-figures]
        [--ablation] [--shipped] [--out FILE]

The labels are in `music_fit/` beside this. Each figure is of texts of kinds that the measured model was not fitted to:
the kinds are split into parts, and each part is judged by a model fitted to the others. The kinds in TEST were left
alone while inputs and penalties were chosen. The shipped model is fitted to texts of all kinds but those of the parts
"calibrate" and "test", and is measured on these: by other authors, of other rows of the public sets, some of kinds that
nothing was fitted to. The texts of applications stand behind the others, each alone and with its application; no model
is fitted without them, and `applications.py` measures on others. Rivals: the style most often right,
`documentary_neutral`, the nearest description, and the policy for encoders without a model. Some forty minutes; half of
that with the readings of an earlier run in --cache.
--shipped fits nothing: it measures the shipped model on the texts that nothing was fitted to.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from brief_own import OwnLabels, gather_own, measure_own, scores_apart, train_own
from brief_readings import read_all, read_pools
from brief_texts import (
    CULTURES,
    FITS,
    KINDS,
    PLACES,
    WRONG,
    Model,
    Texts,
    applications_of,
    as_sent,
    fit,
    gather,
    grades_of,
    model_of,
    targets,
)
from brief_texts import sigmoid as _sigmoid
from brief_words import packed, tensors_of
from music_labels import APPLICATION, read_all_labels, read_second

from music_catalog import presets
from music_catalog.brief import own
from music_catalog.brief import reader as brief
from music_catalog.text import encoder

Array = NDArray[np.float64]

TEST = ("science", "personal", "place", "dialogue", "news", "sport")
PARTS = 5
SEED = 0
"""Of the network that is shipped."""
UNSEEN_PENALTY = 0.1


def measure(texts: Texts, styles: dict[str, Any]) -> NDArray[np.float64]:
    """Print the figures of texts of kinds that were not fitted to, and of texts that nothing was fitted to.

    Return how well each style serves each text, shape (texts, styles).
    """
    names = list(styles)
    fresh, fitting = texts.part != "fit", texts.part == "fit"
    kinds = np.array([row["kind"] for row in texts.rows])
    new = np.array([not row.get("earlier") for row in texts.rows]) & (kinds != APPLICATION)
    english = np.array([row["lang"] == "en" for row in texts.rows])
    test = np.isin(kinds, TEST) & new & fitting
    part = {kind: number % PARTS for number, kind in enumerate(sorted({*kinds[~test]} - {APPLICATION}))}
    part[APPLICATION] = -1  # applications.py measures these; every model is fitted to them
    parts = np.array([PARTS if one else part[kind] for kind, one in zip(kinds, test, strict=True)])
    parts[fresh] = -1
    read = Read(len(texts.rows), texts.grades.shape[1])
    for number in range(PARTS + 1):
        here = parts == number
        # Of the kinds of a part none is fitted to, not even by the 600 earlier labels.
        read.by(texts, ~np.isin(kinds, kinds[here]) & fitting, here)
    read.by(texts, fitting, fresh)
    usual = np.tile(((texts.grades == FITS).mean(0) + (texts.grades > WRONG).mean(0)).argmax(), len(kinds))
    nearest = texts.compared[:, :, 3].argmax(axis=1)
    neutral = np.full(len(kinds), names.index("documentary_neutral"))
    choices = {"this model": read.chances.argmax(1), "no words, no layer": read.linear.argmax(1)}
    choices |= {"policy without one": texts.policy, "documentary_neutral": neutral}
    choices |= {"most often right": usual, "nearest description": nearest}
    for title, where in (
        ("kinds chosen with, English", ~test & new & english & fitting),
        ("kinds left alone, English", test & english),
        ("other languages, part languages", texts.part == "languages"),
        ("fresh texts, part calibrate", texts.part == "calibrate"),
        ("fresh texts, part test", texts.part == "test"),
        ("fresh texts, part later", texts.part == "later"),
        ("fresh texts, part scenes", texts.part == "scenes"),
        ("texts of fourteen applications, part users", texts.part == "users"),
    ):
        print(f"\n{title}: {where.sum()} texts\n{'':24}wrong   fits  styles")
        for name, choice in choices.items():
            grades = texts.grades[where, choice[where]]
            share = [np.mean(grades == grade) for grade in (WRONG, FITS)]
            print(f"{name:22}{share[0]:7.1%}{share[1]:7.1%}{len(set(choice[where])):8}")
        _measure_scene(texts, read, where)
    _measure_languages(texts, read.chances.argmax(axis=1), texts.part == "languages")
    covered = (texts.grades == FITS).any(axis=1)[new].mean()
    chosen = set(read.chances.argmax(axis=1)[new])
    print(
        f"\ntexts with a style that fits: {covered:.1%}; styles chosen for some text: {len(chosen)} of {len(names)}"
    )
    return read.chances


class Read:
    """What models say of texts that they were not fitted to, one row a text."""

    def __init__(self, texts: int, styles: int) -> None:
        self.chances, self.linear = np.zeros((2, texts, styles))
        self.moods = np.zeros((texts, 3))
        self.kinds, self.cultures = np.zeros(texts, dtype=int), np.zeros(texts, dtype=int)

    def by(self, texts: Texts, fitted_to: Any, where: Any) -> None:
        """Read the texts `where` by models fitted to the rows `fitted_to`."""
        linear, model = fit(texts, fitted_to), model_of(texts, fitted_to)
        network, inputs, score = model.network, model.inputs(texts, where), model.scores(texts, where)
        self.chances[where] = _sigmoid(score) + _sigmoid(score - network.step)
        self.linear[where] = sum(linear.passes_and_fits(texts, where))
        graver = network.head(network.moods, inputs)[:, 2:]
        self.moods[where] = np.hstack([model.moods(texts, where), graver])
        self.kinds[where] = network.head(network.kinds, inputs).argmax(axis=1)
        self.cultures[where] = network.head(network.cultures, inputs).argmax(axis=1)


def _measure_scene(texts: Texts, read: Read, where: Any) -> None:
    """Print how well mood, kind of text, culture, seriousness and place are read; beside the commonest value."""
    rows = [row for row, here in zip(texts.rows, where, strict=True) if here]
    said = targets(rows, texts.grades[where], texts.judged[where])
    rs = [np.corrcoef(read.moods[where, axis], said.moods[:, axis])[0, 1] for axis in (0, 1, 2)]
    print(f"r of valence {rs[0]:.2f}, of energy {rs[1]:.2f}, of seriousness {rs[2]:.2f}")
    usual_error = np.abs(said.moods[:, 2] - np.median(said.moods[:, 2])).mean()
    error = np.abs(read.moods[where, 2] - said.moods[:, 2]).mean()
    print(f"seriousness is off by {error:.2f}; the commonest value by {usual_error:.2f}")
    places = np.array([PLACES.index(row["place"]) for row in rows])
    for name, guess, true in (
        ("kind of text", read.kinds[where], said.kinds),
        ("culture", read.cultures[where], said.cultures),
        ("place, of the features", texts.places[where], places),
    ):
        usual = np.bincount(true[true >= 0]).max() / (true >= 0).sum()
        print(f"{name} right {np.mean(guess == true):.1%}; the commonest value {usual:.1%}", end="")
        both, either = ((guess == true) & (true > 0)).sum(), (guess > 0).sum() + (true > 0).sum()
        print(
            ""
            if name == "kind of text"
            else f"; F1 of those that are not none {2 * both / max(1, either):.2f}"
        )


def _measure_languages(texts: Texts, choice: NDArray[np.int64], where: Any) -> None:
    """Print how well the model picks in each language."""
    languages = np.array([row["lang"] for row in texts.rows])
    print("\nother languages, this model: wrong, fits")
    for code in sorted(set(languages[where])):
        rows = np.flatnonzero(where & (languages == code))
        grades = texts.grades[rows, choice[rows]]
        print(f"  {code}: {len(rows):3} texts, {np.mean(grades == WRONG):6.1%}{np.mean(grades == FITS):7.1%}")


def ablation(texts: Texts) -> None:
    """Print the figures without each kind of input, of the kinds left alone and of fresh texts to calibrate on."""
    blocks = 1 + len(texts.layers) + len(texts.application_layers)
    dimension = (texts.inputs.shape[1] - 2 - len(brief.TAGS) - texts.pooled) // blocks
    mood = list(range(dimension, dimension + 2 + len(brief.TAGS)))
    vector, nothing = list(range(dimension)), list[int]()
    inner = list(range(mood[-1] + 1, mood[-1] + 1 + dimension * len(texts.layers)))
    pooled = list(range(inner[-1] + 1, inner[-1] + 1 + texts.pooled))
    english = np.array([row["lang"] == "en" for row in texts.rows])
    apart = np.isin([row["kind"] for row in texts.rows], TEST)
    earlier = np.array([bool(row.get("earlier")) for row in texts.rows])
    fitting = texts.part == "fit"
    cases = (
        (~apart & fitting, apart & english & fitting & ~earlier),
        (fitting, texts.part == "calibrate"),
    )
    print(f"\n{'without':34}left alone: wrong, fits, r, r; part calibrate: wrong, fits, r, r")
    for title, inputs, comparisons in (
        ("nothing", nothing, nothing),
        ("the vector and its cosines", vector, [3]),
        ("the vectors of inner layers", inner, nothing),
        ("the weighted means of tokens", pooled, nothing),
        ("mood of the features (words, heads)", mood, [0, 1]),
        ("mood as input, compared still", mood, nothing),
        ("place of the features (prototypes)", nothing, [4, 5]),
        ("topics", nothing, [2]),
        ("cosine to descriptions", nothing, [3]),
        ("all comparisons", nothing, [0, 1, 2, 3, 4, 5]),
    ):
        less = _without(texts, inputs, comparisons)
        figures = [
            figure
            for fitted_to, where in cases
            for figure in _figures(less, model_of(less, fitted_to), where)
        ]
        print(f"{title:36}" + "".join(f"{figure:8.3f}" for figure in figures), flush=True)


def _without(texts: Texts, inputs: list[int], comparisons: list[int]) -> Texts:
    """Return the texts with these columns set to 0."""
    kept, compared = texts.inputs.copy(), texts.compared.copy()
    kept[:, inputs], compared[:, :, comparisons] = 0, 0
    return replace(texts, inputs=kept, compared=compared)


def _figures(texts: Texts, model: Model, where: Any) -> list[float]:
    """Return the shares of wrong and fitting choices, and r of valence and energy."""
    score, mood = model.scores(texts, where), model.moods(texts, where)
    choice = (_sigmoid(score) + _sigmoid(score - model.network.step)).argmax(axis=1)
    grades = np.take_along_axis(texts.grades[where], choice[:, None], 1)
    wanted = np.array([(row["valence"], row["energy"]) for row in texts.rows])[where]
    rs = [float(np.corrcoef(mood[:, axis], wanted[:, axis])[0, 1]) for axis in (0, 1)]
    return [float(np.mean(grades == WRONG)), float(np.mean(grades == FITS)), *rs]


def agreement(texts: Texts) -> None:
    """Print how far a second judge agrees with the first."""
    first, second = {row["id"]: row for row in texts.rows}, read_second()
    shared = [(first[one], second[one]) for one in second if one in first]
    pairs = [(a["fits"][0], b) for a, b in shared] + [(b["fits"][0], a) for a, b in shared]
    fits = np.mean([name in other["fits"] for name, other in pairs])
    wrong = np.mean([name not in (*other["fits"], *other["passable"]) for name, other in pairs])
    print(f"two judges, {len(shared)} texts: the first choice of one is wrong for the other in {wrong:.1%},")
    print(f"fits in {fits:.1%}")


def write(
    path: Path,
    texts: Texts,
    styles: dict[str, Any],
    described: Array,
    lists: list[OwnLabels],
    own_inputs: Array,
    identity: str,
) -> None:
    """Fit to the labels of all kinds and write the file."""
    from safetensors.numpy import save_file

    fitting = texts.part == "fit"
    model = model_of(texts, fitting, SEED)
    network, words = model.network, packed(texts.vocabulary, model.words)
    labelled = [row for row, here in zip(texts.rows, fitting, strict=True) if here]
    invented = [one for one in lists if one.part == "fit"]
    fitted = train_own(texts, invented, own_inputs, scores_apart(texts, model), network.step)
    about = {
        "encoder": identity,
        "styles": list(styles),
        "descriptions": [brief.digest(style) for style in styles.values()],
        "layers": texts.layers,
        "application_layers": texts.application_layers,
        "reads_words": True,
        "unseen_penalty": UNSEEN_PENALTY,
        "text_kinds": KINDS,
        "cultures": CULTURES,
        "texts": len({row["id"] for row in labelled}),
        "labels": "language models that judged by tests/benchmarks/catalog/music_fit/TASK.md",
    }
    large = {
        "hidden": network.hidden,
        "described": described,
        "weights": network.weights,
        "own_hidden": fitted.hidden,
        "own_out": fitted.out,
        "affect": network.moods[:2],
        "scene": np.vstack([network.kinds, network.cultures, network.moods[2:]]),
    }
    if texts.pooled and (pools := read_pools(identity)) is not None:
        large |= {"pool_queries": pools.queries, "pool_values": pools.values}
    small = {
        "centre": np.concatenate([texts.centre, np.zeros(model.words.shape[1])]),
        "bias": network.bias,
        "compared": network.compared,
        "step": np.array([network.step]),
        "own_compared": fitted.compared,
    }
    arrays = {name: np.ascontiguousarray(value, dtype=np.float16) for name, value in large.items()}
    arrays |= {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in small.items()}
    save_file({**arrays, **tensors_of(words)}, str(path), metadata={"about": json.dumps(about)})
    print(f"\nwrote {path}: {path.stat().st_size / 1000:.0f} kB, fitted to {about['texts']:,} texts")


def measure_shipped(
    labelled: list[dict[str, Any]], reader: encoder.Encoder, styles: dict[str, Any], cache: Path | None
) -> None:
    """Print how the shipped model picks for texts that nothing was fitted to, beside rivals that read no vectors."""
    rows = [row for row in labelled if "part" in row]
    readings = read_all([row["text"] for row in rows], reader, cache)
    names = list(styles)
    grades = grades_of(rows, names)[0]
    fitting = grades_of([row for row in labelled if "part" not in row], names)[0]
    usual = ((fitting == FITS).mean(axis=0) + (fitting > WRONG).mean(axis=0)).argmax()
    choices = {"most often right": np.full(len(rows), usual)}
    choices["documentary_neutral"] = np.full(len(rows), names.index("documentary_neutral"))
    read = [brief.read_brief(*reading.to_brief(), styles, reader) for reading in readings]
    chances = [[one.styles[style].fits + one.styles[style].passes for style in names] for one in read]
    choices["this model"] = np.array(chances).argmax(axis=1)
    wanted = np.array([[row["valence"], row["energy"]] for row in rows])
    felt = np.array([[one.valence, one.energy] for one in read])
    picked = {name: np.take_along_axis(grades, choice[:, None], 1)[:, 0] for name, choice in choices.items()}
    for part in dict.fromkeys(row["part"] for row in rows):
        here = np.array([row["part"] == part for row in rows])
        print(f"\npart {part}: {here.sum()} texts")
        for name, one in picked.items():
            print(
                f"{name:22} wrong {np.mean(one[here] == WRONG):6.1%}, fits {np.mean(one[here] == FITS):6.1%}"
            )
        rs = [np.corrcoef(felt[here, axis], wanted[here, axis])[0, 1] for axis in (0, 1)]
        print(f"r of valence {rs[0]:.2f}, of energy {rs[1]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval-dir", type=Path, required=True, help="the folder of public data sets")
    parser.add_argument("--encoder", default=encoder.DEFAULT_MODEL, help="fit to the vectors of this encoder")
    parser.add_argument(
        "--out", type=Path, help="write the model here: a file, or the home that is to use it"
    )
    parser.add_argument(
        "--cache", type=Path, help="keep what is read of each text in this file for later runs"
    )
    parser.add_argument("--no-figures", action="store_true", help="write the model without measuring it")
    parser.add_argument("--shipped", action="store_true", help="measure the shipped model, fit nothing")
    parser.add_argument("--ablation", action="store_true", help="measure too what each kind of input adds")
    options = parser.parse_args()
    reader, styles = encoder.load(options.encoder), dict(presets.load(None).styles)
    labelled = read_all_labels(options.eval_dir)
    if options.shipped:
        measure_shipped(labelled, reader, styles, options.cache)
        return
    vectors = reader.encode([style.description for style in styles.values()])
    described = brief.describe(list(styles.values()), vectors)
    readings = read_all([*map(as_sent, labelled)], reader, options.cache)
    texts = gather(labelled, readings, styles, vectors, applications_of(labelled, reader))
    lists = gather_own(texts, readings, vectors, reader)
    own_inputs = own.inputs(list(styles), list(styles.values()), reader)
    if not options.no_figures:
        agreement(texts)
        chances = measure(texts, styles)
        model = model_of(texts, texts.part == "fit", SEED)
        measure_own(texts, lists, own_inputs, vectors, model, chances, UNSEEN_PENALTY)
    if options.ablation:
        ablation(texts)
    if options.out:
        out = options.out / brief.file_name(reader.identity) if options.out.is_dir() else options.out
        write(out, texts, styles, described, lists, own_inputs, reader.identity)


if __name__ == "__main__":
    main()
