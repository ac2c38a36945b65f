"""Jobs that wait at the same time are made as one batch by a generator that can, each as it would be alone."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from sample_texts import CALM, CALM_AGAIN, ELSEWHERE, PANIC
from tiny_musicgen import FILE_RATE, write_checkpoint

from music_catalog.errors import Busy
from music_catalog.generator import Audio, audio
from music_catalog.generator.errors import GeneratorError
from music_catalog.plugins.generators import PluginGenerator
from music_catalog.presets import BackendSettings
from music_catalog.reuse.terms import Terms
from music_catalog.service.choice.under_way import alike
from music_catalog.service.jobs import Jobs
from music_catalog.text import encoder as encoders

pytest.importorskip("mlx.core")
pytest.importorskip("torch")

from music_catalog.generator.musicgen import adapter as adapters
from music_catalog.generator.musicgen.adapter import MusicgenAdapter

PATIENCE_S = 240.0
SHORT = {"duration_s": 1.0, "quality": "preview", "backend": "mlx", "generation": {"temperature": 0.0}}
FIRST = "An old clock ticks in the hall of an empty house."
TEXTS = (CALM, ELSEWHERE, PANIC)
PLAIN = (
    "The company was founded in 1921 and makes bearings for railway carriages at two plants in the north.",
    "The council voted 7 to 2 on Tuesday to move the bus depot to the old brickworks by 2028.",
)


class Watched:
    """A small MusicGen that writes down what it makes together, and whose first piece waits until it is let go."""

    def __init__(self, inner):
        self.inner, self.rows = inner, []
        self.begun, self.go = threading.Event(), threading.Event()

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def stream_music(self, prompt, config, *, on_progress=None, **rest):
        self.rows.append(1)
        self.begun.set()
        while not self.go.wait(0.01):
            on_progress(0, 50)
        yield from self.inner.stream_music(prompt, config, on_progress=on_progress, **rest)

    def stream_batch(self, prompts, configs, **rest):
        self.rows.append(len(prompts))
        yield from self.inner.stream_batch(prompts, configs, **rest)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "musicgen-small"
    write_checkpoint(folder, rate=FILE_RATE)
    return MusicgenAdapter.from_pretrained(folder)


@pytest.fixture
def generator(small):
    return Watched(small)


@pytest.fixture
def jobs(open_service, generator, monkeypatch, tmp_path):
    from music_catalog.generator import weights

    monkeypatch.setattr(weights, "find", lambda size: tmp_path)
    jobs = Jobs(open_service(generators=lambda backend, size: generator), limit=4)
    yield jobs
    generator.go.set()
    jobs.close(PATIENCE_S)


def wait_for(condition):
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def in_line(jobs):
    """Return how many jobs wait in the line of the generator, behind the one that is made."""
    from music_catalog.generator.thread.line import LINE

    return len(LINE.works()) - 1


def three_that_wait(jobs, generator):
    first = jobs.find_or_make(FIRST, **SHORT)
    assert generator.begun.wait(PATIENCE_S)
    waiting = [jobs.find_or_make(text, **SHORT) for text in TEXTS]
    wait_for(lambda: in_line(jobs) == 3)
    return first, waiting


def test_three_jobs_that_wait_are_one_batch_and_each_is_as_alone(jobs, generator, open_service, tmp_path):
    first, waiting = three_that_wait(jobs, generator)
    states = [jobs.get(job.id).state for job in (first, *waiting)]
    assert states == ["running", "queued", "queued", "queued"]
    assert (jobs.waiting, [jobs.position(job.id) for job in waiting]) == (3, [1, 2, 3])
    heard = [jobs.sound(job.id).listen() for job in waiting]
    seen = []
    jobs.subscribe(lambda job: seen.append((job.id, job.state, job.progress)))
    generator.go.set()
    made = [jobs.wait(job.id, PATIENCE_S) for job in waiting]
    assert generator.rows == [1, 3]
    assert [job.state for job in made] == ["done"] * 3
    alone = open_service(tmp_path / "alone", generators=lambda backend, size: generator)
    for text, job, listener in zip(TEXTS, made, heard, strict=True):
        assert job.result.action == "generated"
        single = alone.find_or_make(text, **SHORT)
        own, other = (audio.read(result.path).samples for result in (job.result, single))
        assert np.abs(own - other).max() < 1e-4
        assert sum(len(part.samples) for part in listener) == len(own)
        assert any(one == job.id and state == "running" and done for one, state, done in seen if done)
    assert generator.rows == [1, 3], "those that are asked for alone are not streamed"


def test_one_that_waits_is_cancelled_and_the_others_are_made(jobs, generator):
    _, waiting = three_that_wait(jobs, generator)
    assert jobs.cancel(waiting[1].id).state == "cancelled"
    wait_for(lambda: in_line(jobs) == 2)
    generator.go.set()
    ends = [jobs.wait(job.id, PATIENCE_S).state for job in waiting]
    assert ends == ["done", "cancelled", "done"]
    wait_for(lambda: not jobs.waiting)
    rules = [line.rule for line in jobs.service.store.requests.list()]
    assert rules.count("cancelled") == 1
    assert generator.rows == [1, 2]


def test_the_queue_is_bounded_by_those_that_are_prepared_too(jobs, generator):
    three_that_wait(jobs, generator)
    jobs.find_or_make("Snow falls on the square.", **SHORT)
    with pytest.raises(Busy, match="4 makes are waiting"):
        jobs.find_or_make("A dog runs along the beach.", **SHORT)


def test_what_does_not_fit_into_memory_together_is_made_one_by_one(jobs, generator, monkeypatch):
    room = adapters.require_room

    def for_one(networks, pieces, *, whole):
        if len(pieces) > 1:
            raise GeneratorError("not enough memory to make these together")
        room(networks, pieces, whole=whole)

    monkeypatch.setattr(adapters, "require_room", for_one)
    _, waiting = three_that_wait(jobs, generator)
    generator.go.set()
    assert [jobs.wait(job.id, PATIENCE_S).state for job in waiting] == ["done"] * 3
    assert generator.rows == [1, 3, 1, 1, 1]


def test_a_stop_hands_over_what_waits_in_the_line_and_logs_nothing_of_it(jobs, generator, open_service):
    first, waiting = three_that_wait(jobs, generator)
    stop = threading.Thread(target=jobs.close, args=(PATIENCE_S,), kwargs={"hand_over": True})
    stop.start()
    wait_for(lambda: in_line(jobs) == 0)
    generator.go.set()
    stop.join(PATIENCE_S)
    assert [jobs.get(job.id).state for job in (first, *waiting)] == ["done", *["queued"] * 3]
    assert jobs.at_rest
    assert len(jobs.service.store.requests.list()) == 1
    following = Jobs(open_service(generators=lambda backend, size: generator))
    try:
        assert [following.wait(job.id, PATIENCE_S).state for job in waiting] == ["done"] * 3
    finally:
        following.close(PATIENCE_S)


def test_a_text_that_the_track_in_the_making_serves_waits_for_it(jobs, generator):
    first = jobs.find_or_make(CALM, **SHORT)
    assert generator.begun.wait(PATIENCE_S)
    near, other = jobs.find_or_make(f"{CALM} ", query="calm", **SHORT), jobs.find_or_make(PANIC, **SHORT)
    wait_for(lambda: in_line(jobs) == 1)
    generator.go.set()
    made, reused, panic = (jobs.wait(job.id, PATIENCE_S).result for job in (first, near, other))
    assert [one.action for one in (made, reused, panic)] == ["generated", "reused", "generated"]
    assert reused.track.id == made.track.id


class Away:
    """A generator that has another machine make the music: it is called on the thread of who asks."""

    weights_license, elsewhere = "MIT", True

    def __init__(self):
        self.go = threading.Event()

    def generate_music(self, prompt, config, *, on_progress=None, **_):
        while not self.go.wait(0.01):
            on_progress(1, 4)
        samples = np.random.default_rng(1).uniform(-0.1, 0.1, (FILE_RATE, 1)).astype(np.float32)
        made = {"model": "away", "weights_license": "MIT", "seed": config["seed"], "versions": {}}
        return Audio(samples, FILE_RATE, made)


def test_a_job_that_another_machine_makes_is_told_as_made_while_the_one_before_it_is_made(jobs, generator):
    backends, away = jobs.service._flow.backends, Away()
    backends._settings = {"away": BackendSettings()}
    backends._loaded["away"] = PluginGenerator("away", lambda: away, {})
    jobs.find_or_make(FIRST, **SHORT)
    assert generator.begun.wait(PATIENCE_S)
    job = jobs.find_or_make(PANIC, **{**SHORT, "backend": "away"})
    try:
        wait_for(lambda: jobs.get(job.id).progress == (1, 4))
        made = jobs.get(job.id)
        assert (made.state, jobs.waiting, jobs.position(job.id)) == ("running", 0, 0)
        assert made.started_at is not None
    finally:
        away.go.set()
    assert jobs.wait(job.id, PATIENCE_S).state == "done"


def test_work_that_is_no_make_waits_for_its_turn(jobs, generator):
    first, waiting = three_that_wait(jobs, generator)
    done = threading.Event()
    other = jobs.submit(lambda on_progress: done.set() or {}, request={})
    assert not done.wait(0.5)
    generator.go.set()
    assert [jobs.wait(job.id, PATIENCE_S).state for job in (first, *waiting, other)] == ["done"] * 5


def test_what_a_process_died_of_once_is_made_alone(jobs, generator):
    first = jobs.find_or_make(FIRST, **SHORT)
    assert generator.begun.wait(PATIENCE_S)
    with jobs._changed:  # as they are taken over after a crash amid their batch
        dead = [jobs.find_or_make(text, **SHORT) for text in TEXTS[:2]]
        for job in dead:
            jobs._ledger.entries[job.id].starts = 1
        fresh = jobs.find_or_make(TEXTS[2], **SHORT)
    time.sleep(0.5)
    assert in_line(jobs) == 0
    generator.go.set()
    assert [jobs.wait(job.id, PATIENCE_S).state for job in (first, *dead, fresh)] == ["done"] * 4
    assert generator.rows == [1, 1, 1, 1]


def test_makes_do_not_overtake_work_that_makes_one_track_after_the_other(jobs, generator):
    first = jobs.find_or_make(FIRST, **SHORT)
    assert generator.begun.wait(PATIENCE_S)
    told = []

    def scenes(on_progress):
        for text in (CALM, ELSEWHERE):
            told.append(jobs.service.find_or_make(text, on_progress=on_progress, **SHORT).track.id)
        return {}

    story, make = jobs.submit(scenes, request={}), jobs.find_or_make(PANIC, **SHORT)
    generator.go.set()
    assert [jobs.wait(job.id, PATIENCE_S).state for job in (first, story, make)] == ["done"] * 3
    lines = sorted(jobs.service.store.requests.list(), key=lambda line: line.created_at)
    make_id = jobs.get(make.id).result.track.id
    assert [line.track_id for line in lines][1:] == [*told, make_id]


def test_jobs_of_one_theme_share_its_track(jobs, generator, monkeypatch):
    append = jobs.service.store.requests.append
    monkeypatch.setattr(
        jobs.service.store.requests,
        "append",
        lambda *line, **more: (time.sleep(0.3), append(*line, **more))[-1],
    )
    jobs.find_or_make(FIRST, **SHORT)
    assert generator.begun.wait(PATIENCE_S)
    same = [jobs.find_or_make(text, theme="campfire", **SHORT) for text in (CALM, CALM_AGAIN)]
    wait_for(lambda: in_line(jobs) == 1)
    generator.go.set()
    made = [jobs.wait(job.id, PATIENCE_S).result for job in same]
    served = next(one for one in made if one.action == "reused")
    assert (served.decision.rule, made[0].track.id) == ("theme", made[1].track.id)


def test_calls_of_one_theme_are_alike_whatever_their_texts(jobs):
    calls = [
        jobs.service._flow.begin("find-or-make", text, {**SHORT, "theme": theme})
        for text, theme in ((CALM, "campfire"), (ELSEWHERE, "campfire"), (ELSEWHERE, "arrival"), (CALM, ""))
    ]
    for call in calls:
        jobs.service._flow.understand(call)
    assert [alike(calls[0], other, Terms()) for other in calls[1:3]] == [True, False]
    assert not alike(calls[3], calls[2], Terms())


def test_a_text_that_the_music_in_the_making_may_serve_waits_for_it(open_service, generator, jobs):
    learned = open_service(encoder=encoders.load(), min_similarity=None, generators=lambda *_: generator)
    queue = Jobs(learned)
    try:
        queue.find_or_make(FIRST, **SHORT)
        assert generator.begun.wait(PATIENCE_S)
        waiting = [queue.find_or_make(text, variety=1, **SHORT) for text in PLAIN]
        wait_for(lambda: in_line(queue) >= 1)
        time.sleep(1.0)
        generator.go.set()
        made = [queue.wait(job.id, PATIENCE_S).result for job in waiting]
        assert len({one.track.id for one in made}) == 1
        assert sorted(one.decision.rule for one in made if one.action == "reused") == ["music"]
    finally:
        generator.go.set()
        queue.close(PATIENCE_S)
