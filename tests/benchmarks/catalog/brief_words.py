"""Fit the weights of `catalog/brief/words.py`: a ridge regression from the words of texts to how well styles serve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from music_catalog.brief.words import Vocabulary, Words, terms_of

__all__ = ["fit_words", "matrix", "packed", "tensors_of", "vocabulary_of"]

Array = NDArray[Any]

LEAST_TEXTS = 5
"""So many texts fitted to must have a term."""
PENALTY = 1.0
STEPS = 15


def vocabulary_of(texts: Sequence[str]) -> Vocabulary:
    """Return the terms that enough of the texts have."""
    terms, count = np.unique(np.concatenate([terms_of(text)[0] for text in texts]), return_counts=True)
    kept = count >= LEAST_TEXTS
    rarity = np.log((1 + len(texts)) / (1 + count[kept])) + 1
    return Vocabulary(terms[kept], rarity.astype(np.float32))


def matrix(texts: Sequence[str], vocabulary: Vocabulary) -> Any:
    """Return the words of texts as a sparse matrix, shape (texts, terms)."""
    from scipy.sparse import csr_matrix

    read = [vocabulary.read(text) for text in texts]
    starts = np.cumsum([0, *(len(rows) for rows, _ in read)])
    rows, values = (np.concatenate(part) for part in zip(*read, strict=True))
    return csr_matrix((values, rows, starts), shape=(len(texts), len(vocabulary.terms)))


def fit_words(words: Any, grades: Array, judged: Array, moods: Array) -> Array:
    """Return the weights, shape (terms, styles + 2).

    They tell how far words lift a style's grade above its mean over the texts, and valence and energy of `moods`, shape
    (texts, 2).
    """
    share = grades / 2
    mean = (share * judged).sum(axis=0) / np.maximum(judged.sum(axis=0), 1)
    return _ridge(words, np.hstack([(share - mean) * judged, moods - moods.mean(axis=0)]))


def _ridge(words: Any, wanted: Array) -> Array:
    """Solve by conjugate gradients (Hestenes and Stiefel 1952), each column on its own."""
    wanted, turned = wanted.astype(np.float32), words.T.tocsr()
    rest = turned @ wanted
    weights, way = np.zeros_like(rest), rest.copy()
    left = (rest**2).sum(axis=0)
    for _ in range(STEPS):
        pulled = turned @ (words @ way) + PENALTY * way
        step = left / np.maximum((way * pulled).sum(axis=0), 1e-12)
        weights += step * way
        rest -= step * pulled
        before, left = left, (rest**2).sum(axis=0)
        way = rest + left / np.maximum(before, 1e-12) * way
    return np.asarray(weights)


def packed(vocabulary: Vocabulary, weights: Array) -> Words:
    """Return the weights as they are shipped: 8 bits each."""
    scale = np.maximum(np.abs(weights).max(axis=0), 1e-9) / 127
    steps = np.rint(weights / scale).astype(np.int8)
    rarity = vocabulary.rarity.astype(np.float16).astype(np.float32)
    offset = np.zeros(1, dtype=np.float32)
    return Words(Vocabulary(vocabulary.terms, rarity), steps, scale.astype(np.float32), offset)


def tensors_of(words: Words) -> dict[str, Array]:
    """Return the weights under the names that they have in the file."""
    return {
        "words_terms": words.vocabulary.terms,
        "words_rarity": words.vocabulary.rarity.astype(np.float16),
        "words_weights": words.weights,
        "words_scale": words.scale,
        "words_offset": words.offset,
    }
