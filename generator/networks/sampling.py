"""From logits to codes: guidance, temperature, top-k, top-p, greedy.

Pure functions with audiocraft's meaning and precedence (`audiocraft/utils/utils.py`, `LMModel.generate`):
guidance first, then temperature, then top-p alone if it is set, otherwise top-k if it is set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mlx.core as mx

from ..errors import GeneratorError

__all__ = ["Sampling", "guide", "keep_top_k", "row_keys", "sample", "sample_top_p", "split_keys"]


@dataclass(frozen=True)
class Sampling:
    """How a code is chosen from its logits; the defaults are audiocraft's.

    `top_p` > 0 takes precedence over `top_k`; 0 turns either off. `temperature` 0 or `do_sample` False takes
    the likeliest code. `guidance_scale` 1 needs no unconditional pass. `two_step_cfg` runs the two guidance
    passes one after the other instead of as one batch; the logits are the same up to rounding.
    """

    top_k: int = 250
    top_p: float = 0.0
    temperature: float = 1.0
    guidance_scale: float = 3.0
    do_sample: bool = True
    two_step_cfg: bool = False

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        for name, valid, rule in (
            ("top_k", self.top_k >= 0, "0 (off) or more"),
            ("top_p", 0.0 <= self.top_p <= 1.0, "between 0 (off) and 1"),
            ("temperature", 0.0 <= self.temperature < float("inf"), "0 (greedy) or more"),
            ("guidance_scale", 0.0 <= self.guidance_scale < float("inf"), "0 or more; 1 turns guidance off"),
        ):
            if not valid:
                raise GeneratorError(f"{name} is {getattr(self, name)}; it must be {rule}.")

    @property
    def greedy(self) -> bool:
        """Return whether the likeliest code is always chosen."""
        return not self.do_sample or self.temperature == 0

    @property
    def guided(self) -> bool:
        """Return whether an unconditional pass is needed."""
        return self.guidance_scale != 1.0


def guide(conditional: mx.array, unconditional: mx.array, scale: float) -> mx.array:
    """Move the conditional logits away from the unconditional ones (Ho & Salimans 2022)."""
    return unconditional + (conditional - unconditional) * scale


def keep_top_k(logits: mx.array, k: int) -> mx.array:
    """Set every logit below the k-th largest of its last axis to -inf; ties with the k-th stay."""
    if k >= logits.shape[-1]:
        return logits
    smallest_kept = mx.topk(logits, k, axis=-1).min(axis=-1, keepdims=True)
    return mx.where(logits >= smallest_kept, logits, -mx.inf)


def sample_top_p(logits: mx.array, p: float, noise: mx.array) -> mx.array:
    """Choose among the likeliest codes, up to the one whose probability carries their sum past `p`.

    `noise`: standard Gumbel, shaped as `logits` and added by rank of probability.
    """
    order = mx.argsort(-logits, axis=-1)
    ranked = mx.take_along_axis(logits, order, axis=-1)
    probabilities = mx.softmax(ranked, axis=-1)
    before = mx.cumsum(probabilities, axis=-1) - probabilities
    rank = mx.argmax(mx.where(before > p, -mx.inf, ranked + noise), axis=-1, keepdims=True)
    return mx.take_along_axis(order, rank, axis=-1).squeeze(-1)


def sample(logits: mx.array, keys: mx.array, settings: Sampling) -> mx.array:
    """Choose one code per codebook.

    `logits`: (batch, codebooks, vocabulary), already guided, any float type. `keys`: uint32 (batch, 2), one
    PRNG key per row, so that a row's choice does not depend on its batch. Returns int32 (batch, codebooks).
    """
    logits = logits.astype(mx.float32)
    if settings.greedy:
        return mx.argmax(logits, axis=-1).astype(mx.int32)
    logits = logits / settings.temperature
    noise = _row_noise(keys, logits.shape[1:])
    if settings.top_p > 0:
        return sample_top_p(logits, settings.top_p, noise).astype(mx.int32)
    if settings.top_k > 0:
        logits = keep_top_k(logits, settings.top_k)
    # The Gumbel-max trick: the argmax of logits plus Gumbel noise is a draw from their softmax.
    return mx.argmax(logits + noise, axis=-1).astype(mx.int32)


def row_keys(seeds: Sequence[int]) -> mx.array:
    """Return one PRNG key per seed, uint32 of shape (rows, 2)."""
    return mx.stack([mx.random.key(seed) for seed in seeds])


def split_keys(keys: mx.array) -> tuple[mx.array, mx.array]:
    """Split each row's key into the one to carry on with and the one to use now."""
    pairs = mx.vmap(mx.random.split)(keys)
    return pairs[:, 0], pairs[:, 1]


def _row_noise(keys: mx.array, shape: tuple[int, ...]) -> mx.array:
    return mx.vmap(lambda key: mx.random.gumbel(shape=shape, key=key))(keys)
