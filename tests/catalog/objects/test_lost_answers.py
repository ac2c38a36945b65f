"""Requests that a store does while their answers are lost, and processes that others took for dead."""

from __future__ import annotations

import logging
import time
import weakref
from datetime import datetime, timezone
from types import SimpleNamespace

import pyarrow as pa
import pytest
from fake_s3 import BUCKET
from homes import a_judgement, a_record, add, open_store
from object_requests import LosesAnswers

from music_catalog.disk.journal import Line, TakenOver
from music_catalog.disk.remote import journal as journals
from music_catalog.disk.remote.journal import SharedJournal
from music_catalog.errors import Busy, StorageError
from music_catalog.models.job import Job
from music_catalog.objects.lease import _Lease, lease
from music_catalog.store.homes import remote_log

JOB = "a" * 16


@pytest.fixture
def lossy(blobs):
    return LosesAnswers(blobs.address)


def line(job_id=JOB, state="queued"):
    now = datetime(2026, 3, 4, 12, tzinfo=timezone.utc)
    return Line(Job(job_id, now, {"context": "rain"}, state), {"context": {"text": "rain"}, "arguments": {}})


def test_a_lease_goes_on_after_a_renewal_whose_answer_was_lost(lossy):
    with lease(lossy, "it", 0.0, "it", lease_s=0.3) as held:
        lossy.lost = 1
        deadline = time.monotonic() + 10
        while lossy.lost:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with pytest.raises(Busy), lease(lossy, "it", 1.2, "it"):
            raise AssertionError("two hold it")
        assert held.is_held


def test_a_lease_that_is_lost_is_told_of(blobs, caplog):
    with caplog.at_level(logging.WARNING), lease(blobs, "it", 0.0, "it", lease_s=0.1) as held:
        blobs.put("locks/it.json", _Lease(blobs, "", 60.0)._content("held"))
        deadline = time.monotonic() + 10
        while "the claim locks/it.json was lost" not in caplog.text:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert not held.is_held


def test_a_lease_that_was_not_renewed_in_time_counts_as_lost(blobs):
    """Its holder was frozen, and does not know yet that another may have taken it."""
    held = _Lease(blobs, "locks/it.json", 0.05)
    assert held.take()
    time.sleep(0.06)
    assert not held.is_held


LONG_AGO = float("-inf")


def test_a_lease_that_was_not_renewed_in_time_is_renewed_unless_another_took_it(blobs):
    held = _Lease(blobs, "locks/it.json", 60.0)
    assert held.take()
    held._renewed_at = LONG_AGO
    assert not held.is_held
    assert held.confirm()
    blobs.put("locks/it.json", _Lease(blobs, "", 60.0)._content("held"))
    held._renewed_at = LONG_AGO
    assert not held.confirm()


def test_a_journal_that_was_frozen_does_not_free_its_lease(blobs, tmp_path, monkeypatch):
    """Others would make its jobs in the moment until it took the lease again."""
    journal, states, leases, swap, take = SharedJournal(blobs, tmp_path), [], [], _Lease._swapped, _Lease.take
    monkeypatch.setattr(_Lease, "take", lambda lease: leases.append(lease) or take(lease))
    monkeypatch.setattr(
        _Lease, "_swapped", lambda lease, state, seen: states.append(state) or swap(lease, state, seen)
    )
    journal.write(line())
    leases[0]._renewed_at = LONG_AGO
    journal.write(line())
    assert "free" not in states
    assert len(leases) == 1
    journal.close()


def closed():
    raise StorageError("the connection was closed")


def test_lines_whose_commit_was_made_without_an_answer_are_there_once(server, monkeypatch):
    store = open_store(f"s3://{BUCKET}/home")
    add(store, "a")
    log = store.requests
    monkeypatch.setattr(log, "_run", lambda: None)
    with monkeypatch.context() as patch:
        commit = log._table.durable.commit
        patch.setattr(
            log._table.durable, "commit", lambda *args, **options: commit(*args, **options) or closed()
        )
        log.append(a_record("first"))
        assert not log._write_waiting()
    log.append(a_record("second"))
    assert log.table.count() == 2
    assert {line.id for line in log.list()} == {"first", "second"}
    store.close()


def test_the_end_of_a_program_waits_only_after_lines_were_written(server, monkeypatch):
    waits = []
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=waits.append)
    monkeypatch.setattr(remote_log, "time", clock)
    store = open_store(f"s3://{BUCKET}/home")
    remote_log._close(weakref.ref(store.requests))
    assert waits == []
    store.requests.append(a_record("one"))
    remote_log._close(weakref.ref(store.requests))
    assert 0 < sum(waits) <= remote_log.END_S
    store.close()


def test_a_line_that_is_added_again_since_the_columns_changed_is_there_once(server, monkeypatch):
    store = open_store(f"s3://{BUCKET}/home")
    add(store, "a")
    store.judgements.append(a_judgement("first"))
    table = store.judgements.table.durable
    commit = table.commit

    def without_an_answer(what, write, **options):
        def written(lance):
            write(lance)
            if "extra" not in lance.schema.names:
                lance.add_columns(pa.schema([pa.field("extra", pa.int32())]))
                closed()

        return commit(what, written, **options)

    monkeypatch.setattr(table, "commit", without_an_answer)
    store.judgements.append(a_judgement("second"))
    assert store.judgements.table.count() == 2
    store.close()


def test_a_process_that_lost_its_lease_takes_it_again(blobs, tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "ALIVE_S", 0.3)
    one, other = SharedJournal(blobs, tmp_path), SharedJournal(blobs, tmp_path)
    one.write(line())
    blobs.delete(f"locks/jobs-{one._owner}.json")
    time.sleep(0.5)
    one.write(line(state="running"))
    assert other.take_over() == []
    one.close()


def test_the_lease_of_a_journal_is_taken_after_its_first_answer_was_lost(lossy, tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "LOCK_S", 0.1)
    journal = SharedJournal(lossy, tmp_path)
    lossy.lost, lossy.part = 1, "locks"
    with pytest.raises(OSError, match="closed"):
        journal.write(line())
    journal.write(line())
    assert journal.find(JOB).state == "queued"
    journal.close()


@pytest.mark.parametrize("lost_at", ["queued", "running"])
def test_a_job_is_written_again_after_an_answer_was_lost(lossy, tmp_path, lost_at):
    journal = SharedJournal(lossy, tmp_path)
    lossy.part = "jobs/"
    for state in ("queued", "running", "done"):
        lossy.lost = int(state == lost_at)
        if state == lost_at:
            with pytest.raises(OSError, match="closed"):
                journal.write(line(state=state))
        else:
            journal.write(line(state=state))
    assert journal.find(JOB).state == "done"
    journal.close()


@pytest.mark.parametrize("writes", [True, False])
def test_a_process_that_was_taken_for_dead_leaves_its_job_to_the_other(blobs, tmp_path, writes):
    silent, other = SharedJournal(blobs, tmp_path), SharedJournal(blobs, tmp_path)
    silent.write(line())
    silent.close()
    assert [each.job.id for each in other.take_over()] == [JOB]
    if writes:
        with pytest.raises(TakenOver, match="is one of another process now"):
            silent.write(line(state="done"))
    silent.delete(JOB)
    assert other.find(JOB).state == "queued"
    other.write(line(state="done"))
    other.close()


def test_jobs_that_cannot_be_taken_over_wait_for_the_next_look(lossy, blobs, tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "LOCK_S", 0.1)
    gone, heir = SharedJournal(blobs, tmp_path), SharedJournal(lossy, tmp_path)
    gone.write(line())
    gone.close()
    blobs.put(f"locks/jobs-{heir._owner}.json", _Lease(blobs, "", 60.0)._content("held"))
    assert heir.take_over() == []
    blobs.delete(f"locks/jobs-{heir._owner}.json")
    assert [each.job.id for each in heir.take_over()] == [JOB]
    heir.close()
