"""What places a track on the map by its sound: what was measured, or what the ear hears where it has heard all."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...generator.audio import timbre
from ...store.store import Store

__all__ = ["Sounds", "sounds_of"]

Floats = NDArray[np.float32]
Sounds = tuple[Literal["ear", "measured"], str, list[str], Floats]
"""What the vectors are of, their identity, the ids of the tracks, and a vector for each, shape (tracks, dimension)."""

COLUMNS = ("id", "state", "sound_kind", "sound", "tempo_bpm", "loudness_lufs", "ear_kind", "ear")
USUAL_BPM, USUAL_LUFS, SPREAD_LU = 115.0, -20.0, 8.0
SHARE = 0.3
"""What tempo and loudness each count at one spread, where timbre, which is a unit vector, counts 1."""
MOST = 2.0
"""Spreads at which they are clipped."""


def sounds_of(store: Store) -> Sounds:
    """Return the vectors of the ready tracks that have one; those of the ear where it has heard each of them."""
    rows = [row for row in store.tracks.columns(COLUMNS).to_pylist() if row["state"] == "ready"]
    kinds = {row.get("ear_kind") or "" for row in rows}
    if len(kinds) == 1 and "" not in kinds:
        heard = [row for row in rows if row["ear"] is not None]
        return "ear", kinds.pop(), [row["id"] for row in heard], _matrix([row["ear"] for row in heard])
    known = [row for row in rows if row["sound_kind"] == timbre.KIND and row["sound"] is not None]
    vectors = [[*row["sound"], _tempo(row["tempo_bpm"]), _loudness(row["loudness_lufs"])] for row in known]
    return "measured", f"{timbre.KIND}-tempo-loudness-1", [row["id"] for row in known], _matrix(vectors)


def _matrix(vectors: list[list[float]]) -> Floats:
    return np.array(vectors, np.float32) if vectors else np.zeros((0, timbre.DIMENSION + 2), np.float32)


def _tempo(bpm: float | None) -> float:
    """Return the tempo in octaves from the usual one; one that is not there counts as usual."""
    return SHARE * float(np.log2(bpm / USUAL_BPM)) if bpm and bpm > 0 else 0.0


def _loudness(lufs: float | None) -> float:
    if lufs is None or not np.isfinite(lufs):
        return 0.0
    return SHARE * float(np.clip((lufs - USUAL_LUFS) / SPREAD_LU, -MOST, MOST))
