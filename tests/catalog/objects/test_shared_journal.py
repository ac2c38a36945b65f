"""Jobs that replicas share: every process can read them, and those of a process that dies are taken over once."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timezone

import pytest

from music_catalog.disk.journal import Line
from music_catalog.disk.remote import journal as journals
from music_catalog.disk.remote.journal import SharedJournal
from music_catalog.errors import InputError, StorageError
from music_catalog.models.job import Job
from music_catalog.objects.address import parse_address
from music_catalog.objects.blobs import Blobs

NOON = datetime(2026, 3, 4, 12, tzinfo=timezone.utc)
CALL = {"context": {"text": "rain"}, "arguments": {}}


@pytest.fixture
def blobs(seaweed):
    return Blobs(parse_address(seaweed.address()))


@pytest.fixture
def opened(blobs, tmp_path, monkeypatch):
    """Return a function that opens the journal of one more process."""
    monkeypatch.setattr(journals, "ALIVE_S", 1.0)
    journal = []

    def open_():
        journal.append(SharedJournal(blobs, tmp_path))
        return journal[-1]

    yield open_
    for each in journal:
        each.close()


def line(job_id="a" * 16, state="queued", **more):
    return Line(Job(job_id, NOON, {"context": "rain"}, state), CALL, **more)


def test_every_process_reads_a_job_as_it_was_last_written(opened):
    first, second = opened(), opened()
    assert second.find("a" * 16) is None
    first.write(line())
    assert (second.find("a" * 16).state, second.find("a" * 16).request) == ("queued", {"context": "rain"})
    first.write(line(state="running", starts=1))
    assert second.find("a" * 16).state == "running"
    first.delete("a" * 16)
    assert second.find("a" * 16) is None


def test_jobs_of_a_process_that_ended_are_taken_over_by_one(opened):
    first, others = opened(), [opened() for _ in range(4)]
    for number in range(6):
        first.write(line(f"{number:016x}", starts=number))
    assert [one.take_over() for one in others] == [[]] * 4
    first.close()
    taken: list[list[Line]] = []
    threads = [threading.Thread(target=lambda one=one: taken.append(one.take_over())) for one in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = sorted((each for lines in taken for each in lines), key=lambda each: each.job.id)
    assert [each.starts for each in lines] == list(range(6))  # each once
    assert lines[0].call == CALL


def test_a_process_that_falls_silent_is_noticed_and_can_write_its_jobs_no_more(opened, monkeypatch):
    first, second = opened(), opened()
    monkeypatch.setattr("music_catalog.objects.lease._Lease.keep_renewed", lambda lease: None)
    first.write(line())
    assert second.take_over() == []
    deadline = time.monotonic() + 30
    while not (taken := second.take_over()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert [each.job.id for each in taken] == ["a" * 16]
    second.write(line(state="running"))
    with pytest.raises(StorageError, match="is one of another process now"):
        first.write(line(state="done"))
    assert first.find("a" * 16).state == "running"


def test_a_process_that_lives_keeps_its_jobs(opened):
    first, second = opened(), opened()
    first.write(line())
    for _ in range(10):
        assert second.take_over() == []
        time.sleep(0.2)


def test_another_process_asks_to_cancel_a_job(opened):
    first, second = opened(), opened()
    first.write(line())
    assert second.ask_to_cancel("a" * 16)
    second.take_over()
    assert second.asked_to_cancel() == []
    first.take_over()
    assert first.asked_to_cancel() == ["a" * 16]
    first.take_over()
    assert first.asked_to_cancel() == []


def test_a_job_that_cannot_be_read_fails_and_one_that_cannot_be_kept_is_refused(opened, blobs, caplog):
    journal = opened()
    blobs.put(f"jobs/{'b' * 16}.json", b"no json")
    assert journal.find("b" * 16).state == "failed"
    assert "cannot be read" in caplog.text
    with pytest.raises(InputError, match="holds a object; pass plain JSON values"):
        journal.write(Line(Job("a" * 16, NOON, {"context": object()}), CALL))


def test_a_write_whose_answer_was_lost_is_no_loss(opened, seaweed_server, seaweed, monkeypatch, tmp_path):
    from slow_store import SlowStore

    address = seaweed.address()
    with SlowStore(seaweed_server.endpoint, forgotten=0.3) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT", proxy.endpoint)
        journal = SharedJournal(Blobs(parse_address(address)), tmp_path)
        for number in range(12):
            journal.write(line(state="running" if number % 2 else "queued", starts=number))
        assert proxy.counts["503"]
        journal.close()
