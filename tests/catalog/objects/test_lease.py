from __future__ import annotations

import threading
import time

import pytest

from music_catalog.errors import Busy
from music_catalog.objects.lease import _Lease, lease


def test_one_holds_a_lease_and_the_next_takes_it_when_it_is_free(blobs):
    with (
        lease(blobs, "it", 0.0, "it"),
        pytest.raises(Busy, match="still holds it"),
        lease(blobs, "it", 0.1, "it"),
    ):
        raise AssertionError("two hold it")
    with lease(blobs, "it", 0.0, "it"):
        pass


def test_threads_take_turns(blobs):
    inside, most = [], []

    def work():
        with lease(blobs, "turns", 30.0, "it"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 6


def test_the_lease_of_one_that_died_runs_out(blobs):
    dead = _Lease(blobs, "locks/it.json", 0.3)
    assert dead.take()
    with pytest.raises(Busy), lease(blobs, "it", 0.0, "it"):
        raise AssertionError("it is held")
    with lease(blobs, "it", 30.0, "it"):
        dead.free()  # it wakes up and lost it: the new holder keeps it
        with pytest.raises(Busy), lease(blobs, "it", 0.1, "it"):
            raise AssertionError("two hold it")


def test_a_lease_is_renewed_while_it_is_held(blobs):
    with (
        lease(blobs, "it", 0.0, "it", lease_s=0.3),
        pytest.raises(Busy),
        lease(blobs, "it", 1.2, "it"),
    ):
        raise AssertionError("two hold it")


def test_an_object_that_nobody_knows_ends_like_a_lease(blobs, monkeypatch):
    monkeypatch.setattr("music_catalog.objects.lease.LEASE_S", 0.1)
    blobs.put("locks/it.json", b"no lease")
    with lease(blobs, "it", 30.0, "it"):
        pass
