"""From a text to its brief: how well music of each style would serve it, and how the music should feel.

One small model reads the text's features and its vectors after some layers of the encoder: the inner layers tell mood
and manner, which the last one, trained to tell topics, leaves out. Beside them it reads weighted means of the text's
tokens (`pools`). `tests/benchmarks/catalog/fit_brief.py` fitted it to texts that language models judged as music
supervisors. It is bound to the encoder that it was fitted to. `own` tells how a style is read that it was not fitted
to, such as a user's own. docs/FITTING.md holds the figures.

A style s has one score for a text: z = x·w_s + b_s + g·c(s). x are the inputs of the text with a hidden layer of
rectified linear units beside them; c compares the text with what the preset says of the style. Among the inputs are
what a regression over the words of an English text says (`words`), and vectors of what the application is, where that
is told. The chance that the style passes is sigmoid(z), that it fits sigmoid(z - step): an ordinal logistic regression
(McCullagh 1980). Kind of text, culture and seriousness are read from the same x, and the mood of the music from x and
the styles that serve.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Unavailable
from ..models import Brief, Features, StyleFit
from ..presets.vocabulary import MOODS
from ..text.encoder import Encoder
from ..text.minilm import single_threaded_blas
from ..text.parsed import ENGLISH
from .model import DECLARED, BriefModel, read_model
from .own import StyleLike, all_of, said
from .own import inputs as own_inputs
from .pools import TextVectors
from .topics import fold, topics_in

__all__ = [
    "DECLARED",
    "MODEL_FILE",
    "BriefModel",
    "StyleLike",
    "applied",
    "compare",
    "describe",
    "digest",
    "file_name",
    "has_own",
    "inputs",
    "likeness",
    "load",
    "mood_of",
    "own_weights",
    "read_brief",
    "row_of",
    "words_of",
]

Array = NDArray[np.float32]

MODEL_FILE = Path(__file__).with_name("brief.safetensors")
VECTOR_SCALE, LAYER_SCALE, FEATURE_SCALE = 4.0, 5.6, 0.7
"""Bring the inputs to a size at which one penalty on the weights suits both."""
COSINE_SCALE = 3.0
MOST_SHARED = 3
TAGS = tuple(MOODS)


def load(identity: str, home: Path | None = None) -> BriefModel | None:
    """Return the model of the encoder with that identity: the user's own in `home`, else a shipped one, else None.

    The user's own are files `brief-*.safetensors`, which `fit_brief.py --encoder NAME --out HOME` writes. Raises
    Unavailable for a file that is damaged or no such model.
    """
    own = sorted(home.glob("brief-*.safetensors")) if home is not None else []
    for path in (*own, *sorted(MODEL_FILE.parent.glob("brief*.safetensors"))):
        stat = path.stat()
        encoder, model = read_model(path, stat.st_mtime_ns, stat.st_size)
        if encoder == identity:
            return model
    return None


def has_own(identity: str, home: Path) -> bool:
    """Return whether `home` holds a model of the user's own for the encoder with that identity. Raises Unavailable."""
    return any(_identity_of(path) == identity for path in home.glob("brief-*.safetensors"))


def _identity_of(path: Path) -> str:
    stat = path.stat()
    return read_model(path, stat.st_mtime_ns, stat.st_size)[0]


def file_name(identity: str) -> str:
    """Return the name of a model's file in a home: "brief-" and the beginning of the encoder's sha256."""
    return f"brief-{identity.partition('@')[2].partition('/')[0]}.safetensors"


@single_threaded_blas()
def read_brief(
    text: str,
    vectors: TextVectors,
    features: Features,
    styles: Mapping[str, StyleLike],
    encoder: Encoder,
    home: Path | None = None,
    application: Array | None = None,
) -> Brief | None:
    """Return the brief of a text over the presets `styles`; None with an encoder that no model was fitted to.

    `application` are the unit vectors of what the application is after each layer of the encoder, shape
    (layers, dimension), None where that is not told. `home` may hold the user's own models. Raises Unavailable for a
    model that cannot be read.
    """
    model = load(encoder.identity, home)
    if model is None:
        return None
    layers = vectors.layers
    if (deepest := max((*model.layers, *model.application_layers), default=0)) >= len(layers):
        raise Unavailable(
            f"the model of the brief for {encoder.identity} reads layer {deepest + 1} of the encoder, which "
            f"gives {len(layers)}; fit it again with fit_brief.py, or delete it"
        )
    said_by_words = words_of(model, text, features)
    read = _inputs(model, vectors, features, said_by_words, application)
    if len(read) != model.width:
        raise Unavailable(
            f"the model of the brief for {encoder.identity} reads {model.width} inputs and a text has {len(read)}; "
            "fit it again with fit_brief.py, or delete it"
        )
    read = model.read(read)
    rows, own, described = _weights_of(model, tuple(styles), tuple(styles.values()), encoder)
    usual = model.described[:, : described.shape[1]].mean(axis=0)
    compared = compare(text, layers[-1], features, styles, described, usual)
    mood = np.clip(model.affect @ read, -1, 1)
    fitted = model.weights @ read[:-1] + model.bias
    if model.reads_words:
        worded, to_mood = fitted, np.zeros(2, dtype=np.float32)
    else:
        # Styles of the user's own are weighed without the words: with them they were picked no better.
        added, to_mood = np.split(said_by_words, [len(fitted)])
        worded = fitted + added
    score = compared @ model.compared
    score[rows >= 0] += worded[rows[rows >= 0]]
    if len(own):
        score[rows < 0] = own @ said(fitted, mood) + compared[rows < 0] @ model.compared_to_own
    if len(to_mood):
        chances = _sigmoid(worded) + _sigmoid(worded - model.step)
        mood = mood_of(model.affect @ read + to_mood, chances, model.described[:, -DECLARED:][:, :2])
    valence, energy = mood.tolist()
    passes, fits = _sigmoid(score), _sigmoid(score - model.step)
    return Brief(
        styles={
            name: StyleFit(fits=round(float(fit), 4), passes=round(float(chance), 4))
            for name, fit, chance in zip(styles, fits, passes, strict=True)
        },
        valence=round(valence, 3),
        energy=round(energy, 3),
        place=features.environment,
        **_scene(model, read),
    )


def _inputs(
    model: BriefModel,
    vectors: TextVectors,
    features: Features,
    said_by_words: Array,
    application: Array | None,
) -> Array:
    """Return all that the model reads of a text, shape (inputs,)."""
    # What is not told stands for nothing: the mean, which is taken off.
    told = model.centre[model.told] if application is None else applied(application, model.application_layers)
    worded = said_by_words if model.reads_words else said_by_words[:0]
    parts = [inputs(vectors.layers, features, model.layers), vectors.pooled, told, worded]
    return np.concatenate(parts).astype(np.float32)


def words_of(model: BriefModel, text: str, features: Features) -> Array:
    """Return what the words of a text say of each fitted style, and of the mood; see `Words.scores`.

    Of a text that is not read as English that is nothing.
    """
    english = features.language.partition("-")[0].lower() in ENGLISH
    if model.words is None:
        return np.zeros(len(model.names), dtype=np.float32)
    return model.words.scores(text) if english else np.zeros_like(model.words.scale)


def mood_of(read: NDArray[Any], chances: NDArray[Any], moods: NDArray[Any]) -> NDArray[Any]:
    """Return valence and energy of the music wanted, -1 to 1, shape (..., 2).

    `read` is what vectors and words say of them, shape (..., 2), `chances` the sums of both chances of the fitted
    styles, shape (..., styles), and `moods` the moods of these, shape (styles, 2). The mean of what is read and of the
    mood of the styles that serve correlates better with the labels than either (docs/FITTING.md).
    """
    weights = chances**2
    of_styles = weights @ moods / weights.sum(axis=-1, keepdims=True)
    return np.asarray(np.clip((read + of_styles) / 2, -1, 1))


def _scene(model: BriefModel, read: Array) -> dict[str, Any]:
    """Return kind of text, culture and seriousness."""
    if model.scene is None:
        return {}
    kinds, cultures, rest = np.split(
        model.scene @ read, np.cumsum([len(model.text_kinds), len(model.cultures)])
    )
    return {
        "text_kind": model.text_kinds[int(kinds.argmax())],
        "culture": model.cultures[int(cultures.argmax())],
        "serious": round(float(np.clip(rest[0], 0, 3)), 2),
    }


def inputs(layers: Array, features: Features, inner: Sequence[int]) -> Array:
    """Return what the model reads of a text, float32 of shape (inputs,): its vector, its mood, the `inner` layers.

    `layers` are its unit vectors after each layer of the encoder, shape (layers, dimension).
    """
    mood = [features.valence, features.energy, *(tag in features.mood_tags for tag in TAGS)]
    parts = [
        VECTOR_SCALE * layers[-1],
        FEATURE_SCALE * np.asarray(mood),
        LAYER_SCALE * layers[[*inner]].ravel(),
    ]
    return np.concatenate(parts).astype(np.float32)


def applied(layers: Array, read: Sequence[int]) -> Array:
    """Return what the model reads of what the application is, float32 of shape (inputs,): the vectors after layers.

    `layers` are the unit vectors after each layer of the encoder, shape (layers, dimension); those of `read` are read.
    """
    return np.asarray(LAYER_SCALE * layers[[*read]].ravel(), dtype=np.float32)


def compare(
    text: str,
    vector: Array,
    features: Features,
    styles: Mapping[str, StyleLike],
    vectors: Array,
    usual: Array,
) -> Array:
    """Return how a text stands to each style, float32 of shape (styles, 6).

    In order: distance of the moods; mood tags in common; topics that the text speaks of; cosine to the style's
    description (one row of `vectors` each) above that to `usual`, the mean of the descriptions fitted to; whether the
    style brings sounds of the text's place, and of another place.
    """
    cosines = COSINE_SCALE * ((vectors - usual) @ vector)
    folded = fold(text)
    rows = [
        (
            ((style.valence - features.valence) ** 2 + (style.energy - features.energy) ** 2) ** 0.5,
            min(MOST_SHARED, sum(tag in style.moods for tag in features.mood_tags)),
            len(topics_in(folded, style.topics)),
            cosine,
            style.environment is not None and style.environment == features.environment,
            style.environment is not None and style.environment != features.environment,
        )
        for style, cosine in zip(styles.values(), cosines.tolist(), strict=True)
    ]
    return np.asarray(rows, dtype=np.float32)


def describe(styles: Sequence[StyleLike], vectors: Array) -> Array:
    """Return what tells styles apart, float32 of shape (styles, dimension + DECLARED)."""
    rest = [(style.valence, style.energy, style.environment is not None) for style in styles]
    return np.concatenate([vectors, np.asarray(rest)], axis=1).astype(np.float32)


def digest(style: StyleLike) -> str:
    """Return the first 16 hex digits of the sha256 of a style's description."""
    return hashlib.sha256(style.description.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _weights_of(
    model: BriefModel, names: tuple[str, ...], styles: tuple[StyleLike, ...], encoder: Encoder
) -> tuple[NDArray[np.int64], Array, Array]:
    """Return the row of each style in the model, -1 for the user's own; weights of these; vectors of descriptions.

    Kept for later calls.
    """
    key = (id(model), names, tuple(map(all_of, styles)))
    # Another thread may serve another library meanwhile and clear this: what is returned is never read back.
    if (known := _known.get(key)) is None:
        known = _work_out(model, names, styles, encoder)
        _known.clear()
        _known[key] = known
    return known


_known: dict[Any, tuple[NDArray[np.int64], Array, Array]] = {}


def _work_out(
    model: BriefModel, names: tuple[str, ...], styles: tuple[StyleLike, ...], encoder: Encoder
) -> tuple[NDArray[np.int64], Array, Array]:
    rows = np.array([row_of(model, name, style) for name, style in zip(names, styles, strict=True)])
    dimension = model.described.shape[1] - DECLARED
    vectors = model.described[rows, :dimension]
    unseen = np.flatnonzero(rows < 0)
    if not len(unseen):
        return rows, np.zeros((0, len(model.names) + 3), dtype=np.float32), vectors
    some = [styles[place] for place in unseen]
    vectors[unseen] = encoder.encode([style.description for style in some])
    return rows, own_weights(model, [names[place] for place in unseen], some, encoder), vectors


def row_of(model: BriefModel, name: str, style: StyleLike) -> int:
    """Return the row of a style in the model; -1 where the model was not fitted to it as it is described."""
    known = name in model.names and model.digests[model.names.index(name)] == digest(style)
    return model.names.index(name) if known else -1


def own_weights(
    model: BriefModel, names: Sequence[str], styles: Sequence[StyleLike], encoder: Encoder
) -> Array:
    """Return the weights of styles that were never fitted, shape (styles, fitted styles + 3); see `own`."""
    if model.own is not None:
        return model.own.weights(own_inputs(names, styles, encoder))
    vectors = encoder.encode([style.description for style in styles])
    shares = likeness(model.described[:, :-DECLARED], vectors, model.unseen_penalty)
    return np.pad(shares, ((0, 0), (0, 3)))


def likeness(described: Array, vectors: Array, penalty: float) -> Array:
    """Return how much of each fitted style other styles are, by their descriptions alone: kernel ridge regression.

    `described` are the vectors of the fitted descriptions, `vectors` those of the others. Each row has the sum 1. This
    serves models that were written without a network for the user's own styles.
    """
    middle, count = described.mean(axis=0), len(described)
    known, new = _unit(described - middle), _unit(vectors - middle)
    kernel = 1 + known @ known.T + penalty * np.eye(count, dtype=np.float32)
    apart = np.eye(count, dtype=np.float32) - 1 / count
    return np.asarray(1 / count + (1 + new @ known.T) @ np.linalg.solve(kernel, apart), dtype=np.float32)


def _unit(rows: Array) -> Array:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))


def _sigmoid(score: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(1 / (1 + np.exp(-np.clip(score, -30, 30))))
