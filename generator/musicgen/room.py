"""Whether memory has room for pieces, told before they are begun."""

from __future__ import annotations

from collections.abc import Sequence

from ..device import device, require
from ..networks.bundle import Networks
from .codes import CHUNK_FRAMES
from .piece import Piece

__all__ = ["MAKING", "require_room"]


MAKING = "make this", "a shorter duration or a smaller model, or load it with bits=4"
MAKING_MANY = (
    "make these together",
    "fewer at once, a shorter duration or a smaller model, or load it with bits=4",
)
"""What is made, and what to ask for where it does not fit."""


def require_room(networks: Networks, pieces: Sequence[Piece], *, whole: bool) -> None:
    """Raise GeneratorError where memory is too small for pieces of one length and sampling, `whole` or streamed."""
    from .generation import WINDOW_FRAMES

    shape, codec, settings = networks.decoder.config, networks.codec.config, pieces[0].settings
    rows = len(pieces) * (2 if settings.sampling.guided else 1)
    columns = min(settings.frames, WINDOW_FRAMES) + (shape.chroma_length if shape.melody else 0)
    columns = networks.decoder.capacity(columns)
    caches = 2 * shape.num_hidden_layers * rows * columns * shape.hidden_size
    frame = len(pieces) * shape.audio_channels * codec.hop_length
    arrays = 4 if len(pieces) * shape.audio_channels > 1 else 3
    # The codec holds input, output and copies of a chunk at its widest: samples times filters.
    chunk = arrays * min(settings.frames, CHUNK_FRAMES) * frame * codec.num_filters
    # The chunks of the result, and the whole that they are joined into.
    result = 2 * settings.frames * frame if whole else 0
    # The loops of a processor keep keys and values in float32, whatever the weights are.
    half = device().gpu and networks.dtype != "float32"
    needed = max(caches * (2 if half else 4) + chunk * 4, result * 4)
    require(needed, *(MAKING if len(pieces) == 1 else MAKING_MANY))
