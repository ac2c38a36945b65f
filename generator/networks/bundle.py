"""The three networks of a MusicGen checkpoint together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from .encodec import EncodecModel
    from .musicgen import MusicgenDecoder
    from .t5 import T5Encoder

__all__ = ["Networks"]


@dataclass(frozen=True, eq=False)
class Networks:
    """The three networks of a checkpoint, and the decoder's type, bits and number of weights per scale."""

    config: Mapping[str, Any]
    text_encoder: T5Encoder
    codec: EncodecModel
    decoder: MusicgenDecoder
    dtype: str
    bits: int | None
    group_size: int | None
    in_files: Mapping[int, NDArray[Any]] = field(default_factory=dict)
    """Weights that stay in files, by the id of their layer; loops for a processor read them there."""
