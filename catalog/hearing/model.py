"""The fitted model from measured facts to the brief that they suggest: valence, energy, and the chance of each style.

`tests/benchmarks/catalog/fit_hearing.py` fits it to the synthesizer's renders of every shipped style, the only tracks
of which the style is known. So on recorded music it is a guess. docs/HEARING.md has its figures.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import Unavailable
from ..generator.audio import timbre
from ..generator.listening.facts import SoundFacts
from ..models import Suggested
from ..text.tensors import read_metadata, read_tensors

__all__ = ["ERRORS", "FACTS", "FEATURES", "MODEL_FILE", "Model", "features", "load"]

Array = NDArray[np.float32]

MODEL_FILE = Path(__file__).with_name("hearing.safetensors")
FACTS = 7
"""The last features: brightness, density, percussiveness, tempo and mode, which the mood is told from."""
FEATURES = timbre.DIMENSION + FACTS
ERRORS = 0.41, 0.32
"""Standard deviations of the errors in valence and energy, for styles that were left out of the fit."""
LARGEST = 4.0
"""Standard deviations at which a feature is clipped: no sound is carried further than those fitted to."""
KEPT, LEAST = 8, 0.01
"""How many of the likeliest styles are kept with a track, and the least chance of one."""


def features(raw: NDArray[np.float64], facts: SoundFacts, tempo_bpm: float | None, key: str | None) -> Array:
    """Return the inputs of the model, shape (FEATURES,): timbre, the facts, tempo and mode.

    The loudness range is left out, since it grows with the length of a piece.
    """
    beat = 0.0 if tempo_bpm is None else math.log2(tempo_bpm / 100.0)
    mode = 0.0 if key is None else 1.0 if key.endswith("major") else -1.0
    own = [
        math.log2(max(facts.brightness_hz, 20.0)),
        math.log1p(facts.density_per_s),
        math.log10(facts.percussiveness + 0.003),
        beat,
        float(tempo_bpm is not None),
        mode,
        float(key is not None),
    ]
    return np.concatenate([raw, own]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Model:
    """Fitted weights. Styles are told by a hidden layer of rectified linear units beside straight weights.

    The mood is told by straight weights of the facts alone: of styles that were left out of the fit it is told better
    by these than by all features, and no better with a hidden layer.
    """

    identity: str
    names: tuple[str, ...]
    centres: Array
    spreads: Array
    hidden: Array
    """Weights and bias, shape (hidden, FEATURES + 1)."""
    styles: Array
    """Scores of `names`, shape (styles, FEATURES + hidden + 1)."""
    affect: Array
    """Valence and energy, shape (2, FACTS + 1)."""

    def chances(self, standard: Array) -> Array:
        """Return the chance of each style, shape (styles,), from standardised features."""
        units = np.maximum(self.hidden[:, :-1] @ standard + self.hidden[:, -1], 0)
        scores = self.styles @ np.concatenate([standard, units, [1.0]])
        odds = np.exp(scores - scores.max())
        return np.asarray(odds / odds.sum(), dtype=np.float32)

    def suggest(self, inputs: Array) -> Suggested:
        """Return the brief that the `features` of a track suggest."""
        standard = np.clip((inputs - self.centres) / self.spreads, -LARGEST, LARGEST)
        mood = self.affect @ np.concatenate([standard[-FACTS:], [1.0]])
        valence, energy = np.clip(mood, -1.0, 1.0).tolist()
        chances = self.chances(standard)
        likely = [int(place) for place in np.argsort(-chances)[:KEPT] if chances[place] >= LEAST]
        return Suggested(
            by=self.identity,
            valence=round(valence, 3),
            energy=round(energy, 3),
            styles={self.names[place]: round(float(chances[place]), 3) for place in likely},
        )


def load() -> Model:
    """Return the shipped model. Raises Unavailable for a file that is missing, damaged or no such model."""
    try:
        stat = MODEL_FILE.stat()
    except OSError as error:
        raise Unavailable(
            f"{MODEL_FILE} cannot be read: {error.strerror}; install the package again"
        ) from error
    return _read(MODEL_FILE, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=2)
def _read(path: Path, mtime_ns: int, size: int) -> Model:
    del mtime_ns, size  # a file that was written anew is read anew
    tensors = read_tensors(path)
    try:
        about = json.loads(read_metadata(path)["about"])
        model = Model(
            identity=f"facts-1@{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}",
            names=tuple(about["styles"]),
            centres=tensors["centres"],
            spreads=tensors["spreads"],
            hidden=tensors["hidden"],
            styles=tensors["styles"],
            affect=tensors["affect"],
        )
        read = FEATURES + len(model.hidden) + 1
        if model.styles.shape != (len(model.names), read) or model.affect.shape != (2, FACTS + 1):
            raise ValueError("its tensors do not go together")
        return model
    except (KeyError, ValueError, TypeError) as error:
        raise Unavailable(
            f"{path} is no model of what is heard: {error}; install the package again"
        ) from None
