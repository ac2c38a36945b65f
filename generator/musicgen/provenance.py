"""How a piece was made, as its `Audio` tells."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..networks.bundle import Networks
from ..protocol import Audio, versions
from .codes import own_codes
from .origin import Origin
from .piece import Piece

__all__ = ["provenance"]


def provenance(
    networks: Networks, origin: Origin, piece: Piece, continue_from: Audio | None
) -> dict[str, Any]:
    """Return the provenance of `piece`, which goes on from `continue_from`, by these networks."""
    settings = piece.settings
    return {
        "backend": "mlx",
        "model": origin.name,
        "weights_license": origin.license,
        "weights_revision": origin.revision,
        "seed": settings.seed,
        "sample_rate": networks.codec.config.sampling_rate,
        "versions": versions("mlx", "music-catalog"),
        "dtype": networks.dtype,
        "bits": networks.bits,
        "frames": settings.frames,
        "sampling": asdict(settings.sampling),
        "negative_prompt": settings.negative_prompt,
        "melody": piece.melody is not None,
        **_continued(networks, continue_from),
    }


def _continued(networks: Networks, audio: Audio | None) -> dict[str, Any]:
    """Return for the provenance how many seconds are continued, and from what: codes or audio."""
    if audio is None:
        return {"continued_s": 0.0, "continued_from": None}
    if (codes := own_codes(networks, audio)) is not None:
        return {"continued_s": codes.shape[1] / networks.codec.config.frame_rate, "continued_from": "codes"}
    return {"continued_s": round(audio.duration_s, 6), "continued_from": "audio"}
