"""Lines that many threads add to a log at the same time."""

from __future__ import annotations

import queue
import threading
import time

from homes import a_record, open_store, vector_of

from music_catalog.disk.reading import read


def test_threads_that_wait_are_written_in_one_commit_and_return_with_it(tmp_path, monkeypatch):
    store = open_store(tmp_path / "home")
    store.requests.append(a_record("first"))
    log = store.requests.table
    begun: queue.Queue[str] = queue.Queue()
    allowed = threading.Semaphore(0)
    commit = log.durable.commit

    def slow(what, write, **options):
        begun.put(what)
        assert allowed.acquire(timeout=60)
        return commit(what, write, **options)

    monkeypatch.setattr(log.durable, "commit", slow)

    def appending(name):
        thread = threading.Thread(target=log.append, args=(a_record(name), None, ""), daemon=True)
        thread.start()
        return thread

    def until_waiting(count):
        deadline = time.monotonic() + 60
        while len(log._waiting) < count and time.monotonic() < deadline:
            time.sleep(0.005)

    alone = appending("alone")
    begun.get(timeout=60)
    together = [appending(name) for name in ("b", "c", "d", "e")]
    until_waiting(4)
    allowed.release()
    begun.get(timeout=60)
    alone.join(60)
    last = appending("last")
    until_waiting(1)
    allowed.release()
    # The commit of the last line has begun and is held up; nobody whose line is written waits for it.
    begun.get(timeout=60)
    for thread in together:
        thread.join(60)
    assert not any(thread.is_alive() for thread in together)
    assert last.is_alive()
    allowed.release()
    last.join(60)
    assert begun.empty()
    assert {line.id for line in store.requests.list()} == {"first", "alone", "b", "c", "d", "e", "last"}


def test_a_commit_that_fails_is_told_to_each_and_the_next_one_is_written(tmp_path, monkeypatch):
    store = open_store(tmp_path / "home")
    store.requests.append(a_record("first"))
    log = store.requests.table
    commit = log.durable.commit

    def full(what, write, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(log.durable, "commit", full)
    failed = []

    def append(name):
        try:
            log.append(a_record(name), None, "")
        except OSError:
            failed.append(name)

    threads = [threading.Thread(target=append, args=(f"r{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(failed) == [f"r{number}" for number in range(6)]
    monkeypatch.setattr(log.durable, "commit", commit)
    store.requests.append(a_record("second"))
    assert {line.id for line in store.requests.list()} == {"first", "second"}


def test_lines_without_a_vector_are_read_beside_those_with_one(tmp_path):
    log = open_store(tmp_path / "home").requests.table
    for name, vector in (
        ("bare", None),
        ("one", vector_of("one")),
        ("none", None),
        ("two", vector_of("two")),
    ):
        log.append(a_record(name), vector, "test@1/8")
    for predicate, names in ((None, {"one", "two"}), ("id = 'bare'", set())):
        rows = read(log.durable, predicate, ("id", "vector"))
        found = {row["id"]: row["vector"] for row in rows if row["vector"] is not None}
        assert {*found} == names
        assert all(
            abs(found[name] @ vector_of(name) / sum(vector_of(name) ** 2) ** 0.5 - 1) < 1e-5 for name in names
        )
