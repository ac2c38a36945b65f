"""What an ear hears in a track: zero-shot tags with their shares, valence and energy."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..models import Heard, HeardTag
from ..models.ear import TAG_KINDS, TagKind
from ..presets import Style
from ..presets.vocabulary import MOODS
from .loading import Ear
from .prompts import ALONE, digest, prompts

__all__ = ["Tagger"]

Array = NDArray[np.float32]

MOST: Mapping[TagKind, int] = {"style": 3, "mood": 3, "instrument": 5, "place": 2}
"""How many tags of a kind are kept."""
LEAST = 1.5
"""A tag is kept whose share is at least so many times that of all names alike."""


class Tagger:
    """Compares vectors of an ear with the texts of a library's styles and of the vocabulary, read at first use.

    The share of a name is a softmax over all names of its kind, of the cosine with its texts times the scale of the
    ear. Valence and energy are the means of those of all moods, weighed by their shares: so they lie nearer to 0 than
    the mood that is heard.
    """

    def __init__(self, ear: Ear, styles: Mapping[str, Style]) -> None:
        self._ear = ear
        self._texts = prompts(styles)
        self.identity = f"{ear.identity}/{digest(self._texts)}"
        """That of the ear, and of the texts."""
        self._lock = threading.Lock()
        self._vectors: dict[TagKind, Array] | None = None

    def tags(self, vector: Array) -> Heard:
        """Return what is heard in the track of a unit vector, shape (DIMENSION,).

        Raises Unavailable where the ear reads no texts.
        """
        shares = {kind: self.shares(kind, vector) for kind in TAG_KINDS}
        moods = shares["mood"]
        return Heard(
            ear=self.identity,
            tags=tuple(tag for kind in TAG_KINDS for tag in _best(kind, shares[kind])),
            valence=round(sum(share * MOODS[name][0] for name, share in moods.items()), 4),
            energy=round(sum(share * MOODS[name][1] for name, share in moods.items()), 4),
        )

    def shares(self, kind: TagKind, vector: Array) -> dict[str, float]:
        """Return the share of every name of a kind, in the order of the texts; they sum to 1."""
        cosines = self._read()[kind] @ vector
        raised = np.exp((cosines - cosines.max()).astype(np.float64) * self._ear.scale)
        return dict(zip(self._texts[kind], (raised / raised.sum()).tolist(), strict=True))

    def _read(self) -> dict[TagKind, Array]:
        with self._lock:
            if self._vectors is None:
                self._vectors = {kind: self._vectors_of(kind) for kind in TAG_KINDS}
            return self._vectors

    def _vectors_of(self, kind: TagKind) -> Array:
        """Return the unit vector of each name of a kind: the mean of those of its texts; shape (names, DIMENSION)."""
        texts = self._texts[kind]
        vectors = self._ear.read([text for some in texts.values() for text in some])
        parts = np.split(vectors, np.cumsum([len(some) for some in texts.values()])[:-1])
        means = np.stack([part.mean(axis=0) for part in parts])
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), dtype=np.float32)


def _best(kind: TagKind, shares: Mapping[str, float]) -> list[HeardTag]:
    """Return the tags of a kind that are kept, the greatest share first; places only down to music without one."""
    ordered = sorted(shares, key=lambda name: (-shares[name], name))[: MOST[kind]]
    if ALONE in ordered:
        ordered = ordered[: ordered.index(ALONE)]
    least = LEAST / len(shares)
    return [
        HeardTag(kind=kind, name=name, share=round(shares[name], 4))
        for name in ordered
        if shares[name] >= least
    ]
