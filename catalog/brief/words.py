"""The single words of a text, and what they say of the fitted styles and of the mood of the music.

The encoder's vectors tell what a text is about; the words by which people tell a mood or a manner often hardly move
them. So each word, each two words that follow each other, and the first five letters of each word, which it shares with
its inflections, have their own weights for each style, and for valence and energy of the music: a ridge regression over
TF-IDF (Salton and Buckley 1988). `tests/benchmarks/catalog/brief_words.py` fitted it to the labelled texts.

Terms are known by their CRC-32, which is the same in every process, so that the file holds numbers in place of words.
A term that no fitted text had adds nothing; some 1 in 53,000 of them is taken for another one.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .topics import READ_CHARACTERS

__all__ = ["Vocabulary", "Words", "terms_of"]

Array = NDArray[np.float32]

BEGINNING = 5
"""So many letters of a word are a term too; a model that was written before this knows no such term."""
_WORD = re.compile(r"\w+")


def terms_of(text: str) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return the CRC-32 of each word, beginning of a word and pair of words, ascending, and how often a text has it."""
    words = _WORD.findall(text[:READ_CHARACTERS].lower())
    terms = [*words, *(f"#{word[:BEGINNING]}" for word in words)]
    terms += [f"{one} {after}" for one, after in pairwise(words)]
    numbers = [zlib.crc32(term.encode("utf-8", "surrogatepass")) for term in terms]
    return np.unique(np.asarray(numbers, dtype=np.uint32), return_counts=True)


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The terms that are known."""

    terms: NDArray[np.uint32]
    """Their CRC-32, ascending, shape (terms,)."""
    rarity: Array
    """Their inverse document frequency, shape (terms,)."""

    def read(self, text: str) -> tuple[NDArray[np.int64], Array]:
        """Return the rows of the known terms of a text and their weights, a unit vector; both of shape (found,)."""
        numbers, counts = terms_of(text)
        rows = np.searchsorted(self.terms, numbers)
        known = (
            self.terms.take(rows, mode="clip") == numbers if len(self.terms) else np.zeros(len(rows), bool)
        )
        rows = rows[known]
        values = (1 + np.log(counts[known])) * self.rarity[rows]
        return rows, np.asarray(values / max(float(np.linalg.norm(values)), 1e-9), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Words:
    """The fitted weights."""

    vocabulary: Vocabulary
    weights: NDArray[np.int8]
    """Shape (terms, styles + 2), in steps of `scale`; the last two are of valence and energy. A model that was written
    before these has (terms, styles)."""
    scale: Array
    """Shape (styles + 2,)."""
    offset: Array
    """Taken off what words say of every style, shape (styles + 2,) or (1,): where it is added to the scores, it spreads
    them, which alone would raise the mean chance."""

    def scores(self, text: str) -> Array:
        """Return what the words of a text say of each fitted style, of valence and energy.

        The shape is that of `scale`.
        """
        rows, values = self.vocabulary.read(text)
        if not len(rows):
            return np.zeros(len(self.scale), dtype=np.float32)
        return np.asarray((values @ self.weights[rows].astype(np.float32)) * self.scale - self.offset)

    def is_whole(self, styles: int) -> bool:
        """Tell whether the shapes and kinds of the numbers go together, and with so many styles."""
        terms = self.vocabulary.terms
        return (
            terms.dtype == np.uint32
            and self.weights.dtype == np.int8
            and terms.shape == self.vocabulary.rarity.shape
            and self.weights.shape in ((len(terms), styles), (len(terms), styles + 2))
            and self.scale.shape == self.weights.shape[1:]
            and self.offset.shape in ((1,), self.scale.shape)
            and bool((terms[1:] > terms[:-1]).all())
        )
