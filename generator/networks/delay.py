"""The delay pattern: codebooks of one frame are predicted one step after another.

A sequence for T frames has 1 + T + max(delays) columns: column 0 holds the special token in every codebook,
and codebook k holds frame t at column 1 + t + delays[k]; every other cell is the special token (Copet et al.
2023, "Simple and Controllable Music Generation", section 2.2).
"""

from __future__ import annotations

import mlx.core as mx

__all__ = ["UNKNOWN", "delay_codes", "delays_for", "undelay_codes"]


UNKNOWN = -1
"""Marks a cell still to be sampled."""


def delays_for(num_codebooks: int, audio_channels: int) -> tuple[int, ...]:
    """Return the delay of each codebook, in frames.

    Stereo models interleave left and right (1L, 1R, 2L, 2R, ...) and give both channels of one level the same
    delay: (0, 0, 1, 1, 2, 2, 3, 3).
    """
    return tuple(k // audio_channels for k in range(num_codebooks))


def delay_codes(codes: mx.array, frames: int, delays: tuple[int, ...], special: int) -> mx.array:
    """Lay out known codes (batch, codebooks, known frames) as a sequence for `frames` frames.

    Returns int32 of shape (batch, codebooks, 1 + frames + max(delays)): known cells hold their code, cells
    still to be sampled hold `UNKNOWN`, all others `special`.
    """
    batch, _, known = codes.shape
    rows = []
    for k, delay in enumerate(delays):
        before = mx.full((batch, 1 + delay), special, dtype=mx.int32)
        unknown = mx.full((batch, frames - known), UNKNOWN, dtype=mx.int32)
        after = mx.full((batch, max(delays) - delay), special, dtype=mx.int32)
        rows.append(mx.concatenate([before, codes[:, k].astype(mx.int32), unknown, after], axis=1))
    return mx.stack(rows, axis=1)


def undelay_codes(columns: mx.array, delays: tuple[int, ...]) -> mx.array:
    """Read frames back from consecutive columns (batch, codebooks, columns).

    The first of the columns holds codebook 0 of the first frame to return (column 1 of a whole
    sequence). Returns (batch, codebooks, columns - max(delays)).
    """
    frames = columns.shape[-1] - max(delays)
    return mx.stack([columns[:, k, d : d + frames] for k, d in enumerate(delays)], axis=1)
