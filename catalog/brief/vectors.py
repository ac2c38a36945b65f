"""The brief vector: finds tracks by what their music is, whatever text they were made for.

A track's vector says which of the fitted styles it is and how its mood lies; a request's vector says how well music of
each style would serve its text, and which mood is wanted. Their product grows with the chance that the track serves
the text, so the nearest tracks are the ones worth weighing. All track vectors have length 1 and one number takes up
what is missing, so that the cosine orders tracks as the product does (Bachrach and others 2014).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models import Brief
from ..text.encoder import Encoder
from .own import StyleLike, all_of
from .reader import BriefModel, own_weights, row_of

__all__ = ["DIMENSION", "kind", "request_vector", "track_vector"]

Array = NDArray[np.float32]

STYLES, MOOD, SPREAD = 80, 3, 4
DIMENSION = STYLES + MOOD + SPREAD + 1
LENGTH = 3.0
"""No track's numbers are longer than this before the last one is added."""
LEAST_LOGIT = -4.0
"""Below this chance one style is as hopeless as another."""
MOOD_WEIGHT = 1.0
"""What a squared distance of 1 between the wanted mood and that of the track takes from the logit of the style."""
SPREAD_WEIGHT = 0.25
"""Among tracks that serve alike, other requests find other ones: each track and each request has a fixed random
direction, whose product adds at most this to the logit."""


def kind(model: BriefModel) -> str:
    """Return the identity of the vectors made with a model, which numbers the styles."""
    names = "\n".join(model.names)
    return f"brief-1-{hashlib.sha256(names.encode()).hexdigest()[:8]}"


def track_vector(
    model: BriefModel,
    style: StyleLike | None,
    name: str,
    *,
    valence: float,
    energy: float,
    track_id: str,
    encoder: Encoder,
    heard: Mapping[str, float] | None = None,
    weight: float = 0.0,
) -> Array:
    """Return the vector of a track of the style `name`, float32 of shape (DIMENSION,) and length 1.

    `valence` and `energy` are those that it is taken for, -1 to 1. `heard` are chances of the styles by what is heard
    of it, which count `weight` beside the style that it was made with.
    """
    vector = np.zeros(DIMENSION, dtype=np.float32)
    if style is not None:
        vector[: len(model.names)] = (1.0 - weight) * _weights_of(model, name, style, encoder)
    places = {one: place for place, one in enumerate(model.names)}
    for one, chance in (heard or {}).items():
        if one in places:
            vector[places[one]] += weight * chance
    vector[STYLES : STYLES + MOOD] = valence, energy, valence**2 + energy**2
    vector[STYLES + MOOD : -1] = _direction(track_id)
    missing = LENGTH**2 - float(vector @ vector)
    vector[-1] = math.sqrt(max(0.0, missing))
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def _weights_of(model: BriefModel, name: str, style: StyleLike, encoder: Encoder) -> Array:
    """Return how much of each fitted style a style is, shape (fitted styles,), no longer than 1.

    A fitted style is itself alone.
    """
    if (row := row_of(model, name, style)) >= 0:
        return np.asarray(np.eye(1, len(model.names), row, dtype=np.float32)[0])
    key = (id(model), name, all_of(style))
    if (known := _known.get(key)) is None:
        weights = own_weights(model, [name], [style], encoder)[0, : len(model.names)]
        known = _known[key] = weights / max(1.0, float(np.linalg.norm(weights)))
    return known


_known: dict[Any, Array] = {}


def request_vector(model: BriefModel, brief: Brief, key: str) -> Array:
    """Return the vector that finds tracks for a brief, float32 of shape (DIMENSION,). `key` is that of the request."""
    vector = np.zeros(DIMENSION, dtype=np.float32)
    places = {name: place for place, name in enumerate(model.names)}
    for name, chance in brief.styles.items():
        if name in places:
            vector[places[name]] = max(0.0, logit(chance.passes) - LEAST_LOGIT)
    mood = 2 * brief.valence, 2 * brief.energy, -1.0
    vector[STYLES : STYLES + MOOD] = [MOOD_WEIGHT * each for each in mood]
    vector[STYLES + MOOD : -1] = SPREAD_WEIGHT * _direction(key)
    return vector


def logit(chance: float) -> float:
    """Return the logarithm of the odds of a chance, which is kept 0.0001 away from 0 and 1."""
    kept = min(max(chance, 1e-4), 1 - 1e-4)
    return math.log(kept / (1 - kept))


def _direction(name: str) -> Array:
    """Return a unit vector that is the same for the same name, and random otherwise; shape (SPREAD,)."""
    digest = hashlib.sha256(name.encode()).digest()
    numbers = np.frombuffer(digest[: 4 * SPREAD], dtype="<u4").astype(np.float64) / 2**32 - 0.5
    return np.asarray(numbers / max(float(np.linalg.norm(numbers)), 1e-9), dtype=np.float32)
