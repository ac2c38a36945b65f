"""How often a track that failed the check is made again, and which generators are asked again at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Budget", "follows_seed"]


@dataclass(frozen=True)
class Budget:
    """How often what fails is made again."""

    retakes: int = 1
    """For each track."""
    time_share: float = 1.0
    """All of it together takes at most this share of the time that the making took before."""

    def affords(self, made_s: float, again_s: float, next_s: float) -> bool:
        """Tell whether something that will take `next_s` may be made, after `made_s` at first and `again_s` since."""
        return again_s + next_s <= self.time_share * made_s * (1.0 + 1e-9)


def follows_seed(config: Mapping[str, Any]) -> bool:
    """Tell whether another seed would give other music: not where the caller named one, nor where codes are not drawn.

    MusicGen takes the likeliest codes without sampling and at temperature 0.
    """
    if config["seed"] is not None:
        return False
    return config["backend"] != "mlx" or bool(config["use_sampling"] and config["temperature"] > 0)
