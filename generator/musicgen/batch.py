"""Pieces that are made as one batch: the condition of all of them, from their words and melodies, and their codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..errors import GeneratorError
from ..networks.bundle import Networks
from .chroma import ChromaConfig, extract_chroma, fit_frames, null_chroma
from .codes import CHUNK_FRAMES
from .piece import Piece
from .progress import Repeated

if TYPE_CHECKING:
    import mlx.core as mx

    from ..networks.musicgen import Condition

__all__ = ["batch_codes", "conditions"]


def conditions(
    networks: Networks,
    pieces: list[Piece],
    tokens_of: Callable[[str, str], list[int]],
    config: ChromaConfig,
    name: str,
) -> Callable[[int], Condition]:
    """Return the condition of all pieces as a function of a window's first frame.

    `tokens_of` turns words into ids and is told what they are, `config` says how a melody is read, `name` is that of
    the model. Raises GeneratorError for words that are too long; the function raises it for a melody that the model
    cannot follow.
    """
    import mlx.core as mx

    from ..networks.musicgen import Condition

    texts = [(piece.prompt, "prompt") for piece in pieces]
    if any(piece.settings.negative_prompt.strip() for piece in pieces):
        texts += [(piece.settings.negative_prompt, "negative_prompt") for piece in pieces]
    rows = [tokens_of(text, what) if text.strip() else [] for text, what in texts]
    mask = np.zeros((len(rows), max(1, *map(len, rows))), np.int32)
    tokens = np.zeros_like(mask)
    for row, ids in enumerate(rows):
        tokens[row, : len(ids)], mask[row, : len(ids)] = ids, 1
    states, real = networks.text_encoder(mx.array(tokens), mx.array(mask)), mx.array(mask) != 0
    mx.eval(states)
    count = len(pieces)
    negative = (states[count:], real[count:]) if len(texts) > count else (None, None)

    def condition(first_frame: int) -> Condition:
        chroma = _chroma(networks, pieces, config, name, first_frame / networks.codec.config.frame_rate)
        return Condition(states[:count], real[:count], chroma, *negative)

    return condition


def batch_codes(
    networks: Networks,
    pieces: list[Piece],
    condition: Callable[[int], Condition],
    prompt: mx.array | None,
    progress: Repeated,
) -> Iterator[mx.array]:
    """Yield the codes of prompt and music, (pieces, codebooks, frames), of pieces of one length and sampling.

    Raises GeneratorError where the prompt is no shorter than the music.
    """
    import mlx.core as mx

    from .generation import STRIDE_FRAMES, WINDOW_FRAMES, stream_codes

    settings, rate = pieces[0].settings, networks.codec.config.frame_rate
    frames, known = settings.frames, 0 if prompt is None else prompt.shape[-1]
    if known >= frames:
        raise GeneratorError(
            f"the music to continue lasts {known / rate:g} s and duration_s is "
            f"{frames / rate:g}; ask for more than it lasts."
        )
    if prompt is not None:
        rows = mx.broadcast_to(prompt, (len(pieces), *prompt.shape[1:]))
        for start in range(0, known, CHUNK_FRAMES):
            yield rows[:, :, start : start + CHUNK_FRAMES]
        if known >= WINDOW_FRAMES:
            # Longer than a window: continue from as many frames as two windows share.
            prompt = prompt[:, :, STRIDE_FRAMES - WINDOW_FRAMES :]
            frames -= known - prompt.shape[-1]
    yield from stream_codes(
        networks.decoder,
        condition,
        frames=frames,
        seeds=[piece.settings.seed for piece in pieces],
        sampling=settings.sampling,
        prompt_codes=prompt,
        chunk_frames=CHUNK_FRAMES,
        on_progress=progress,
    )


def _chroma(
    networks: Networks, pieces: list[Piece], config: ChromaConfig, name: str, offset_s: float
) -> mx.array | None:
    """Return the melodies from `offset_s` on, (pieces, chroma_length, num_chroma), or None without any."""
    import mlx.core as mx

    shape = networks.decoder.config
    if all(piece.melody is None for piece in pieces):
        return None
    if not shape.melody:
        raise GeneratorError(f"{name} cannot follow a melody; use the model melody or melody-large.")
    rows = [
        null_chroma(shape.chroma_length, shape.num_chroma)
        if piece.melody is None
        else fit_frames(extract_chroma(piece.melody, config, offset_s=offset_s), shape.chroma_length)
        for piece in pieces
    ]
    return mx.array(np.stack(rows))
