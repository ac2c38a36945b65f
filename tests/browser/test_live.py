"""Sound while it is made, over HTTP and on the page: a real service with a generator that streams when it is let."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from http.client import HTTPConnection

import httpx
import pytest
from fakes import WordHashEncoder
from running import serving

from music_catalog.generator import Audio, GeneratorError, ProceduralGenerator
from music_catalog.web.client import RunningService

TEXT = "Waves roll onto an empty beach at dusk, slow and peaceful."
BODY = {"context": TEXT, "duration_s": 6, "quality": "preview", "backend": "procedural"}
RATE, PART_S = 32_000, 0.5
PATIENCE_S = 20.0


class SlowStream:
    """A generator that streams what the synthesizer plays, one part of half a second for each that it is let make."""

    def __init__(self):
        self.inner, self.go = ProceduralGenerator(), threading.Semaphore(0)
        self.parts, self.stopped = 0, threading.Event()

    def __call__(self, backend, size):
        return self

    def generate_music(self, prompt, config, **rest):
        raise GeneratorError("it streams")

    def stream_music(self, prompt, config, *, melody=None, continue_from=None, on_progress=None):
        made = self.inner.generate_music(prompt, config)
        samples = made.samples
        step = round(PART_S * RATE)
        try:
            for at in range(0, len(samples), step):
                while not self.go.acquire(timeout=0.02):
                    on_progress(at, len(samples))
                on_progress(at, len(samples))
                self.parts += 1
                yield Audio(samples[at : at + step], RATE, made.provenance)
        finally:
            self.stopped.set()


@pytest.fixture
def slow(tmp_path):
    from music_catalog import MusicService

    generator = SlowStream()
    with (
        MusicService.open(tmp_path / "home", encoder=WordHashEncoder(), generators=generator) as service,
        serving(service) as address,
    ):
        yield address, service, generator
        generator.go.release(1_000)


def wait_for(condition):
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def seconds_in(content):
    return (len(content) - 44) / (4 * RATE)


def jobs_of(address):
    return httpx.get(f"{address}/api/jobs").json()["jobs"]


def test_the_first_second_is_sent_before_the_rest_is_made_and_the_track_is_stored(slow):
    address, service, generator = slow
    generator.go.release(2)
    with httpx.stream("POST", f"{address}/api/stream", json=BODY, timeout=PATIENCE_S) as answer:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
        assert answer.headers["transfer-encoding"] == "chunked"
        parts, content = answer.iter_raw(), b""
        while seconds_in(content) < 1:
            content += next(parts)
        assert generator.parts == 2
        generator.go.release(1_000)
        content += b"".join(parts)
    assert seconds_in(content) == 6
    job = answer.headers["x-catalog-job"]
    wait_for(lambda: httpx.get(f"{address}/api/jobs/{job}").json()["state"] == "done")
    assert service.store.tracks.count_ready() == 1
    again = httpx.post(f"{address}/api/stream", json=BODY, follow_redirects=True)
    over = httpx.get(f"{address}/api/jobs/{job}/audio?format=opus")
    assert over.status_code == 303
    assert over.headers["location"].endswith("/audio?format=ogg")
    track = service.get(over.headers["location"].split("/")[3])
    assert again.content == track.path.read_bytes()


@pytest.mark.parametrize("heard", [0, 2])
def test_a_listener_who_goes_stops_the_making(slow, heard):
    address, service, generator = slow
    for _ in range(heard):
        generator.go.release()
    with (
        pytest.raises(httpx.ReadTimeout),
        httpx.stream("POST", f"{address}/api/stream", json=BODY, timeout=1.0) as answer,
    ):
        answer.read()
    wait_for(lambda: jobs_of(address)[0]["state"] == "cancelled")
    assert generator.parts == heard
    assert service.store.tracks.count_ready() == 0


def test_a_job_goes_on_without_its_listener(slow):
    address, service, generator = slow
    generator.go.release(2)
    job = httpx.post(f"{address}/api/find-or-make", json=BODY).json()["job"]
    with httpx.stream("GET", f"{address}/api/jobs/{job['id']}/audio?format=opus") as answer:
        assert answer.headers["content-type"] == "audio/ogg; codecs=opus"
        assert next(answer.iter_raw())[:4] == b"OggS"
    generator.go.release(1_000)
    wait_for(lambda: service.store.tracks.count_ready() == 1)


def test_of_an_unknown_job_there_is_no_sound(slow):
    assert httpx.get(f"{slow[0]}/api/jobs/none/audio").status_code == 404


class Client(RunningService):
    """The client of a running service, which takes this one without a proof."""

    def _proven(self):
        connection = HTTPConnection(self._host, self._port, timeout=PATIENCE_S)
        connection.connect()
        return connection


def test_the_client_yields_the_sound_of_a_job_and_of_a_request(slow):
    address, service, generator = slow
    client, heard, jobs = Client(str(service.store.home), address, ""), [], []

    @contextlib.contextmanager
    def progress():
        yield lambda done, total: None

    def listen(job_id):
        jobs.append(threading.Thread(target=lambda: heard.append(b"".join(client.sound(job_id)))))
        jobs[-1].start()
        generator.go.release(1_000)

    made = client.find_or_make(BODY, progress, listen)
    jobs[0].join(PATIENCE_S)
    assert seconds_in(heard[0]) == 6
    job_id = jobs_of(address)[0]["id"]
    assert [*client.sound(job_id)] == []
    assert b"".join(client.stream(BODY)) == service.get(made["id"]).path.read_bytes()
    assert seconds_in(b"".join(client.stream({**BODY, "context": TEXT * 2, "reuse": "never"}))) == 6


# The page

STARTS = """() => {
window.starts = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (when) {
  window.starts.push({ at_ms: performance.now(), when, seconds: this.buffer.duration });
  return start.apply(this, arguments);
};
}"""
LISTEN = ".listen"


@pytest.fixture
def composing(slow, open_page):
    """A page that composes with the slow generator, and the generator."""
    address, service, generator = slow
    page = open_page(f"{address}/#/compose")
    page.evaluate(STARTS)
    page.get_by_label("Context").fill(TEXT)
    return page, service, generator


def make(page):
    page.get_by_role("button", name="Find or make").click()
    page.locator(LISTEN).wait_for()


def test_the_sound_plays_while_it_is_made_within_a_second_of_the_first_one(composing):
    page, service, generator = composing
    make(page)
    page.locator(LISTEN).click()
    assert page.locator(LISTEN).get_attribute("data-state") == "waiting"
    generator.go.release()
    generator.go.release()
    released_ms = page.evaluate("performance.now()")
    page.locator(f"{LISTEN}[data-state=playing]").wait_for()
    first = page.evaluate("starts[0]")
    assert first["at_ms"] - released_ms < 1_000
    assert page.evaluate("starts.reduce((sum, one) => sum + one.seconds, 0)") == pytest.approx(1.0, abs=0.01)
    assert generator.parts == 2
    generator.go.release(1_000)
    page.locator(".served").wait_for()
    page.wait_for_function("starts.length > 2")
    starts = page.evaluate("starts")
    for one, following in itertools.pairwise(starts[1:]):
        assert following["when"] == pytest.approx(one["when"] + one["seconds"], abs=1e-3)
    # It is heard to its end, and gives way to the track that is stored.
    page.locator(f"{LISTEN}[data-state=playing]").wait_for()
    page.locator(".served .play-button").click()
    page.locator(f"{LISTEN}[data-state=ended]").wait_for(state="attached")
    assert service.store.tracks.count_ready() == 1


def test_listening_can_be_stopped_and_the_making_goes_on(composing):
    page, service, generator = composing
    make(page)
    generator.go.release()
    generator.go.release()
    page.locator(LISTEN).click()
    page.locator(f"{LISTEN}[data-state=playing]").wait_for()
    page.locator(LISTEN).click()
    page.locator(f"{LISTEN}[data-state=ended]").wait_for()
    generator.go.release(1_000)
    page.locator(".served").wait_for()
    assert service.store.tracks.count_ready() == 1


def test_what_comes_whole_plays_once_it_is_made(own_site, gate, open_page):
    address, _ = own_site
    page = open_page(f"{address}/#/compose")
    page.get_by_label("Context").fill("The clocks of the old town strike twelve and nobody counts.")
    gate.open.clear()
    page.get_by_role("button", name="Always make new").click()
    page.locator(LISTEN).click()
    page.locator(f"{LISTEN}[data-state=waiting]").wait_for()
    gate.open.set()
    page.locator("#player").get_by_role("button", name="Pause", exact=True).wait_for()
    page.locator(LISTEN).wait_for(state="detached")
