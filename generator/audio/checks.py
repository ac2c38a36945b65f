"""Checks that every step on samples makes first."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from ..protocol import Audio

__all__ = ["MAX_AMPLITUDE", "checked", "replaced"]


MAX_AMPLITUDE = 1000.0
"""60 dB above full scale; beyond it float32 filters overflow."""


def checked(audio: Audio) -> Audio:
    """Return `audio` if it holds finite samples of shape (frames >= 1, 1 or 2 channels); else raise AudioError."""
    samples = audio.samples
    if samples.ndim != 2 or samples.shape[0] < 1 or samples.shape[1] not in (1, 2):
        raise AudioError(
            f"the audio has shape {samples.shape}, but must be (frames, channels) with 1 or 2 channels"
        )
    if audio.sample_rate <= 0:
        raise AudioError(
            f"the audio has a sample rate of {audio.sample_rate} Hz, but must have a positive one"
        )
    # NaN and infinity come through minimum and maximum, so two numbers tell about all samples.
    low, high = float(samples.min()), float(samples.max())
    if not np.isfinite(low + high):
        raise AudioError("the audio holds samples that are not finite numbers (NaN or infinity)")
    if max(-low, high) > MAX_AMPLITUDE:
        raise AudioError(
            f"the audio reaches an amplitude of {max(-low, high):.3g}, but full scale is 1 and "
            f"at most {MAX_AMPLITUDE:g} is accepted"
        )
    return audio


def replaced(audio: Audio, samples: NDArray[Any], sample_rate: int | None = None) -> Audio:
    """Return `audio` with other samples, and a new rate where one is named; its provenance is kept."""
    return Audio(
        samples=np.ascontiguousarray(samples, dtype=np.float32),
        sample_rate=audio.sample_rate if sample_rate is None else sample_rate,
        provenance=audio.provenance,
    )
