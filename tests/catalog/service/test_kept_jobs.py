"""Jobs that were accepted outlive the process that accepted them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from music_catalog.errors import Busy, Damage, InputError, Interrupted, NotFound, StorageError
from music_catalog.models import Context
from music_catalog.service.jobs import Jobs, job_json

ROOT = Path(__file__).resolve().parents[3]
SHORT = {"duration_s": 1.0, "quality": "preview", "backend": "procedural"}
RAIN = "Soft rain taps on the library windows while students read in calm, peaceful silence."
WAIT_S = 60.0


class Held:
    """A generator that makes nothing until it is let go, and then a short piece."""

    def __init__(self):
        self.go, self.began = threading.Event(), threading.Semaphore(0)

    def generate_music(self, prompt, config, *, on_progress=None, **rest):
        from music_catalog.generator import ProceduralGenerator

        self.began.release()
        while not self.go.wait(0.005):
            on_progress(0, 1)
        return ProceduralGenerator().generate_music(prompt, config)


@pytest.fixture
def held():
    return Held()


@pytest.fixture
def started(open_service, held):
    """Return a function that starts a queue on the same home, as one more process would."""
    queues = []

    def start(**options):
        queues.append(Jobs(open_service(generators=lambda backend, size: held), **{"limit": 20, **options}))
        return queues[-1]

    yield start
    held.go.set()
    for queue in queues:
        if not queue._workers.closed:
            queue.close(WAIT_S)


def crash(jobs):
    """Let a queue go as a process does that is killed: nothing is written, and its locks are free."""
    jobs._ending.set()  # whoever watches for dead processes is dead as well
    with jobs._changed:  # a worker that writes meanwhile would take the lock of the journal again
        jobs._journal.close()
        jobs._journal.write = lambda line: None
        jobs._journal.delete = lambda job_id: None
        jobs._workers.waiting.clear()
        jobs._workers.closed = True
        for entry in jobs._ledger.entries.values():
            entry.cancelling = True  # the claim of a process that died is free
        jobs._changed.notify_all()


def files(jobs):
    return sorted((jobs.service.store.home / "jobs").glob("*.json"))


def test_what_was_accepted_is_made_by_the_next_process_under_its_id(started, held):
    first = started()
    ids = [first.find_or_make(f"{RAIN} {number}", **SHORT).id for number in range(3)]
    assert held.began.acquire(timeout=WAIT_S)
    assert len(files(first)) == 3
    crash(first)
    second = started()
    assert [job.id for job in reversed(second.list())] == ids
    held.go.set()
    over = [second.wait(job_id, WAIT_S) for job_id in ids]
    assert [job.state for job in over] == ["done"] * 3
    assert over[0].request == {"context": f"{RAIN} 0", **SHORT}
    assert all(job.result.path.is_file() for job in over)


def test_a_request_that_waits_again_is_joined(started, held):
    first = started()
    source = {"answer": RAIN, "question": "Why?", "features": {"valence": 0.25}, "made": object()}
    job = first.find_or_make(source, request={}, mood_tags=("calm",), generation={"top_k": 40}, **SHORT)
    assert held.began.acquire(timeout=WAIT_S)
    crash(first)
    second = started()
    same = second.find_or_make(source, request={}, mood_tags=("calm",), generation={"top_k": 40}, **SHORT)
    assert same.id == job.id


def test_a_make_once_more_is_kept_too(started, held):
    held.go.set()
    first = started()
    made = first.wait(first.find_or_make(RAIN, **SHORT).id, WAIT_S).result
    held.go.clear()
    held.began = threading.Semaphore(0)
    again = first.again(made.track.id, variation=True, request={"again": made.track.id})
    assert held.began.acquire(timeout=WAIT_S)
    crash(first)
    second = started()
    held.go.set()
    other = second.wait(again.id, WAIT_S).result.track
    assert (other.context, other.seed == made.track.seed) == (RAIN, False)


def test_what_was_over_can_still_be_read_for_an_hour(started, held, monkeypatch):
    held.go.set()
    first = started()
    done = first.wait(first.find_or_make(RAIN, **SHORT).id, WAIT_S)
    failed = first.wait(
        first.find_or_make("Cargo volumes grew.", role="intro_sting", reuse="always", **SHORT).id, WAIT_S
    )
    held.go.clear()
    first.find_or_make(f"{RAIN} 1", **SHORT)
    cancelled = first.cancel(first.find_or_make(f"{RAIN} 2", **SHORT).id)
    crash(first)
    second = started()
    assert second.get(done.id).result == done.result
    assert job_json(second.get(failed.id)) == job_json(failed)
    assert isinstance(second.get(failed.id).error, NotFound)
    assert second.get(cancelled.id).state == "cancelled"
    crash(second)
    monkeypatch.setattr("music_catalog.service.jobs.jobs.now", lambda: done.finished_at + timedelta(hours=2))
    third = started()
    with pytest.raises(NotFound, match="there is no job"):
        third.get(done.id)
    assert done.id not in "".join(path.name for path in files(third))


def test_a_home_that_was_moved_has_its_results_where_they_are(started, held, open_service, tmp_path):
    held.go.set()
    first = started()
    done = first.wait(first.find_or_make(RAIN, **SHORT).id, WAIT_S)
    first.close()
    home = tmp_path / "elsewhere"
    shutil.move(first.service.store.home, home)
    second = Jobs(open_service(home))
    path = second.get(done.id).result.path
    assert path.is_file()
    assert path.is_relative_to(home)
    second.close()


def test_a_make_that_no_process_survives_is_told_after_three(started, held):
    queue = started()
    job = queue.find_or_make(RAIN, **SHORT)
    for _ in range(2):
        assert held.began.acquire(timeout=WAIT_S)
        crash(queue)
        queue = started()
        assert queue.get(job.id).state in ("queued", "running")
    assert held.began.acquire(timeout=WAIT_S)
    crash(queue)
    over = started().get(job.id)
    assert (over.state, type(over.error)) == ("failed", Interrupted)
    assert str(over.error) == "the service ended 3 times while it made this; ask again to try once more"


@pytest.mark.parametrize("bit", [5, 4_000])
def test_a_damaged_file_is_told_and_kept_aside(started, held, bit, caplog):
    first = started()
    running, waiting = (first.find_or_make(f"{RAIN} {number}", **SHORT) for number in range(2))
    crash(first)
    (path,) = [path for path in files(first) if path.name.startswith(waiting.id)]
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)
    second = started()
    over = second.get(waiting.id)
    assert (over.state, type(over.error)) == ("failed", Damage)
    assert "is damaged and is set aside" in caplog.text
    assert [*(first.service.store.home / "lost").glob(f"*{waiting.id}*")]
    assert second.get(running.id).state in ("queued", "running")
    crash(second)
    assert started().get(waiting.id).state == "failed"


def test_a_job_that_cannot_be_kept_is_refused(started, monkeypatch):
    jobs = started()

    def full(path, data, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("music_catalog.disk.journal.write_file", full)
    with pytest.raises(StorageError, match="the job cannot be kept on the disk: the disk is full; free some"):
        jobs.find_or_make(RAIN, **SHORT)
    monkeypatch.undo()
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(StorageError, match=r"the job cannot be kept on the disk: .* is read-only"):
        jobs.find_or_make(RAIN, **SHORT)
    monkeypatch.undo()
    with pytest.raises(InputError, match="holds a object; pass plain JSON values"):
        jobs.find_or_make(RAIN, request={"context": object()}, **SHORT)
    assert jobs.list() == []


def test_jobs_of_a_process_that_lives_are_left_to_it(started, held):
    first, second = started(), started()
    job = first.find_or_make(RAIN, **SHORT)
    assert held.began.acquire(timeout=WAIT_S)
    assert second.get(job.id).state == "running"
    assert second.position(job.id) == 0
    with pytest.raises(Busy, match="one of another process"):
        second.cancel(job.id)
    third = started()
    assert third.list() == []
    held.go.set()
    assert first.wait(job.id, WAIT_S).state == "done"
    assert third.get(job.id).result.track


def test_a_stop_that_hands_over_leaves_what_is_not_made_to_the_next_process(started, held, monkeypatch):
    first = started()
    ids = [first.find_or_make(f"{RAIN} {number}", **SHORT).id for number in range(3)]
    mine = first.submit(lambda on_progress: {}, request={})  # work that is not kept cannot be left to anybody
    assert held.began.acquire(timeout=WAIT_S)
    first.close(grace_s=0.0, hand_over=True)
    assert [first.get(job_id).state for job_id in (*ids, mine.id)] == ["queued"] * 3 + ["cancelled"]
    assert first.at_rest
    monkeypatch.setattr("music_catalog.service.jobs.jobs.MOST_STARTS", 1)  # a stop in order is no death
    second = started()
    assert [job.id for job in reversed(second.list())] == ids
    held.go.set()
    assert [second.wait(job_id, WAIT_S).state for job_id in ids] == ["done"] * 3


def test_a_stop_that_hands_over_lets_the_running_job_finish_and_cancels_what_a_person_cancelled(
    started, held
):
    first = started()
    running, waiting = (first.find_or_make(f"{RAIN} {number}", **SHORT) for number in range(2))
    assert held.began.acquire(timeout=WAIT_S)
    stop = threading.Thread(target=first.close, args=(WAIT_S,), kwargs={"hand_over": True})
    stop.start()
    with pytest.raises(Busy, match="stopping"):  # noqa: PT012
        while True:
            first.find_or_make(f"{RAIN} 2", **SHORT)
    held.go.set()
    stop.join(WAIT_S)
    assert (first.get(running.id).state, first.get(waiting.id).state) == ("done", "queued")
    second = started()
    assert second.wait(waiting.id, WAIT_S).state == "done"


def test_a_job_that_is_cancelled_while_it_is_handed_over_stays_cancelled(started, held):
    first = started()
    running, waiting = (first.find_or_make(f"{RAIN} {number}", **SHORT) for number in range(2))
    assert held.began.acquire(timeout=WAIT_S)
    stop = threading.Thread(target=first.close, args=(WAIT_S,), kwargs={"hand_over": True})
    stop.start()
    while first.waiting:
        time.sleep(0.01)
    assert first.cancel(waiting.id).state == "cancelled"
    held.go.set()
    stop.join(WAIT_S)
    assert first.get(running.id).state == "done"
    assert started().get(waiting.id).state == "cancelled"


def test_a_context_of_any_form_is_kept(started, held):
    first = started()
    job = first.find_or_make(Context(text=RAIN, environment="rain"), request={}, **SHORT)
    assert held.began.acquire(timeout=WAIT_S)  # what is being written at a crash would be written after it
    crash(first)
    held.go.set()
    over = started().wait(job.id, WAIT_S)
    assert (over.result.track.context, over.result.track.environment) == (RAIN, "rain")


HELD = """
import functools, os, time
from music_catalog import cli
from music_catalog import MusicService
from fakes import WordHashEncoder
from music_catalog.generator import ProceduralGenerator

class Held:
    def generate_music(self, prompt, config, **options):
        while not os.path.exists(os.environ["GO"]):
            time.sleep(0.01)
        return ProceduralGenerator().generate_music(prompt, config)

MusicService.open = functools.partial(
    MusicService.open, generators=lambda *_: Held(), encoder=WordHashEncoder(), min_similarity=0.999
)
cli.main()
"""


@contextmanager
def serve(home, go, *options):
    """Yield a service in a process of its own, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-c", HELD, "serve", "--home", str(home), "--port", "0", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "GO": str(go), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def asked(address, path, body=None):
    from urllib.request import Request, urlopen

    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{address}{path}", data, {"Content-Type": "application/json"})
    with urlopen(request, timeout=WAIT_S) as answer:
        return answer.status, json.loads(answer.read())


def test_a_service_that_is_killed_with_nine_accepted_jobs_loses_none(tmp_path):
    go, home = tmp_path / "go", tmp_path / "home"
    ids = []
    with serve(home, go) as (process, address):
        for number in range(9):
            status, answer = asked(address, "api/find-or-make", {"context": f"{number} {RAIN}", **SHORT})
            assert status == 202
            ids.append(answer["job"]["id"])
            deadline = time.monotonic() + WAIT_S
            # The first is running before the queue of eight fills.
            while number == 0 and asked(address, f"api/jobs/{ids[0]}")[1]["state"] != "running":
                assert time.monotonic() < deadline
                time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    with serve(home, go) as (process, address):
        assert [asked(address, f"api/jobs/{job_id}")[0] for job_id in ids] == [200] * 9
        go.touch()
        states: list[str] = []
        deadline = time.monotonic() + 3 * WAIT_S
        while set(states) != {"done"}:
            assert time.monotonic() < deadline, states
            time.sleep(0.2)
            states = [asked(address, f"api/jobs/{job_id}")[1]["state"] for job_id in ids]
            assert "failed" not in states
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0


@pytest.mark.cluster
def test_a_service_that_is_stopped_drains_and_hands_its_jobs_over(tmp_path):
    from urllib.error import HTTPError

    go, home = tmp_path / "go", tmp_path / "home"
    options = ("--at-stop", "hand-over", "--drain", "2", "--grace", "0.1")
    with serve(home, go, *options) as (process, address):
        ids = []
        for number in range(3):
            status, answer = asked(address, "api/find-or-make", {"context": f"{number} {RAIN}", **SHORT})
            assert status == 202
            ids.append(answer["job"]["id"])
        assert asked(address, "api/ready")[0] == 200
        process.send_signal(signal.SIGTERM)
        with pytest.raises(HTTPError, match="503") as refused:  # noqa: PT012
            while True:
                asked(address, "api/ready")
        assert json.loads(refused.value.read())["stopping"] is True
        assert asked(address, "api/live")[0] == 200
        # Balancers may not have heard yet: what they send is still taken.
        status, answer = asked(address, "api/find-or-make", {"context": f"3 {RAIN}", **SHORT})
        ids.append(answer["job"]["id"])
        assert (status, process.wait(WAIT_S)) == (202, 0)
    go.touch()
    with serve(home, go) as (process, address):
        deadline = time.monotonic() + WAIT_S
        while [asked(address, f"api/jobs/{job_id}")[1]["state"] for job_id in ids] != ["done"] * 4:
            assert time.monotonic() < deadline
            time.sleep(0.1)
