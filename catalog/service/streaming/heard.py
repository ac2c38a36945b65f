"""The sound of a track as it is heard while it is made: shaped like the track, as far as that can be known by then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...generator import Audio, audio
from ...generator.audio.shaping import half_cosine

__all__ = ["FIRST_S", "Heard"]


FIRST_S = 1.0
"""How much is collected before it is heard: its loudness sets the level of all."""


class Heard:
    """Raw parts in, parts to listen to out: the length, fades and channels of the track by its configuration.

    The loudness of the track is known only at its end. So what is heard is made quieter where its first second is
    louder than the track will be, and never louder.
    """

    def __init__(self, config: Mapping[str, Any], on_audio: Callable[[Audio], None]) -> None:
        self._config, self._on_audio = config, on_audio
        self._collected: list[Audio] = []
        self._gain: float | None = None
        self._frames = 0

    def add(self, part: Audio) -> None:
        """Take the next raw part; what comes of the first ones is passed on once they make a second, or all."""
        self._collected.append(part)
        rate, collected = part.sample_rate, sum(len(one.samples) for one in self._collected)
        # A codec frame of 20 ms may be missing at the end of a short track.
        if self._gain is None and collected < (min(FIRST_S, self._config["duration_s"]) - 0.02) * rate:
            return
        samples = np.concatenate([one.samples for one in self._collected])
        self._collected = []
        heard = self._channelled(replace(part, samples=samples, codes=None))
        if self._gain is None:
            self._gain = self._level(heard)
        gains = self._gain * self._fades(len(samples), rate)
        self._frames += len(samples)
        if len(gains):
            self._on_audio(replace(heard, samples=heard.samples[: len(gains)] * gains[:, None]))

    def _channelled(self, part: Audio) -> Audio:
        return audio.to_mono(part) if self._config["channels"] == 1 else audio.to_stereo(part)

    def _level(self, first: Audio) -> float:
        target, loudness = self._config["loudness_lufs"], audio.loudness_lufs(first)
        return 1.0 if target is None or loudness is None else min(1.0, 10 ** ((target - loudness) / 20))

    def _fades(self, frames: int, rate: int) -> NDArray[np.float32]:
        """Return the gain of each of the next frames by the fades of the track; none are behind its end."""
        config = self._config
        if config["loopable"]:  # it is cut already, and not faded
            return np.ones(frames, np.float32)
        end, shrink = round(config["duration_s"] * rate), 1.0
        if (faded_s := config["fade_in_s"] + config["fade_out_s"]) > config["duration_s"]:
            shrink = config["duration_s"] / faded_s
        rise, fall = (int(config[name] * shrink * rate) for name in ("fade_in_s", "fade_out_s"))
        at = np.arange(self._frames, min(self._frames + frames, end))
        gains = np.ones(len(at), np.float32)
        gains[at < rise] *= half_cosine(rise)[at[at < rise]]
        gains[at >= end - fall] *= half_cosine(fall)[::-1][at[at >= end - fall] - (end - fall)]
        return gains
