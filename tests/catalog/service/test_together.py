"""Callers of one service at the same time: waiting requests are made together, and a closed service ends its work."""

from __future__ import annotations

import threading
import time

import pytest
from fakes import WordHashEncoder
from sample_texts import CALM, ELSEWHERE, PANIC

from music_catalog import MusicService
from music_catalog.generator import Cancelled, ProceduralGenerator
from music_catalog.generator.thread.calls import on_thread
from music_catalog.generator.thread.line import LINE

PATIENCE_S = 20.0
SHORT = {"duration_s": 1.0, "quality": "preview", "backend": "procedural"}


class Batching:
    """The synthesizer as a generator of batches, which writes down what it made together."""

    def __init__(self):
        self.inner, self.batches, self.go = ProceduralGenerator(), [], threading.Event()
        self.begun = threading.Event()

    def __call__(self, backend, size):
        return self

    def batch_key(self, config):
        return config["duration_s"]

    def generate_music(self, prompt, config, *, on_progress=None, **rest):
        self.begun.set()
        while not self.go.wait(0.01):
            on_progress(1, 2)
        return self.inner.generate_music(prompt, config, **rest)

    def generate_batch(self, prompts, configs, *, melodies=None, on_progress=None):
        self.batches.append(len(prompts))
        return [self.inner.generate_music(*pair) for pair in zip(prompts, configs, strict=True)]


@pytest.fixture
def generator():
    return Batching()


@pytest.fixture
def service(tmp_path, generator):
    with MusicService.open(tmp_path / "home", encoder=WordHashEncoder(), generators=generator) as opened:
        yield opened


def asked(service, text, ends):
    def ask():
        try:
            ends[text] = service.find_or_make(text, **SHORT)
        except BaseException as error:
            ends[text] = error

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def test_requests_that_wait_together_are_one_batch(service, generator):
    begun, go, ends = threading.Event(), threading.Event(), {}
    held = threading.Thread(target=lambda: on_thread(lambda _: begun.set() or go.wait(PATIENCE_S)))
    held.start()
    assert begun.wait(PATIENCE_S)
    threads = [asked(service, text, ends) for text in (CALM, ELSEWHERE, PANIC)]
    while len(LINE.works()) < 4:
        assert all(thread.is_alive() for thread in threads)
    go.set()
    for thread in (held, *threads):
        thread.join(PATIENCE_S)
    assert generator.batches == [3]
    assert {text: made.track.context for text, made in ends.items()} == {text: text for text in ends}
    assert len({made.track.id for made in ends.values()}) == 3


def test_a_closed_service_ends_what_it_makes_and_lets_go_of_it(service, generator):
    ends = {}
    thread = asked(service, CALM, ends)
    assert generator.begun.wait(PATIENCE_S)
    service.close()
    thread.join(PATIENCE_S)
    assert isinstance(ends[CALM], Cancelled)
    assert "closed" in str(ends[CALM])
    assert LINE.works() == []


def test_a_call_that_the_end_of_a_service_cancels_is_logged_before_the_store_closes(
    service, generator, monkeypatch
):
    """The thread of the caller is slow: it logs when the generators have long ended."""
    order, ends = [], {}
    append, close = service.store.requests.append, service.store.close

    def slowly(*line, **more):
        time.sleep(0.5)
        append(*line, **more)
        order.append("logged")

    monkeypatch.setattr(service.store.requests, "append", slowly)
    monkeypatch.setattr(service.store, "close", lambda: (order.append("closed"), close()))
    thread = asked(service, CALM, ends)
    assert generator.begun.wait(PATIENCE_S)
    service.close()
    thread.join(PATIENCE_S)
    assert isinstance(ends[CALM], Cancelled)
    assert order == ["logged", "closed"]
