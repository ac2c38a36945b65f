"""Labelled texts as the model of the brief reads them, and what is fitted to them: `fit` and `model_of`."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from brief_network import Network, Targets, steadied, train
from brief_readings import Reading, Told
from brief_words import fit_words, matrix, vocabulary_of
from music_labels import APPLICATION
from numpy.typing import NDArray

from music_catalog.brief import reader as brief
from music_catalog.brief.words import Vocabulary
from music_catalog.models import Choices, Context
from music_catalog.models.brief import Culture, TextKind
from music_catalog.presets.vocabulary import ENVIRONMENTS
from music_catalog.request.selection import pick_style
from music_catalog.text.encoder import Encoder, embed_layers
from music_catalog.text.parsed import ENGLISH, in_english, parse

__all__ = [
    "CULTURES",
    "FITS",
    "FOLDS",
    "KINDS",
    "PASSABLE",
    "PLACES",
    "WRONG",
    "Fitted",
    "Model",
    "Texts",
    "applications_of",
    "as_sent",
    "english_of",
    "fit",
    "folds_of",
    "gather",
    "grades_of",
    "model_of",
    "prepared",
    "sigmoid",
    "targets",
]

Array = NDArray[np.float64]

PENALTY = 3e-3
"""On the weights of a style; on those of the comparisons and of the bias a thirtieth."""
KINDS = list(get_args(TextKind))
CULTURES = [None, *get_args(Culture)]
PLACES = [None, *ENVIRONMENTS]
WRONG, PASSABLE, FITS = 0, 1, 2
OTHERS_TIMES = 3
"""A text in another language than English that no application shows counts so often: 990 of the texts are such."""
APPLICATION_SHARE = 0.5
"""So likely each of the two rows of a text of an application is read in an epoch: it counts once, as another text."""
FOLDS = 3
"""So many networks read the texts fitted to, each those that it was not fitted to."""
WORD_FOLDS = 5
"""So many regressions over words read the texts fitted to, each those of authors that it was not fitted to."""
WORD_SPREAD = 0.4
"""What words say has this standard deviation beside the other inputs."""


@dataclass(frozen=True)
class Texts:
    """Labelled texts with all that the model reads of them; one row a text."""

    rows: list[dict[str, Any]]
    layers: tuple[int, ...]
    """The inner layers of the encoder that are read."""
    centre: Array
    """The mean of each input over the texts that models are fitted to, shape (inputs,)."""
    pooled: int
    """The number of values of the pools among the inputs; they stand behind the inner layers."""
    application_layers: tuple[int, ...]
    """The layers of the encoder after which what the application is is read."""
    inputs: Array
    """Above the centre, without what words say, shape (texts, inputs)."""
    compared: Array
    """Shape (texts, styles, comparisons)."""
    vocabulary: Vocabulary
    """The terms of the English texts that models are fitted to; no label has a part in it."""
    words: Any
    """Sparse, shape (texts, terms); of texts that are not read in English 0."""
    grades: NDArray[np.int64]
    """WRONG, PASSABLE or FITS, shape (texts, styles)."""
    judged: NDArray[np.bool_]
    """Whether the style was on offer when the text was judged, shape (texts, styles)."""
    policy: NDArray[np.int64]
    """What the policy without a model picks."""
    places: NDArray[np.int64]
    """Number of the place of the features in PLACES."""
    style_moods: Array
    """Valence and energy of each style, shape (styles, 2)."""

    @property
    def part(self) -> NDArray[np.str_]:
        """Of each text "fit", or the part that nothing is fitted to."""
        return np.array([row.get("part", "fit") for row in self.rows])


@dataclass(frozen=True)
class Fitted:
    weights: Array
    bias: Array
    compared: Array
    step: float

    def passes_and_fits(self, texts: Texts, rows: Any) -> tuple[Array, Array]:
        score = texts.inputs[rows] @ self.weights + self.bias + texts.compared[rows] @ self.compared
        return sigmoid(score), sigmoid(score - self.step)


@dataclass(frozen=True)
class Model:
    """The network, and the weights of the words that are among its inputs."""

    network: Network
    words: Array
    """Shape (terms, styles + 2)."""

    def inputs(self, texts: Texts, where: Any) -> Array:
        """Return the inputs of the texts `where`, which it is not fitted to, shape (texts, inputs)."""
        return np.hstack([texts.inputs[where], texts.words[where] @ self.words]).astype(np.float32)

    def scores(self, texts: Texts, where: Any) -> Array:
        """Return the score of each style for the texts `where`, shape (texts, styles)."""
        return self.network.scores(self.inputs(texts, where), texts.compared[where])

    def moods(self, texts: Texts, where: Any) -> Array:
        """Return the mood of the music as `music_catalog.brief.reader.read_brief` does, shape (texts, 2)."""
        inputs, network = self.inputs(texts, where), self.network
        fitted = network.read(inputs) @ network.weights.T + network.bias
        chances = sigmoid(fitted) + sigmoid(fitted - network.step)
        return brief.mood_of(network.head(network.moods, inputs)[:, :2], chances, texts.style_moods)


def gather(
    labelled: list[dict[str, Any]],
    readings: list[Reading],
    styles: dict[str, Any],
    vectors: Array,
    applications: Mapping[str, Array],
) -> Texts:
    """Return what the model reads of each labelled text.

    `vectors` are of the styles' descriptions, `applications` of the texts that tell what an application is, by text.
    """
    names = list(styles)
    inner, after = inner_layers(len(readings[0][0])), application_layers(len(readings[0][0]))
    inputs, compared, policy = [], [], []
    grades, judged = grades_of(labelled, names)
    for layers, read, text, _, pooled in readings:
        context = Context(text=text)
        inputs.append(np.concatenate([brief.inputs(layers, read, inner), pooled]))
        compared.append(brief.compare(text, layers[-1], read, styles, vectors, vectors.mean(axis=0)))
        policy.append(names.index(pick_style(context, read, Choices(), styles)[0]))
    places = np.array([PLACES.index(read.environment) for _, read, *_ in readings])
    every, fitted_to = np.stack(inputs), np.array(["part" not in row for row in labelled])
    told = np.array(["application" in row for row in labelled])
    said = np.zeros((len(every), len(after) * len(vectors[0])), dtype=np.float32)
    if told.any():
        said[told] = [
            brief.applied(applications[row["application"]], after) for row in labelled if "application" in row
        ]
    middle = said[told & fitted_to].mean(axis=0) if told.any() else said[0]
    said[told] -= middle
    centre = np.concatenate([every[fitted_to].mean(axis=0), middle])
    inputs_of = np.hstack([every - centre[: every.shape[1]], said])
    english = [reading.text if reading.spoken in ENGLISH else "" for reading in readings]
    vocabulary = vocabulary_of(english_of(labelled))
    return Texts(
        labelled,
        inner,
        centre,
        len(readings[0].pooled),
        after,
        inputs_of,
        np.stack(compared),
        vocabulary,
        matrix(english, vocabulary),
        grades,
        judged,
        np.array(policy),
        places,
        np.array([(style.valence, style.energy) for style in styles.values()]),
    )


def grades_of(
    labelled: list[dict[str, Any]], names: list[str]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the grade of each style for each text, and whether it was on offer; both of shape (texts, styles)."""
    grades = np.zeros((len(labelled), len(names)), dtype=np.int64)
    judged = np.ones_like(grades, dtype=bool)
    earlier = {s for row in labelled if row.get("earlier") for s in (*row["fits"], *row["passable"])}
    for number, row in enumerate(labelled):
        grades[number, [names.index(name) for name in row["passable"]]] = PASSABLE
        grades[number, [names.index(name) for name in row["fits"]]] = FITS
        if row.get("earlier"):
            judged[number] = [name in earlier for name in names]
    return grades, judged


def english_of(labelled: list[dict[str, Any]]) -> list[str]:
    """Return the English texts that models are fitted to, each once."""
    fitted_to = [row for row in labelled if "part" not in row and "application" not in row]
    return [row["text"] for row in fitted_to if row["lang"] == "en"]


def as_sent(row: dict[str, Any]) -> str | Told:
    """Return what is read of a row: its text, with the application where it has one."""
    return Told(row["text"], row["application"]) if "application" in row else str(row["text"])


def applications_of(rows: list[dict[str, Any]], encoder: Encoder) -> dict[str, Array]:
    """Return the vectors of each text that tells what an application is, shape (layers, dimension), by that text."""
    first = {row["application"]: row["text"] for row in rows if "application" in row}
    return {
        told: embed_layers(encoder, in_english(told, encoder, parse(Context(text=text), encoder, None)))
        for told, text in first.items()
    }


def inner_layers(count: int) -> tuple[int, ...]:
    """Return which inner layers of an encoder of `count` layers are read: after a third, two thirds, five sixths."""
    return tuple(count * sixths // 6 - 1 for sixths in (2, 4, 5)) if count >= 6 else ()


def application_layers(count: int) -> tuple[int, ...]:
    """Return after which layers of an encoder of `count` what an application is is read: an inner and the last."""
    return (count * 4 // 6 - 1, count - 1) if count >= 6 else (count - 1,)


def fit(texts: Texts, rows: Any, columns: Any = slice(None)) -> Fitted:
    """Fit an ordinal logistic regression a style, with weights of the comparisons that all styles share."""
    from scipy.optimize import minimize

    x, compared = texts.inputs[rows].astype(float), texts.compared[rows][:, columns].astype(float)
    grades, judged = texts.grades[rows][:, columns], texts.judged[rows][:, columns]
    fits, passable, wrong = (judged & (grades == grade) for grade in (FITS, PASSABLE, WRONG))
    (count, width), styles, comparisons = x.shape, grades.shape[1], compared.shape[2]
    cuts = np.cumsum([width * styles, styles, comparisons])

    def loss(values: Array) -> tuple[float, Array]:
        flat, bias, shared, step = np.split(values, cuts)
        weights, step = flat.reshape(width, styles), np.exp(step)
        score = x @ weights + bias + compared @ shared
        passes, fitting = sigmoid(score), sigmoid(score - step)
        between = np.clip(passes - fitting, 1e-9, 1)
        likelihood = np.where(fits, np.log(fitting + 1e-12), 0) + np.where(passable, np.log(between), 0)
        likelihood += np.where(wrong, np.log(1 - passes + 1e-12), 0)
        slope_pass, slope_fit = passes * (1 - passes), fitting * (1 - fitting)
        slope = np.where(fits, 1 - fitting, 0) + np.where(passable, (slope_pass - slope_fit) / between, 0)
        slope = -(slope + np.where(wrong, -passes, 0)) / count
        step_slope = np.where(fits, -(1 - fitting), 0) + np.where(passable, slope_fit / between, 0)
        total = -likelihood.sum() / count + PENALTY / 2 * (weights**2).sum()
        total += PENALTY / 60 * ((shared**2).sum() + (bias**2).sum())
        gradient = [
            (x.T @ slope + PENALTY * weights).ravel(),
            slope.sum(axis=0) + PENALTY / 30 * bias,
            np.einsum("ns,nsk->k", slope, compared) + PENALTY / 30 * shared,
            [-step_slope.sum() / count * step[0]],
        ]
        return float(total), np.concatenate(gradient)

    start = np.zeros(cuts[-1] + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 100}).x
    flat, bias, shared, step = np.split(found, cuts)
    return Fitted(flat.reshape(width, styles), bias, shared, float(np.exp(step[0])))


def targets(rows: list[dict[str, Any]], grades: Array, judged: Array) -> Targets:
    """Return what judges said of texts; the 600 earlier texts have neither culture nor seriousness."""
    return Targets(
        grades=grades,
        judged=judged,
        moods=np.array([(row["valence"] / 2, row["energy"] / 2, row.get("serious") or 0) for row in rows]),
        kinds=np.array([KINDS.index(row["register"]) for row in rows]),
        cultures=np.array([CULTURES.index(row["culture"]) if "culture" in row else -1 for row in rows]),
    )


def folds_of(texts: Texts) -> NDArray[np.int64]:
    """Return the fold of each row, shape (texts,); the rows of one text are in one fold."""
    drawn = np.random.default_rng(11).integers(0, FOLDS, len(texts.rows)).tolist()
    of_text: dict[str, int] = {}
    return np.array(
        [of_text.setdefault(row["id"], fold) for row, fold in zip(texts.rows, drawn, strict=True)]
    )


def model_of(texts: Texts, rows: Any, seed: int = 0) -> Model:
    """Fit words and network to the rows `rows`."""
    words, inputs, compared, said, shares, _ = prepared(texts, rows)
    network = train(inputs, compared, said, shares, seed)
    return Model(steadied(network, inputs, said.moods), words)


def prepared(texts: Texts, rows: Any) -> tuple[Array, Any, Array, Targets, Array, NDArray[np.int64]]:
    """Return weights of words fitted to the rows `rows`, what `train` takes of these, and which row each is."""
    words, said_by_words = _words_of(texts, rows)
    taken = np.flatnonzero(rows)
    others = taken[np.array([_counts_more(texts.rows[row]) for row in taken])]
    taken = np.concatenate([taken, *[others] * (OTHERS_TIMES - 1)])
    said = targets([texts.rows[row] for row in taken], texts.grades[taken], texts.judged[taken])
    shares = np.where([texts.rows[row]["kind"] == APPLICATION for row in taken], APPLICATION_SHARE, 1.0)
    inputs = np.hstack([texts.inputs[taken], said_by_words[taken]]).astype(np.float32)
    return words, inputs, texts.compared[taken], said, shares, taken


def _counts_more(row: dict[str, Any]) -> bool:
    return row["lang"] != "en" and row["kind"] != APPLICATION


def _words_of(texts: Texts, rows: Any) -> tuple[Array, Array]:
    """Fit the weights of words to the rows `rows`; return them, and what words say of these, shape (texts, styles + 2).

    Words say more of texts that they are fitted to than of others, so of each text weights say it that are fitted to
    texts of other authors (Wolpert 1992).
    """
    rows = np.flatnonzero(rows)
    wanted = np.array([(row["valence"] / 2, row["energy"] / 2) for row in texts.rows])
    fold = np.array([zlib.crc32(_author_of(row).encode()) % WORD_FOLDS for row in texts.rows])

    def fitted_to(some: Any) -> Array:
        return fit_words(texts.words[some], texts.grades[some], texts.judged[some], wanted[some])

    said = np.zeros((len(texts.rows), texts.grades.shape[1] + 2), dtype=np.float32)
    for number in range(WORD_FOLDS):
        here = rows[fold[rows] == number]
        if len(here):
            said[here] = texts.words[here] @ fitted_to(rows[fold[rows] != number])
    scale = WORD_SPREAD / np.maximum(said[rows].std(axis=0), 1e-9)
    return fitted_to(rows) * scale, said * scale


def _author_of(row: dict[str, Any]) -> str:
    """Return what the texts of one author have in common; a text of a public set stands for itself."""
    if row["kind"] == APPLICATION:
        return str(row["app"][:2])
    return str(row["id"]) if "set" in row else str(row["id"]).rpartition("-")[0]


def sigmoid(score: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(score, -30, 30))))
