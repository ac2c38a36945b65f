"""Sound while it is made: what listeners hear, when, and how it differs from the track that is stored."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
import soundfile
from fakes import WordHashEncoder
from sample_texts import CALM, PANIC

from music_catalog import MusicService
from music_catalog.generator import Audio, Cancelled, ProceduralGenerator, audio
from music_catalog.generator.thread.line import LINE
from music_catalog.service.streaming.encoding import GrowingFile
from music_catalog.service.streaming.live import LiveSound

PATIENCE_S = 20.0
ASKED = {"duration_s": 4.0, "quality": "preview", "backend": "procedural", "role": "narration_bed"}
RATE = 32_000


class Streaming:
    """A generator that streams a loud chord, a part of 0.5 s whenever it is let."""

    def __init__(self):
        self.inner, self.parts, self.go = ProceduralGenerator(), 0, threading.Semaphore(1_000)
        self.stopped = threading.Event()

    def __call__(self, backend, size):
        return self

    def generate_music(self, prompt, config, **rest):
        return self.inner.generate_music(prompt, config, **rest)

    def stream_music(self, prompt, config, *, melody=None, continue_from=None, on_progress=None):
        made = self.inner.generate_music(prompt, config)
        t = np.arange(len(made.samples)) / RATE
        chord = sum(np.sin(2 * np.pi * hertz * t) for hertz in (220, 277, 330)) / 4
        samples = np.stack([chord, chord], axis=1).astype(np.float32)
        try:
            for at in range(0, len(samples), RATE // 2):
                while not self.go.acquire(timeout=0.01):
                    on_progress(at, len(samples))
                on_progress(at, len(samples))
                self.parts += 1
                yield Audio(samples[at : at + RATE // 2], RATE, made.provenance)
        finally:
            self.stopped.set()


@pytest.fixture
def generator():
    return Streaming()


@pytest.fixture
def service(tmp_path, generator):
    with MusicService.open(tmp_path / "home", encoder=WordHashEncoder(), generators=generator) as opened:
        yield opened


def test_the_first_second_is_heard_before_the_rest_is_made(service, generator):
    generator.go = threading.Semaphore(2)
    with service.stream_music(CALM, **ASKED) as stream:
        parts = iter(stream)
        first = next(parts)
        assert (first.duration_s, generator.parts, stream.live) == (1.0, 2, True)
        generator.go.release(1_000)
        rest = [*parts]
        result = stream.result()
    assert result.action == "generated"
    heard = np.concatenate([part.samples for part in (first, *rest)])
    stored = audio.read(result.path)
    assert heard.shape == stored.samples.shape


def test_what_is_heard_differs_from_the_stored_track_in_loudness_alone(service):
    with service.stream_music(CALM, **ASKED) as stream:
        heard = np.concatenate([part.samples for part in stream])
        stored = audio.read(stream.result().path).samples
    gain = float((heard * stored).sum() / (heard * heard).sum())
    assert np.abs(stored - gain * heard).max() < 2e-3
    # The chord is far louder than the role asks for.
    assert abs(20 * np.log10(gain)) < 3.0
    assert audio.loudness_lufs(Audio(heard, RATE)) == pytest.approx(
        service.library.role("narration_bed").loudness_lufs, abs=3.0
    )


def test_a_closed_stream_stops_the_making_and_stores_nothing(service, generator):
    generator.go = threading.Semaphore(2)
    stream = service.stream_music(CALM, **ASKED)
    assert next(iter(stream)).duration_s == 1.0
    stream.close()
    assert generator.stopped.wait(PATIENCE_S)
    assert generator.parts == 2
    with pytest.raises(Cancelled):
        stream.result()
    assert service.store.tracks.count_ready() == 0
    assert LINE.works() == []


def test_a_reused_track_and_one_made_whole_come_from_their_file(tmp_path):
    with MusicService.open(
        tmp_path / "home", encoder=WordHashEncoder(), generators=lambda *_: ProceduralGenerator()
    ) as service:
        for action in ("generated", "reused"):
            with service.stream_music(CALM, **ASKED) as stream:
                heard = np.concatenate([part.samples for part in stream])
                result = stream.result()
            assert (result.action, stream.live) == (action, False)
            assert np.array_equal(heard, audio.read(result.path).samples)


def test_errors_of_the_making_reach_who_listens(service):
    with (
        service.stream_music(PANIC, reuse="always", **ASKED) as stream,
        pytest.raises(Exception, match="ruled"),
    ):
        next(iter(stream))


def test_a_loop_is_heard_once_it_is_cut(service):
    heard = []
    made = service.generate(CALM, on_audio=heard.append, loopable=True, **ASKED)
    assert sum(part.duration_s for part in heard) == pytest.approx(made.track.duration_s, abs=0.5)


def test_listeners_hear_all_of_it_whenever_they_come_and_nothing_is_kept_after():
    sound, heard = LiveSound(), []
    part = Audio(np.zeros((4, 1), np.float32), 100)

    def make():
        for number in range(6):
            sound.add(part)
            if number == 3:
                late = sound.listen()
                heard.append(late)
        return "made"

    early = sound.listen()
    assert early.take() == []
    assert sound.around(make) == "made"
    for listener in (early, *heard):
        assert len(listener.take()) == 6
        assert listener.over
    assert [*sound.listen()] == []
    assert sound.listen().over


@pytest.mark.parametrize(("form", "within"), [("wav", 1e-4), ("opus", 0.2)])
def test_a_growing_file_can_be_read_from_its_beginning_and_is_whole_at_its_end(form, within):
    t = np.arange(4 * RATE) / RATE
    samples = np.stack([np.sin(2 * np.pi * 330 * t)] * 2, axis=1).astype(np.float32) / 3
    file, sizes, data = GrowingFile(form), [], b""
    for at in range(0, len(samples), RATE // 2):
        data += file.add(Audio(samples[at : at + RATE // 2], RATE))
        sizes.append(len(data))
    data += file.end()
    assert sizes[0] > 0
    assert len({*sizes}) >= 4
    if form == "wav":
        made = audio.read(data).samples
        assert np.abs(made - samples).max() < within
        return
    read, rate = soundfile.read(io.BytesIO(data))
    assert rate == 48_000
    assert len(read) / rate == pytest.approx(4.0, abs=0.05)
    assert np.sqrt((read**2).mean()) == pytest.approx(np.sqrt((samples**2).mean()), rel=within)


def test_without_a_part_a_growing_file_is_empty():
    assert GrowingFile("opus").end() == b""
