"""Whose turn it is to make music: calls within calls, and what a closed service still makes."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from music_catalog.generator.errors import Cancelled
from music_catalog.generator.protocol import Audio
from music_catalog.generator.thread.orders import Asked
from music_catalog.generator.thread.turns import Places, Turns

PATIENCE_S = 20.0


class Piano:
    """A generator whose pieces are as loud as their prompt is long."""

    def generate_music(self, prompt, config, *, on_progress=None, **rest):
        if on_progress is not None:
            on_progress(1, 1)
        return Audio(np.full((4, 1), len(prompt), np.float32), 100, {"prompt": prompt})


def prompts_of(turns, prompt, on_progress=None, backend="piano"):
    audios, _ = turns.make(backend, "small", [Asked(prompt, {})], on_progress)
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


class Waiting(Piano):
    """A generator that works until it is let go; its progress is told several times a second."""

    def __init__(self):
        self.begun, self.go = threading.Event(), threading.Event()

    def generate_music(self, prompt, config, *, on_progress=None, **rest):
        self.begun.set()
        while not self.go.wait(0.01):
            on_progress(0, 1)
        return super().generate_music(prompt, config)


def turns_of(generator, places):
    return Turns(lambda backend, size: generator, lambda backend: places)


@pytest.mark.parametrize("places", [None, 1, 2])
def test_a_progress_callback_may_ask_for_more_music(places):
    turns, inner = turns_of(Piano(), places and Places(places)), []

    def more(done, total):
        if done:
            inner.extend(prompts_of(turns, "inner"))

    assert Asking(turns, "outer", more).join() == ["outer"]
    assert inner == ["inner"]


@pytest.mark.parametrize("places", [None, 1, 2])
def test_what_is_closed_makes_nothing_more(places):
    generator = Piano()
    turns = turns_of(generator, places and Places(places))
    assert prompts_of(turns, "before") == ["before"]
    turns.close()
    with pytest.raises(Cancelled, match="is closed"):
        prompts_of(turns, "after")


@pytest.mark.parametrize("places", [None, 1])
def test_closing_cancels_what_is_made_and_what_waits(places):
    generator = Waiting()
    turns = turns_of(generator, places and Places(places))
    made = Asking(turns, "made")
    assert generator.begun.wait(PATIENCE_S)
    waits = Asking(turns, "waits")
    turns.close()
    ends = made.join(), waits.join()
    generator.go.set()
    assert all(isinstance(end, Cancelled) and "closed" in str(end) for end in ends)


def test_who_waits_for_a_place_can_cancel():
    generator = Waiting()
    turns = turns_of(generator, Places(1))
    made = Asking(turns, "made")
    assert generator.begun.wait(PATIENCE_S)

    def stop(done, total):
        raise Cancelled("enough")

    assert str(Asking(turns, "waits", stop).join()) == "enough"
    generator.go.set()
    assert made.join() == ["made"]


def test_music_made_elsewhere_holds_up_no_other_generator():
    far, near = Waiting(), Piano()
    places = {"far": Places(1), "near": None}
    turns = Turns(lambda backend, size: far if backend == "far" else near, places.__getitem__)
    made = Asking(turns, "far music", None, "far")
    assert far.begun.wait(PATIENCE_S)
    assert Asking(turns, "near music", None, "near").join() == ["near music"]
    far.go.set()
    assert made.join() == ["far music"]
