"""Texts embedded by workers, for a table that gets the vectors of another encoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..service.stages import Flow
from ..store.rewrite import Encode
from ..text.encoder import embed_document
from .workers import Opener, Workers, in_parts

__all__ = ["embed_part", "encode_by"]

MOST_TEXTS = 64
"""Texts of one part."""


def embed_part(flow: Flow, texts: Sequence[str]) -> list[NDArray[np.float32]]:
    """Return the unit vector of each text, float32 of shape (dimension,)."""
    return [embed_document(flow.encoder, text) for text in texts]


def encode_by(workers: Workers, opener: Opener) -> Encode:
    """Return what `Care.reembed` calls with texts; they are shared out to the workers."""

    def encode(texts: Sequence[str]) -> list[NDArray[np.float32]]:
        size = max(1, min(MOST_TEXTS, -(-len(texts) // (4 * workers.count))))
        embedded = dict(workers.run(embed_part, opener, in_parts(texts, size)))
        return [vector for number in range(len(embedded)) for vector in embedded[number]]

    return encode
