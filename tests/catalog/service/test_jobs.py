from __future__ import annotations

import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from music_catalog.errors import Busy, InputError, NotFound, Unavailable
from music_catalog.generator import Audio, GeneratorError
from music_catalog.service.jobs import Jobs, QueueFull, job_json

RAIN = "Soft rain taps on the library windows while students read in calm, peaceful silence."
SHORT = {"duration_s": 1.0, "quality": "preview", "backend": "procedural"}
WORDS = ("calm alpha", "bright beta", "dark gamma", "wide delta")
WAIT_S = 30.0


class SlowGenerator:
    """Make a tone in as many steps as it is let go; each step is reported."""

    def __init__(self, steps=4):
        self.steps = steps
        self.go = threading.Event()
        self.began = threading.Semaphore(0)
        self.made = 0

    def generate_music(self, prompt, config, *, melody=None, continue_from=None, on_progress=None):
        on_progress(0, self.steps)
        self.began.release()
        while not self.go.wait(0.005):
            on_progress(1, self.steps)
        if "volcano" in prompt:
            raise GeneratorError("the volcano cannot be made")
        for step in range(1, self.steps + 1):
            on_progress(step, self.steps)
        self.made += 1
        time = np.arange(round(config["duration_s"] * 32_000)) / 32_000
        samples = np.repeat(0.1 * np.sin(2 * np.pi * 220 * time)[:, None], 2, axis=1).astype(np.float32)
        origin = {"backend": "procedural", "model": "slow", "weights_license": "none", "seed": config["seed"]}
        return Audio(samples, 32_000, {**origin, "versions": {}})


@pytest.fixture
def slow():
    return SlowGenerator()


@pytest.fixture
def jobs(open_service, slow):
    jobs = Jobs(open_service(generators=lambda backend, size: slow), limit=2)
    yield jobs
    slow.go.set()
    jobs.close(WAIT_S)


def asked(jobs, number=0, **more):
    return jobs.find_or_make(WORDS[number], **SHORT, **more)


def rules(jobs):
    return [line.rule for line in jobs.service.store.requests.list()]


def test_a_job_is_queued_runs_with_progress_and_ends_with_its_result(jobs, slow):
    seen = []
    jobs.subscribe(seen.append)
    job = jobs.find_or_make(RAIN, **SHORT)
    assert (job.state, job.result) == ("queued", None)
    slow.go.set()
    over = jobs.wait(job.id, WAIT_S)
    assert (over.state, over.progress, over.result.action) == ("done", (4, 4), "generated")
    assert [one.state for one in seen][:2] == ["queued", "running"]
    assert seen[-1] == over
    payload = job_json(over)
    assert payload["progress"] == {"done": 4, "total": 4}
    assert payload["request"] == {"context": RAIN, **SHORT}
    assert payload["result"]["decision"]["action"] == "make"


def test_those_who_ask_for_the_same_join_one_job(jobs, slow):
    first, second = asked(jobs), asked(jobs)
    assert (second.id, second.requests) == (first.id, 2)
    assert asked(jobs, 1).id != first.id
    slow.go.set()
    jobs.wait(first.id, WAIT_S)
    assert slow.made >= 1
    assert asked(jobs).id != first.id


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ({"min_similarity": 0.1}, {"min_similarity": 0.99}, False),
        ({"min_similarity": 0.1}, {"min_similarity": 0.1}, True),
        ({"max_false_reuse": 0.3}, {"max_false_reuse": 0.02}, False),
        ({"max_false_reuse": 0.3}, {}, False),
        ({"reuse": "always"}, {}, False),
        ({"reuse": "auto"}, {}, True),
        ({"listener": "ada"}, {}, False),
    ],
)
def test_only_jobs_that_decide_alike_are_joined(jobs, first, second, joined):
    assert (asked(jobs, **first).id == asked(jobs, **second).id) == joined


def test_a_request_never_to_reuse_is_made_each_time(jobs, slow):
    first, second = asked(jobs, reuse="never"), asked(jobs, reuse="never")
    slow.go.set()
    ids = {jobs.wait(job.id, WAIT_S).result.track.id for job in (first, second)}
    assert len(ids) == 2


def test_the_queue_is_bounded_and_takes_more_once_one_has_ended(jobs, slow):
    running = asked(jobs, 0)
    assert slow.began.acquire(timeout=WAIT_S)
    waiting = [asked(jobs, 1), asked(jobs, 2)]
    assert jobs.waiting == 2
    assert [jobs.position(job.id) for job in (running, *waiting)] == [0, 1, 2]
    with pytest.raises(QueueFull, match="2 makes are waiting"):
        asked(jobs, 3)
    jobs.cancel(waiting[0].id)
    assert asked(jobs, 3).state == "queued"


def test_cancelling_what_waits_is_immediate_and_recorded(jobs, slow):
    asked(jobs, 0)
    assert slow.began.acquire(timeout=WAIT_S)
    waiting = asked(jobs, 1)
    assert jobs.cancel(waiting.id).state == "cancelled"
    assert rules(jobs) == ["cancelled"]
    slow.go.set()
    assert jobs.cancel(waiting.id).state == "cancelled"
    assert rules(jobs).count("cancelled") == 1


def test_cancelling_what_runs_stops_it_at_its_next_step_and_keeps_nothing(jobs, slow):
    job = asked(jobs)
    assert slow.began.acquire(timeout=WAIT_S)
    jobs.cancel(job.id)
    over = jobs.wait(job.id, WAIT_S)
    assert (over.state, over.result, over.error) == ("cancelled", None, None)
    assert (slow.made, jobs.service.store.tracks.count()) == (0, 0)
    assert rules(jobs) == ["cancelled"]
    again = asked(jobs)
    assert again.id != job.id
    slow.go.set()
    assert jobs.wait(again.id, WAIT_S).state == "done"


def test_a_cancelled_job_is_not_joined(jobs, slow):
    job = asked(jobs)
    assert slow.began.acquire(timeout=WAIT_S)
    jobs._ledger.entries[job.id].cancelling = True
    assert asked(jobs).id != job.id


def test_a_finished_job_cannot_be_cancelled(jobs, slow):
    slow.go.set()
    job = jobs.wait(asked(jobs).id, WAIT_S)
    assert jobs.cancel(job.id) == job


def test_a_make_that_fails_says_why_and_the_next_one_runs(jobs, slow):
    bad, good = jobs.find_or_make("a volcano erupts", **SHORT), asked(jobs)
    slow.go.set()
    over = jobs.wait(bad.id, WAIT_S)
    assert (over.state, type(over.error)) == ("failed", Unavailable)
    assert job_json(over)["error"] == {
        "type": "Unavailable",
        "detail": "the volcano cannot be made",
        "exit_code": 6,
    }
    assert jobs.wait(good.id, WAIT_S).state == "done"


def test_an_unforeseen_failure_ends_the_job_without_its_details(jobs, caplog):
    def work(on_progress):
        raise RuntimeError("/secret/path")

    over = jobs.wait(jobs.submit(work, request={}).id, WAIT_S)
    assert over.state == "failed"
    assert "/secret/path" not in str(job_json(over))
    assert "/secret/path" in caplog.text


def test_what_cannot_be_asked_is_refused_before_it_queues(jobs):
    with pytest.raises(InputError):
        jobs.find_or_make("", **SHORT)
    with pytest.raises(InputError, match="nonsense"):
        jobs.find_or_make(RAIN, preset="nonsense")
    assert jobs.list() == []
    for call in (jobs.get, jobs.cancel, jobs.wait, jobs.position):
        with pytest.raises(NotFound):
            call("nothing")


def test_events_of_one_job_end_with_the_subscription(jobs, slow):
    first, second = asked(jobs, 0), asked(jobs, 1)
    seen = []
    end = jobs.subscribe(seen.append, second.id)
    slow.go.set()
    jobs.wait(second.id, WAIT_S)
    assert {job.id for job in seen} == {second.id}
    end()
    count = len(seen)
    jobs.wait(asked(jobs, 2).id, WAIT_S)
    assert len(seen) == count
    assert first.id in [job.id for job in jobs.list()]


def test_a_job_is_read_while_the_queue_is_locked(jobs, slow):
    job = asked(jobs, 0)
    assert slow.began.acquire(timeout=WAIT_S)
    locked, done = threading.Event(), threading.Event()
    jobs.subscribe(lambda _: (locked.set(), done.wait(WAIT_S)))
    with ThreadPoolExecutor(2) as pool:
        pool.submit(asked, jobs, 1)
        try:
            assert locked.wait(WAIT_S)
            assert pool.submit(jobs.get, job.id).result(5.0).id == job.id
        finally:
            done.set()


def test_a_job_is_shown_as_over_once_that_is_on_the_disk(jobs, slow, monkeypatch):
    write, shown = jobs._journal.write, {}

    def note(line):
        if line.job.id in jobs._ledger.entries:
            shown[line.job.state] = jobs.get(line.job.id).state
        write(line)

    monkeypatch.setattr(jobs._journal, "write", note)
    slow.go.set()
    jobs.wait(asked(jobs).id, WAIT_S)
    assert shown == {"running": "queued", "done": "running"}


def test_finished_jobs_are_forgotten_after_a_while_and_beyond_a_number(jobs, slow, monkeypatch):
    slow.go.set()
    ids = [jobs.wait(asked(jobs, number).id, WAIT_S).id for number in range(3)]
    monkeypatch.setattr("music_catalog.service.jobs.ledger.KEPT", 2)
    assert [job.id for job in jobs.list()] == [ids[2], ids[1]]
    monkeypatch.setattr("music_catalog.service.jobs.ledger.KEPT_S", -1.0)
    assert jobs.list() == []


def test_a_stop_lets_the_running_one_finish_within_its_grace_and_records_the_waiting(jobs, slow):
    running, waiting = asked(jobs, 0), asked(jobs, 1)
    assert slow.began.acquire(timeout=WAIT_S)
    stop = threading.Thread(target=jobs.close, args=(WAIT_S,))
    stop.start()
    assert jobs.wait(waiting.id, WAIT_S).state == "cancelled"
    with pytest.raises(Busy, match="stopping"):
        asked(jobs, 2)
    slow.go.set()
    stop.join(WAIT_S)
    assert jobs.get(running.id).state == "done"
    assert sorted(rules(jobs)) == ["cancelled", "no_candidate"]


def test_a_stop_cancels_what_outlives_its_grace(jobs, slow):
    running = asked(jobs)
    assert slow.began.acquire(timeout=WAIT_S)
    jobs.close(grace_s=0.0)
    assert jobs.get(running.id).state == "cancelled"
    assert rules(jobs) == ["cancelled"]


def test_a_stop_records_what_does_not_listen(jobs, monkeypatch):
    monkeypatch.setattr("music_catalog.service.jobs.jobs.CANCEL_S", 0.0)
    go, began, dropped = threading.Event(), threading.Event(), []

    def work(on_progress):
        began.set()
        go.wait(WAIT_S)
        raise RuntimeError("never seen")

    job = jobs.submit(work, request={}, dropped=lambda: dropped.append(True))
    assert began.wait(WAIT_S)
    jobs.close(grace_s=0.0)
    assert (jobs.get(job.id).state, dropped) == ("cancelled", [True])
    go.set()


def test_reuse_answers_at_once_and_leaves_no_line_where_it_would_make(service):
    assert service.reuse(RAIN, **SHORT) is None
    assert service.store.requests.list() == []
    made = service.find_or_make(RAIN, **SHORT)
    again = service.reuse(RAIN, **SHORT)
    assert (again.action, again.track.id) == ("reused", made.track.id)
    assert [line.rule for line in service.store.requests.list()] == ["exact", "no_candidate"]


def test_a_job_can_be_cancelled_after_its_last_step(service, monkeypatch):
    from music_catalog.service import making

    jobs = Jobs(service)
    shape = making.shape

    def cancelled_meanwhile(raw, config):
        jobs.cancel(jobs.list()[0].id)
        return shape(raw, config)

    monkeypatch.setattr(making, "shape", cancelled_meanwhile)
    job = jobs.find_or_make("Rain on the roof.", quality="preview", duration_s=1.0, backend="procedural")
    assert jobs.wait(job.id, WAIT_S).state == "cancelled"
    assert service.store.tracks.count() == 0
    jobs.close()


def test_the_error_of_a_job_that_failed_keeps_nothing_of_what_was_made(jobs):
    there = []

    def work(on_progress):
        samples = np.zeros(1000, np.float32)
        there.append(weakref.ref(samples))
        raise Unavailable("there is no room for it")

    job = jobs.wait(jobs.submit(work, request={}).id, WAIT_S)
    assert (job.state, str(job.error)) == ("failed", "there is no room for it")
    assert there[0]() is None


def test_a_job_reads_what_the_application_is_as_a_call_does(jobs, slow):
    slow.go.set()
    quiz = {"text": WORDS[0], "features": {"application": "a quiz show for children"}}
    told = jobs.wait(jobs.find_or_make(quiz, **SHORT).id, WAIT_S).result
    assert told.request.context.application == "a quiz show for children"
    unread = {"text": WORDS[1], "application": "a quiz show for children"}
    (note, *_) = jobs.wait(jobs.find_or_make(unread, **SHORT).id, WAIT_S).result.warnings
    assert '"features"' in note
