"""Labelled texts as the model of the brief reads them, and its two parts fitted to them: `fit` and `network_of`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from brief_network import Network, Targets, steadied, train
from brief_readings import Reading, Told
from brief_words import added, fit_moods, fit_words, matrix, vocabulary_of
from music_labels import APPLICATION
from numpy.typing import NDArray

from music_catalog.brief import reader as brief
from music_catalog.brief.words import Vocabulary
from music_catalog.glossary.glossary import to_english
from music_catalog.models import Choices, Context
from music_catalog.models.brief import Culture, TextKind
from music_catalog.presets.vocabulary import ENVIRONMENTS
from music_catalog.request.selection import pick_style
from music_catalog.text.language import recognize
from music_catalog.text.parsed import ENGLISH
from music_catalog.text.sentences import spread
from music_catalog.text.summary import plain_text

__all__ = [
    "CULTURES",
    "FITS",
    "FOLDS",
    "KINDS",
    "PASSABLE",
    "PLACES",
    "WRONG",
    "Fitted",
    "Texts",
    "as_read",
    "as_sent",
    "english_of",
    "fit",
    "folds_of",
    "gather",
    "grades_of",
    "network_of",
    "sigmoid",
    "targets",
    "worded",
    "words_of",
]

Array = NDArray[np.float64]

PENALTY = 3e-3
"""On the weights of a style; on those of the comparisons and of the bias a thirtieth."""
KINDS = list(get_args(TextKind))
CULTURES = [None, *get_args(Culture)]
PLACES = [None, *ENVIRONMENTS]
WRONG, PASSABLE, FITS = 0, 1, 2
OTHERS_TIMES = 3
"""A text in another language than English counts so often: 990 of the 35,006 are."""
APPLICATION_SHARE = 0.5
"""So likely each of the two rows of a text of an application is read in an epoch: it counts once, as another text."""
FOLDS = 3
"""So many networks read the texts fitted to, each those that it was not fitted to."""


@dataclass(frozen=True)
class Texts:
    """Labelled texts with all that the model reads of them; one row a text."""

    rows: list[dict[str, Any]]
    layers: tuple[int, ...]
    """The inner layers of the encoder that are read."""
    centre: Array
    """The mean of each input over the texts that models are fitted to, shape (inputs,)."""
    inputs: Array
    """Above the centre, shape (texts, inputs)."""
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


def gather(
    labelled: list[dict[str, Any]], readings: list[Reading], styles: dict[str, Any], vectors: Array
) -> Texts:
    """Return what the model reads of each labelled text; `vectors` are of the styles' descriptions."""
    names = list(styles)
    inner = inner_layers(len(readings[0][0]))
    inputs, compared, policy = [], [], []
    grades, judged = grades_of(labelled, names)
    for layers, read, text, _ in readings:
        context = Context(text=text)
        inputs.append(brief.inputs(layers, read, inner))
        compared.append(brief.compare(text, layers[-1], read, styles, vectors, vectors.mean(axis=0)))
        policy.append(names.index(pick_style(context, read, Choices(), styles)[0]))
    places = np.array([PLACES.index(read.environment) for _, read, _, _ in readings])
    every, fitted_to = np.stack(inputs), np.array(["part" not in row for row in labelled])
    centre = every[fitted_to].mean(axis=0)
    english = [reading.text if reading.spoken in ENGLISH else "" for reading in readings]
    vocabulary = vocabulary_of(english_of(labelled))
    return Texts(
        labelled,
        inner,
        centre,
        every - centre,
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


def as_read(row: dict[str, Any]) -> str:
    """Return a text as the words are read: as it stands or word for word in English, "" where neither is English."""
    if row["lang"] == "en":
        told = f"{row['application'].rstrip('.')}. " if "application" in row else ""
        return f"{told}{row['text']}"
    plain = plain_text(spread(row["text"]))
    return to_english(plain, recognize(plain)[0]) or ""


def inner_layers(count: int) -> tuple[int, ...]:
    """Return which inner layers of an encoder of `count` layers are read: after a third, two thirds, five sixths."""
    return tuple(count * sixths // 6 - 1 for sixths in (2, 4, 5)) if count >= 6 else ()


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


def network_of(texts: Texts, rows: Any, seed: int = 0) -> Network:
    """Train the network on the rows `rows`."""
    taken = np.flatnonzero(rows)
    others = taken[np.array([texts.rows[row]["lang"] != "en" for row in taken])]
    taken = np.concatenate([taken, *[others] * (OTHERS_TIMES - 1)])
    said = targets([texts.rows[row] for row in taken], texts.grades[taken], texts.judged[taken])
    shares = np.where([texts.rows[row]["kind"] == APPLICATION for row in taken], APPLICATION_SHARE, 1.0)
    network = train(texts.inputs[taken], texts.compared[taken], said, shares, seed)
    return steadied(network, texts.inputs[taken], said.moods)


def words_of(texts: Texts, rows: Any) -> Array:
    """Fit the weights of words to the rows `rows`, shape (terms, styles + 2): of styles, valence and energy."""
    said = [(row["valence"] / 2, row["energy"] / 2) for row in texts.rows]
    words = texts.words[rows]
    of_styles = fit_words(words, texts.grades[rows], texts.judged[rows])
    return np.hstack([of_styles, fit_moods(words, np.array(said)[rows])])


def worded(texts: Texts, network: Network, words: Array, where: Any) -> tuple[Array, Array]:
    """Return the scores of the styles for the texts `where`, shape (texts, styles), and the mood, shape (texts, 2).

    Both are those of `music_catalog.brief.reader.read_brief`; `words` are weights as `words_of` gives them.
    """
    inputs = texts.inputs[where]
    to_score, to_mood = added(texts.words[where], words)
    fitted = network.read(inputs) @ network.weights.T + network.bias + to_score
    chances = sigmoid(fitted) + sigmoid(fitted - network.step)
    mood = brief.mood_of(network.head(network.moods, inputs)[:, :2] + to_mood, chances, texts.style_moods)
    return fitted + texts.compared[where] @ network.compared, mood


def sigmoid(score: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(score, -30, 30))))
