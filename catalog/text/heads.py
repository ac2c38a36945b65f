"""Small linear heads on an encoder's vectors: valence and energy (ridge), emotions and threats (logistic).

`tests/benchmarks/catalog/fit_heads.py` fitted them once to public labelled sentences. They are shipped as
`heads.safetensors`, with the source and licence of those sentences in its header. They read the vectors of one encoder,
the one they were fitted to. docs/FEATURES.md holds the figures.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .tensors import read_metadata, read_tensors

__all__ = [
    "EMOTION_KINDS",
    "EMOTION_MOODS",
    "MOOD_KINDS",
    "WORD_INPUTS",
    "WORD_SCALE",
    "Heads",
    "about",
    "inputs",
    "load",
]


HEADS_FILE = Path(__file__).with_name("heads.safetensors")

WORD_INPUTS = ("vader", "vader_strength", "exclamations", "questions")
"""Inputs beside the values of the vector: mean VADER compound, its size, and marks per sentence."""
WORD_SCALE = 0.3
"""Brings the word inputs to the size of the vector's values, so that the penalty on the weights treats them alike."""

EMOTION_MOODS: Mapping[str, tuple[str, ...]] = {
    "admiration": ("happy", "wondrous"),
    "amusement": ("funny", "playful"),
    "anger": ("angry", "aggressive"),
    "annoyance": ("angry", "tense"),
    "approval": ("happy", "hopeful"),
    "caring": ("tender", "hopeful"),
    "confusion": ("curious", "mysterious"),
    "curiosity": ("curious", "mysterious"),
    "desire": ("hopeful", "romantic"),
    "disappointment": ("melancholic", "sad"),
    "disapproval": ("angry", "tense"),
    "disgust": ("angry", "dark"),
    "embarrassment": ("anxious", "melancholic"),
    "excitement": ("exciting", "joyful"),
    "fear": ("scary", "ominous"),
    "gratitude": ("tender", "happy"),
    "grief": ("grieving", "sad"),
    "joy": ("joyful", "happy"),
    "love": ("tender", "romantic"),
    "nervousness": ("anxious", "tense"),
    "optimism": ("hopeful", "determined"),
    "pride": ("triumphant", "happy"),
    "realization": ("curious", "nostalgic"),
    "relief": ("hopeful", "calm"),
    "remorse": ("sad", "melancholic"),
    "sadness": ("sad", "melancholic"),
    "surprise": ("curious", "wondrous"),
    "neutral": ("neutral", "focused"),
}
"""Emotion of GoEmotions (Demszky et al. 2020) -> the mood it counts for, and the one it counts half for."""

EMOTION_KINDS: Mapping[str, str] = {
    emotion: kind
    for kind, emotions in {
        "anger": "anger annoyance disapproval",
        "disgust": "disgust",
        "fear": "fear nervousness",
        "joy": "joy amusement approval excitement gratitude love optimism relief pride admiration desire caring",
        "sadness": "sadness disappointment embarrassment grief remorse",
        "surprise": "surprise realization confusion curiosity",
        "neutral": "neutral",
    }.items()
    for emotion in emotions.split()
}
"""Emotion -> one of Ekman's six emotions or neutral, as the GoEmotions repository groups them."""

MOOD_KINDS: Mapping[str, frozenset[str]] = {
    mood: frozenset(kinds.split())
    for kinds, moods in {
        "joy": "happy funny playful joyful triumphant exciting energetic hopeful tender romantic determined",
        "joy neutral": "calm peaceful cozy dreamy",
        "joy surprise": "wondrous",
        "joy fear": "epic",
        "sadness": "sad grieving lonely melancholic nostalgic",
        "sadness neutral": "solemn",
        "sadness disgust fear": "dark",
        "fear": "scary ominous",
        "fear anger": "tense",
        "fear sadness": "anxious",
        "anger disgust": "angry",
        "anger": "aggressive",
        "surprise": "curious mysterious",
        "surprise anger fear": "chaotic",
        "neutral": "neutral focused",
    }.items()
    for mood in moods.split()
}
"""Mood -> the kinds of emotion that a text of that mood may show."""


@dataclass(frozen=True)
class Heads:
    """Fitted weights. Every row reads (vector of the text, word inputs, 1), shape (dimension + 5,)."""

    affect: NDArray[np.float32]
    """Valence and energy, shape (2, dimension + 5)."""
    emotions: NDArray[np.float32]
    """One row for each of `names`, shape (len(names), dimension + 5); softmax gives their chances."""
    names: tuple[str, ...]
    usual: NDArray[np.float32]
    """Share of each emotion in the fitted sentences, shape (len(names),)."""
    threat: NDArray[np.float32]
    """Reads (vector of the text, 1), shape (dimension + 1,)."""

    def feeling(self, inputs: NDArray[np.float32]) -> tuple[float, float]:
        """Return valence and energy; -1 to 1 for nearly every text, but not clipped."""
        valence, energy = (self.affect @ inputs).tolist()
        return valence, energy

    def probabilities(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the chance of each emotion of `names`, summing to 1."""
        logits = self.emotions @ inputs
        powers = np.exp(logits - logits.max())
        return np.asarray(powers / powers.sum(), dtype=np.float32)

    def moods(self, inputs: NDArray[np.float32]) -> dict[str, float]:
        """Return for each mood that emotions count for how much likelier than usual it is: a log ratio in [-2, 2]."""
        chance, usual = dict.fromkeys(_counted_moods(), 0.0), dict.fromkeys(_counted_moods(), 0.0)
        for name, here, anywhere in zip(
            self.names, self.probabilities(inputs).tolist(), self.usual.tolist(), strict=True
        ):
            for mood, share in zip(EMOTION_MOODS[name], (1.0, 0.5), strict=True):
                chance[mood] += share * here
                usual[mood] += share * anywhere
        return {mood: max(-2.0, min(2.0, math.log(chance[mood] / usual[mood]))) for mood in chance}

    def chance_of_threat(self, vector: NDArray[np.float32]) -> float:
        """Return the chance that the text with this unit vector describes a threat, if half of all did."""
        return float(1 / (1 + np.exp(-(vector @ self.threat[:-1] + self.threat[-1]))))

    def open_to_threats(self, inputs: NDArray[np.float32]) -> float:
        """Return the chance that the text's emotion is fear or none: only then may a threat set its mood."""
        return self._chance_of(frozenset({"fear", "neutral"}), inputs)

    def chance(self, mood: str, inputs: NDArray[np.float32]) -> float:
        """Return the chance that the text's emotion is of a kind that `mood` goes with; 0 for an unknown mood."""
        return self._chance_of(MOOD_KINDS.get(mood, frozenset()), inputs)

    def _chance_of(self, kinds: frozenset[str], inputs: NDArray[np.float32]) -> float:
        chances = zip(self.names, self.probabilities(inputs).tolist(), strict=True)
        return float(sum(chance for name, chance in chances if EMOTION_KINDS[name] in kinds))


@lru_cache(maxsize=1)
def _counted_moods() -> tuple[str, ...]:
    return tuple(sorted({mood for moods in EMOTION_MOODS.values() for mood in moods}))


def inputs(vector: NDArray[np.float32], words: tuple[float, float, float, float]) -> NDArray[np.float32]:
    """Return what the heads read, float32 of shape (dimension + 5,).

    `vector` is the unit vector of the text, shape (dimension,); `words` are the values of `WORD_INPUTS`.
    """
    return np.concatenate([vector, WORD_SCALE * np.asarray(words), [1.0]]).astype(np.float32)


def load(identity: str) -> Heads | None:
    """Return the heads of the encoder with that identity; None for any other, or where the file was left out."""
    if not HEADS_FILE.is_file():
        return None
    return _shipped() if identity == about()["encoder"] else None


@lru_cache(maxsize=1)
def about() -> Mapping[str, Any]:
    """Return the description in the shipped file: encoder, emotions, the sentences it was fitted to, licences."""
    description: dict[str, Any] = json.loads(read_metadata(HEADS_FILE)["about"])
    return description


@lru_cache(maxsize=1)
def _shipped() -> Heads:
    tensors = read_tensors(HEADS_FILE)
    names = tuple(about()["emotions"])
    return Heads(tensors["affect"], tensors["emotions"], names, tensors["usual"], tensors["threat"])
