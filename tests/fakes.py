"""Working stand-ins for parts that are heavy to load."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from music_catalog.generator import ProceduralGenerator


class WordHashEncoder:
    """A bag of hashed words: texts that share words lie close, the same text always in the same place.

    Each word has a fixed pseudo-random direction; a text is the normalised sum of its words' directions.
    """

    identity = "word-hash@1/384/pool-1"
    dimension = 384

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors, shape (len(texts), 384)."""
        sums = [np.sum([_direction(word) for word in _words(text)], axis=0) for text in texts]
        vectors = np.asarray(sums, dtype=np.float32).reshape(len(texts), self.dimension)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of words in each text."""
        return [len(_words(text)) for text in texts]


class Counting:
    """The procedural generator, with a count of its calls."""

    def __init__(self):
        self.made = 0
        self._generator = ProceduralGenerator()

    def __call__(self, backend, size):
        return self

    def generate_music(self, prompt, config, **rest):
        self.made += 1
        return self._generator.generate_music(prompt, config, **rest)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower()) or ["\x00nothing"]


def _direction(word: str) -> NDArray[np.float64]:
    seed = int.from_bytes(hashlib.sha256(word.encode("utf-8")).digest()[:8], "little")
    return np.random.default_rng(seed).standard_normal(384)
