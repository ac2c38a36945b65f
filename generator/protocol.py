"""The seam every generator fits: a prompt and a configuration in, samples out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Audio", "Generator", "Progress", "versions"]


Progress = Callable[[int, int], None]
"""Called as `on_progress(done, total)`; raise `Cancelled` from it to stop."""


@dataclass(frozen=True, eq=False)
class Audio:
    """Samples with their rate, and how they were made.

    `samples` is float32 of shape (frames, channels), nominally in [-1, 1]. `provenance` holds at least
    `backend`, `model`, `weights_license`, `seed` and `versions` when a generator made it. `codes`, int16 of shape
    (codebooks, frames), are the codes that a codec decoded into exactly these samples, if a codec did; a continuation
    starts from them.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    provenance: Mapping[str, Any] = field(default_factory=dict)
    codes: NDArray[np.int16] | None = None

    @property
    def duration_s(self) -> float:
        """Return the length in seconds."""
        return float(self.samples.shape[0] / self.sample_rate)

    @property
    def channels(self) -> int:
        """Return the number of channels."""
        return int(self.samples.shape[1])


class Generator(Protocol):
    """Anything that turns a prompt and a merged generation configuration into audio."""

    def generate_music(
        self,
        prompt: str,
        config: Mapping[str, Any],
        *,
        melody: Audio | None = None,
        continue_from: Audio | None = None,
        on_progress: Progress | None = None,
    ) -> Audio:
        """Return the raw output for `prompt`; duration rule and loudness are the caller's next step."""
        ...


def versions(*packages: str) -> dict[str, str]:
    """Return the installed version of each package, "unknown" for one that is not installed."""
    return {package: _version(package) for package in packages}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
