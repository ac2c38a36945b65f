"""The care of a home: what is due is done, by one process, until it is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from homes import add, open_store

from music_catalog.disk import maintenance
from music_catalog.errors import Busy, StorageError
from music_catalog.upkeep import rounds
from music_catalog.upkeep.rounds import Round, care_once, keep_caring, only_carer
from music_catalog.upkeep.scrub import scrubbing

WAIT_S = 60.0


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "home")


def fragments(store):
    return store.tables["tracks"].table.stats()["fragment_stats"]["num_fragments"]


def grow(store, monkeypatch, commits):
    """Add tracks, one a commit, and let no writer compact them."""
    with monkeypatch.context() as patched:
        patched.setattr(maintenance, "EVERY_COMMITS", 1_000)
        for number in range(commits):
            add(store, f"t{commits}-{number}", number)


def test_a_round_compacts_what_grew_and_nothing_else(store, monkeypatch):
    grow(store, monkeypatch, maintenance.EVERY_COMMITS // 2)
    assert care_once(store).compacted == ()
    grow(store, monkeypatch, maintenance.EVERY_COMMITS)
    before = fragments(store)
    assert care_once(store).compacted == ("tracks",)
    assert fragments(store) < before
    assert care_once(store).compacted == ()


def test_a_round_empties_the_trash_of_what_is_old_enough(store):
    add(store, "kept")
    add(store, "gone")
    store.tracks.trash("gone")
    assert care_once(store).purged == 0
    assert care_once(store, purge_after_days=1.0).purged == 0
    done = care_once(store, purge_after_days=0.0)
    assert (done.purged, str(done).startswith("purged 1 track (")) == (1, True)
    assert [track.id for track in store.tracks.list()] == ["kept"]


def test_a_home_is_cared_for_by_one_process(store):
    with only_carer(store), pytest.raises(Busy, match="still holds the care of this home"), only_carer(store):
        pass
    with only_carer(store):
        pass


def test_a_round_that_fails_is_tried_again(store, monkeypatch, caplog):
    done, stop = [], threading.Event()

    def failing(store, *, purge_after_days):
        if not done:
            done.append("failed")
            raise StorageError("the disk is full")
        stop.set()
        return Round()

    monkeypatch.setattr(rounds, "care_once", failing)
    keep_caring(store, stop, every_s=0.01, on_round=done.append)
    assert done == ["failed", Round()]
    assert "a round of care was not finished: the disk is full" in caplog.text


def test_a_home_is_scrubbed_by_one_process(store, monkeypatch):
    monkeypatch.setattr("music_catalog.upkeep.scrub.START_S", 0.0)
    pace = {"days": timedelta(seconds=1) / timedelta(days=1), "most_mb_per_s": 100.0}
    names = lambda: [thread.name for thread in threading.enumerate()].count("catalog-scrub")  # noqa: E731
    with scrubbing(store, **pace):
        assert names() == 1
        with scrubbing(store, **pace):
            assert names() == 1
    assert names() == 0


def care(home, *options):
    return subprocess.Popen(
        [sys.executable, "-m", "music_catalog", "care", "--home", str(home), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_goes_on_until_it_is_stopped_and_a_second_one_is_refused(store, monkeypatch, number):
    grow(store, monkeypatch, maintenance.EVERY_COMMITS)
    store.close()
    with care(store.home, "--every", "1", "--json") as first:
        assert json.loads(first.stdout.readline())["compacted"] == ["tracks"]
        with care(store.home, "--once") as second:
            _, errors = second.communicate(timeout=WAIT_S)
            assert second.returncode == 4, errors
            assert "the care of this home" in errors
        assert json.loads(first.stdout.readline())["compacted"] == []
        first.send_signal(number)
        assert first.wait(WAIT_S) == 0


def test_one_round_of_the_command(store, monkeypatch):
    add(store, "gone")
    store.tracks.trash("gone")
    store.close()
    with care(store.home, "--once", "--purge-after", "0") as process:
        told, _ = process.communicate(timeout=WAIT_S)
    assert (process.returncode, told.startswith("purged 1 track (")) == (0, True)
