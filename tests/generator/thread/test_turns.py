"""Whose turn it is to make music: calls within calls, and what a closed service still makes."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from music_catalog.generator.protocol import Audio
from music_catalog.generator.thread.orders import Asked
from music_catalog.generator.thread.turns import Turns

PATIENCE_S = 20.0


class Piano:
    """A generator whose pieces are as loud as their prompt is long."""

    def generate_music(self, prompt, config, *, on_progress=None, **rest):
        if on_progress is not None:
            on_progress(1, 1)
        return Audio(np.full((4, 1), len(prompt), np.float32), 100, {"prompt": prompt})


def prompts_of(turns, prompt, on_progress=None):
    audios, _ = turns.make("piano", "small", [Asked(prompt, {})], on_progress)
    return [audio.provenance["prompt"] for audio in audios]


class Asking:
    """A thread that asks for a piece; `end` is what it got, or what was raised."""

    def __init__(self, *arguments):
        self.end = None
        self.thread = threading.Thread(target=self._ask, args=arguments, daemon=True)
        self.thread.start()

    def _ask(self, *arguments):
        try:
            self.end = prompts_of(*arguments)
        except BaseException as error:
            self.end = error

    def join(self):
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()
        return self.end


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_progress_callback_may_ask_for_more_music(at_once):
    turns, inner = Turns(lambda backend, size: Piano(), at_once), []

    def more(done, total):
        if done:
            inner.extend(prompts_of(turns, "inner"))

    assert Asking(turns, "outer", more).join() == ["outer"]
    assert inner == ["inner"]
