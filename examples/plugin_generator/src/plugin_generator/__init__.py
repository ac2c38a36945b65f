"""Bells: notes of a pentatonic scale, one after the other, as an example of a generator for music-catalog."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from music_catalog.generator import Audio, Generator, GeneratorError, Progress

__all__ = ["Bells"]

RATE = 32_000
SCALE = (0, 2, 4, 7, 9)
"""Semitones of the pentatonic scale."""


class Bells(Generator):
    """Bells over a tonic. `tonic_hz` is set in the configuration, under `backends: {bells: {tonic_hz: 330}}`."""

    weights_license = "none"
    """The licence of the weights; "none" for a generator that has none."""

    def __init__(self, tonic_hz: float = 262.0) -> None:
        if not 50 <= tonic_hz <= 2000:
            raise GeneratorError(f"tonic_hz is {tonic_hz}; it lies between 50 and 2000")
        self.tonic_hz = float(tonic_hz)

    def generate_music(
        self,
        prompt: str,
        config: Mapping[str, Any],
        *,
        melody: Audio | None = None,
        continue_from: Audio | None = None,
        on_progress: Progress | None = None,
    ) -> Audio:
        """Return stereo bells of `duration_s`; "slow" in the prompt makes them slow. Raises GeneratorError."""
        if melody is not None or continue_from is not None:
            raise GeneratorError("bells neither follow a melody nor continue a track; leave both out")
        rng = np.random.default_rng(config["seed"])
        step_s = 0.8 if "slow" in prompt else 0.4
        frames = round(config["duration_s"] * RATE)
        samples = np.zeros((frames, 2), np.float32)
        starts = range(0, frames, round(step_s * RATE))
        for number, start in enumerate(starts):
            samples[start:] += self._bell(rng, frames - start)
            if on_progress is not None:
                on_progress(number + 1, len(starts))
        samples *= np.float32(0.5 / max(float(np.abs(samples).max()), 1e-9))
        provenance = {
            "model": "bells",
            "weights_license": self.weights_license,
            "seed": config["seed"],
            "versions": {"plugin-generator": version("plugin-generator"), "numpy": np.__version__},
        }
        return Audio(samples, RATE, provenance)

    def stream_music(
        self, prompt: str, config: Mapping[str, Any], *, on_progress: Progress | None = None, **audio: Audio
    ) -> Iterator[Audio]:
        """Yield the bells in parts of a second. Optional: what is streamed is heard while it is made.

        These are made whole, since their level is known at the end only; your generator would yield as it goes.
        """
        whole = self.generate_music(prompt, config, on_progress=on_progress, **audio)
        for start in range(0, len(whole.samples), RATE):
            yield Audio(whole.samples[start : start + RATE], RATE, whole.provenance)

    def batch_key(self, config: Mapping[str, Any]) -> float:
        """Return what configurations share that are made together. Optional, with `generate_batch`."""
        return float(config["duration_s"])

    def generate_batch(
        self,
        prompts: Sequence[str],
        configs: Sequence[Mapping[str, Any]],
        *,
        on_progress: Progress | None = None,
        **melodies: Sequence[Audio | None],
    ) -> list[Audio]:
        """Return the bells of requests that waited together; a network would make them as the rows of one batch."""
        if melodies:
            raise GeneratorError("bells follow no melody; leave it out")
        made = []
        for number, (prompt, config) in enumerate(zip(prompts, configs, strict=True)):
            made.append(self.generate_music(prompt, config))
            if on_progress is not None:
                on_progress(number + 1, len(prompts))
        return made

    def _bell(self, rng: np.random.Generator, frames: int) -> np.ndarray:
        """Return one bell, shape (frames, 2): a tone with its partials, somewhere between left and right."""
        seconds = np.arange(frames) / RATE
        hertz = self.tonic_hz * 2 ** ((int(rng.choice(SCALE)) + 12 * int(rng.integers(0, 2))) / 12)
        tone = sum(
            np.sin(2 * np.pi * partial * hertz * seconds) / partial**2 for partial in (1.0, 2.01, 2.99)
        )
        right = float(rng.uniform(0.3, 0.7))
        return (tone * np.exp(-3.0 * seconds))[:, None] * np.array([1 - right, right])
