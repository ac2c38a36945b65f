"""How long a second of music takes to make: by the tracks that were made here, else by a stated estimate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..generator.weights.sizes import MODEL_RANKS, MODELS
from ..store.store import Store

__all__ = ["MakingTime", "making_time"]


LATEST = 50
"""How many of the newest tracks of a model count: the machine may have changed."""
PROCEDURAL_ESTIMATE = 0.2
"""Seconds a second of music: nine tracks of 20 s took 0.14 to 0.68 on two shared x86-64 cores that were busy with other
work, two others 0.06 on idle ones."""
MUSICGEN_ESTIMATE = 6.0
"""Of MusicGen small without a GPU (docs/MODELS.md); larger models take longer in proportion to their size."""


@dataclass(frozen=True)
class MakingTime:
    """How long it takes to make a second of music with one model."""

    per_second: float
    """Seconds of work a second of music."""
    basis: str
    """What the number follows from, in words."""


def making_time(store: Store) -> Mapping[str, MakingTime]:
    """Return the time by model: `procedural`, and each size of MusicGen.

    It is the median over the newest tracks that this catalog made with models of the same rank.
    """
    table = store.tracks.columns(("created_at", "backend", "model_rank", "generation_s", "duration_s"))
    ratios: dict[int, list[float]] = {}
    for row in sorted(table.to_pylist(), key=lambda row: row["created_at"], reverse=True):
        if row["generation_s"] > 0:
            ratios.setdefault(row["model_rank"], []).append(row["generation_s"] / row["duration_s"])
    return {model: _of(model, ratios.get(rank, [])[:LATEST]) for model, rank in MODEL_RANKS.items()}


def _of(model: str, ratios: list[float]) -> MakingTime:
    if ratios:
        per_second = float(np.median(ratios))
        tracks = "1 track" if len(ratios) == 1 else f"{len(ratios)} tracks"
        return MakingTime(per_second, f"{model}: {per_second:.2g} s a second of music, by {tracks} made here")
    machine = "" if model == "procedural" else " for a machine without a GPU"
    per_second = MUSICGEN_ESTIMATE * MODELS.get(model, 0.0) / MODELS["small"] or PROCEDURAL_ESTIMATE
    return MakingTime(
        per_second,
        f"{model}: {per_second:.2g} s a second of music, an estimate{machine}: none was made here yet",
    )
