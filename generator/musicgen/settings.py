"""What MusicGen reads from the merged generation configuration."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import GeneratorError

if TYPE_CHECKING:
    from ..networks.sampling import Sampling

__all__ = ["MAX_DURATION_S", "Settings"]


MAX_DURATION_S = 3600.0
"""Longest piece in seconds that is made in one call."""


@dataclass(frozen=True)
class Settings:
    """Length in codec frames, seed, how codes are sampled, and words for sounds to avoid."""

    frames: int
    seed: int
    sampling: Sampling
    negative_prompt: str = ""

    @classmethod
    def read(cls, config: Mapping[str, Any], frame_rate: int) -> Settings:
        """Read the known keys, each with MusicGen's default; raise GeneratorError for a value out of bounds.

        The length is `duration_s`, rounded up to whole frames and capped by `max_steps`. Without a seed one is drawn.
        """
        from ..networks.sampling import Sampling

        duration_s = _number(config, "duration_s", 30.0, 0.0, MAX_DURATION_S)
        frames = math.ceil(round(duration_s * frame_rate, 6))
        frames = min(frames, int(_number(config, "max_steps", frames, 0, 1e9)))
        if frames < 1:
            raise GeneratorError(
                f"duration_s is {duration_s:g} and max_steps {config.get('max_steps')}; at least "
                f"{1 / frame_rate:g} s and one step are needed."
            )
        sampling = Sampling(
            top_k=int(_number(config, "top_k", 250, 0, 1e9)),
            top_p=_number(config, "top_p", 0.0, 0.0, 1.0),
            temperature=_number(config, "temperature", 1.0, 0.0, 100.0),
            guidance_scale=_number(config, "cfg_coef", 3.0, 0.0, 100.0),
            do_sample=bool(config.get("use_sampling", True)),
            two_step_cfg=bool(config.get("two_step_cfg", False)),
        )
        negative = config.get("negative_prompt") or ""
        if not isinstance(negative, str):
            raise GeneratorError(f"negative_prompt cannot be {negative!r}; give words.")
        seed = int(_number(config, "seed", secrets.randbits(31), 0, 2**63 - 1))
        return cls(frames, seed, sampling, negative)


def _number(config: Mapping[str, Any], key: str, default: float, low: float, high: float) -> float:
    """Return a number of the configuration within its bounds; raise GeneratorError otherwise."""
    value = config.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise GeneratorError(f"{key} cannot be {value!r}; give a number from {low:g} to {high:g}.")
    return value
