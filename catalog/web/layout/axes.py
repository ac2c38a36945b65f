"""The two directions of the map. They are kept in the home, so that tracks that are added move none of the others."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...disk.files import write_file
from ...errors import CatalogError

__all__ = ["Axes", "Points", "fit", "kept_axes"]

_log = logging.getLogger(__name__)

Points = NDArray[np.float64]
GROWTH = 2
"""Once there are so many times the tracks that the axes were fitted to, they are fitted anew."""
MARGIN = 0.08
"""Room around the tracks, as a share of the map. Tracks beyond it stand at its edge."""


@dataclass(frozen=True)
class Axes:
    """Two directions in the space of the vectors, and where the map ends."""

    encoder: str
    count: int
    """How many tracks they were fitted to."""
    mean: Points
    main: Points
    """Shape (dimension, 2); the coordinates of the tracks they were fitted to lie between -1 and 1."""
    frame: tuple[float, float, float, float]
    """Left, bottom, right, top."""

    def place(self, vectors: NDArray[np.float32]) -> Points:
        """Return two coordinates for each vector, shape (n, 2), within the frame."""
        if not len(vectors):
            return np.zeros((0, 2))
        placed: Points = (vectors.astype(np.float64) - self.mean) @ self.main
        return np.clip(placed, self.frame[:2], self.frame[2:])


def kept_axes(home: Path, encoder: str, vectors: NDArray[np.float32], name: str = "map") -> Axes:
    """Return the axes of the home that are kept as `name`, fitted where there are none for so many tracks."""
    path = home / "cache" / f"{name}.json"
    kept = _read(path, encoder, vectors.shape[1])
    if kept and len(vectors) < GROWTH * kept.count:
        return kept
    fitted = fit(vectors, encoder, like=kept)
    if fitted.count:
        try:
            path.parent.mkdir(exist_ok=True)
            write_file(path, json.dumps(_to_json(fitted)).encode(), durable=False)
        except (CatalogError, OSError) as error:
            _log.warning(
                "the axes of the map are not kept, so that it may turn when tracks are added: %s", error
            )
    return fitted


def fit(vectors: NDArray[np.float32], encoder: str = "", *, like: Axes | None = None) -> Axes:
    """Return the two principal components of `vectors`, turned so that the map looks as it did by `like`.

    Without `like` the sign of a component is the one that makes its greatest weight positive.
    """
    dimension = vectors.shape[1]
    if not len(vectors):
        return Axes(encoder, 0, np.zeros(dimension), np.zeros((dimension, 2)), (-1.0, -1.0, 1.0, 1.0))
    mean = vectors.mean(axis=0, dtype=np.float64)
    centred = vectors.astype(np.float64) - mean
    _, directions = np.linalg.eigh(centred.T @ centred)
    main = directions[:, [-1, -2]]
    if like is None:
        main = main * np.sign(main[np.abs(main).argmax(axis=0), [0, 1]])
    else:
        # Orthogonal Procrustes (Schonemann, 1966): the turn that brings the new places nearest to the old ones.
        old = (vectors.astype(np.float64) - like.mean) @ like.main
        left, _, right = np.linalg.svd((centred @ main).T @ (old - old.mean(axis=0)))
        main = main @ (left @ right)
    placed = centred @ main
    scale = max(float(np.abs(placed).max()), 1e-12)
    main, placed = main / scale, placed / scale
    low, high = placed.min(axis=0), placed.max(axis=0)
    room = MARGIN * np.maximum(high - low, 0.1)
    frame = tuple(float(one) for one in (*(low - room), *(high + room)))
    return Axes(encoder, len(vectors), mean, main, (frame[0], frame[1], frame[2], frame[3]))


def _read(path: Path, encoder: str, dimension: int) -> Axes | None:
    try:
        content = json.loads(path.read_text("utf-8"))
        mean, main = np.array(content["mean"], np.float64), np.array(content["main"], np.float64)
        left, bottom, right, top = map(float, content["frame"])
        count = int(content["count"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    usable = content["encoder"] == encoder and mean.shape == (dimension,) and main.shape == (dimension, 2)
    usable = (
        usable and bool(np.isfinite(mean).all() and np.isfinite(main).all()) and right > left and top > bottom
    )
    return Axes(encoder, count, mean, main, (left, bottom, right, top)) if usable else None


def _to_json(axes: Axes) -> dict[str, Any]:
    numbers = {"mean": axes.mean.round(8).tolist(), "main": axes.main.round(8).tolist(), "frame": axes.frame}
    return {"encoder": axes.encoder, "count": axes.count, **numbers}
