"""The scrub: everything is read within its days, its place survives, and what it finds is told and never deleted."""

from __future__ import annotations

import logging
import os
import threading
from datetime import datetime, timedelta, timezone

import pytest
from homes import add, finish, open_store, start

from music_catalog.errors import Damage
from music_catalog.upkeep import scrub as scrubs
from music_catalog.upkeep.companions import sidecar
from music_catalog.upkeep.place import NAME, Place, read_place, write_place
from music_catalog.upkeep.scrub import Scrub, scrubbing, still_damaged

NOON = datetime(2026, 3, 4, 12, tzinfo=timezone.utc)
TRACKS = 4
DAYS = 2.0
SHARE = timedelta(days=DAYS / TRACKS)


@pytest.fixture
def store(tmp_path):
    store = open_store(tmp_path / "home")
    for number in range(TRACKS):
        add(store, f"t{number}", number)
    return store


def scrub_of(store):
    return Scrub(store, days=DAYS, most_mb_per_s=1.0)


def steps(scrub, began, count):
    """Let a scrub take `count` steps, each when it is due; return the bytes read at each."""
    return [scrub.step(began + SHARE * number) for number in range(count)]


def alter(store, name):
    """Alter a file as a drive does: its size and its times stay."""
    path = store.audio.path_of(store.tracks.get(name))
    before = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return path


def test_a_pass_is_spread_over_its_days(store):
    scrub = scrub_of(store)
    assert scrub.step(NOON) == 0  # the pass begins
    assert scrub.rest_s(NOON) == SHARE.total_seconds()
    assert scrub.step(NOON + SHARE / 2) == 0
    assert all(steps(scrub, NOON + SHARE, TRACKS))
    place = read_place(store.home)
    assert (place.tracks, place.after, place.finished_at) == (TRACKS, f"t{TRACKS - 1}", None)
    assert place.size_bytes == sum(track.audio_bytes for track in store.tracks.list())
    end = NOON + SHARE * (TRACKS + 1)
    assert scrub.step(end) == 0
    assert read_place(store.home) == Place(began_at=end, finished_at=end)
    assert scrub.rest_s(end) == SHARE.total_seconds()


def test_a_service_that_was_off_catches_up(store):
    scrub_of(store).step(NOON)
    late = scrub_of(store)
    now = NOON + timedelta(days=30)
    assert all(late.step(now) for _ in range(TRACKS))
    assert late.rest_s(now) < 0
    late.step(now)
    assert read_place(store.home).finished_at == now


def test_a_clock_that_is_set_back_stops_nothing(store):
    scrub = scrub_of(store)
    scrub.step(NOON)
    assert scrub.rest_s(NOON - timedelta(days=1000)) == SHARE.total_seconds()


def test_altered_audio_is_found_and_told(store, caplog):
    served = store.audio.verified_path(
        store.tracks.get("t1")
    )  # this process has read it, and remembers it as whole
    path = alter(store, "t1")
    scrub = scrub_of(store)
    scrub.step(NOON)
    with caplog.at_level(logging.WARNING):
        steps(scrub, NOON + SHARE, TRACKS + 1)
    assert [record for record in caplog.records if "t1 no longer holds what was stored" in record.message]
    assert path.is_file()
    assert served == path
    assert store.tracks.get("t1").state == "ready"
    assert read_place(store.home).damaged == ("t1",)
    (problem,) = still_damaged(store)
    assert (problem.kind, problem.subject) == ("altered-audio", "t1")
    with pytest.raises(Damage):
        store.audio.verified_path(store.tracks.get("t1"))
    # Mended, it is told no more, and the next pass forgets it.
    assert store.care.fix(problem)
    assert still_damaged(store) == []
    later = NOON + timedelta(days=10)
    steps(scrub, later, TRACKS + 1)
    assert read_place(store.home).damaged == ()


def test_a_digest_that_is_remembered_hides_nothing(store, monkeypatch):
    """A drive that alters what it stores changes no time of the file."""
    from music_catalog.disk import digests

    track = store.tracks.get("t1")
    path = store.audio.verified_path(track)
    state = digests._state(path.stat())
    alter(store, "t1")
    monkeypatch.setattr(digests, "_state", lambda stat: state)
    assert store.audio.exists(track)
    assert scrubs.check_track(store, "t1")[0]
    assert not store.audio.exists(track)


def test_missing_audio_and_altered_rows_are_found(store):
    store.audio.path_of(store.tracks.get("t0")).unlink()
    trashed = store.tracks.trash("t3")
    store.audio.path_of(trashed).unlink()
    store.tables["tracks"].table.update(where="id = 't2'", values={"summary": "altered"})
    kinds = {
        name: [each.kind for each in scrubs.check_track(store, name)[0]] for name in ("t0", "t1", "t2", "t3")
    }
    assert kinds == {"t0": ["missing-audio"], "t1": [], "t2": ["altered-row"], "t3": []}


def test_an_altered_sidecar_is_found(store):
    track = store.tracks.get("t1")
    store.audio.put_sidecar(track.audio_path, sidecar(track))
    assert scrubs.check_track(store, "t1")[0] == []
    path = store.audio.path_of(track).with_suffix(".json")
    path.write_bytes(path.read_bytes().replace(b"calm", b"cold"))
    assert [each.kind for each in scrubs.check_track(store, "t1")[0]] == ["altered-sidecar"]


def scrub_and_die(home, point, days):
    scrub = Scrub(open_store(home), days=days, most_mb_per_s=1.0)
    scrub.step(NOON)
    steps(scrub, NOON + SHARE, 2)
    os.environ["CATALOG_FAILPOINT"] = point
    steps(scrub, NOON + SHARE * 3, 2)


@pytest.mark.parametrize(("point", "tracks"), [("scrub.synced", 2), ("scrub.renamed", 3)])
def test_the_place_survives_a_kill(store, point, tracks):
    assert finish(start(scrub_and_die, str(store.home), point, DAYS)) == [-9]
    assert read_place(store.home).tracks == tracks
    again = scrub_of(store)
    steps(again, NOON + SHARE * 9, TRACKS - tracks + 1)
    assert read_place(store.home).finished_at is not None


@pytest.mark.parametrize("text", [b"", b"{}", b"x\ny"])
def test_an_altered_place_begins_anew(store, text):
    write_place(store.home, Place(began_at=NOON, after="t2", tracks=3))
    path = store.home / NAME
    path.write_bytes(text)
    assert read_place(store.home) == Place()
    write_place(store.home, Place(began_at=NOON, after="t2", tracks=3))
    path.write_bytes(path.read_bytes().replace(b"t2", b"t3"))
    assert read_place(store.home) == Place()
    scrub_of(store).step(NOON)
    assert read_place(store.home).began_at == NOON


def test_it_runs_in_a_thread_until_the_end(store, monkeypatch):
    monkeypatch.setattr(scrubs, "START_S", 0.0)
    monkeypatch.setattr(scrubs, "LEAST_WAIT_S", 0.0)
    alter(store, "t3")
    done = threading.Event()

    def ended(place, now):
        done.set()
        return Place(began_at=now, finished_at=now, damaged=place.damaged)

    monkeypatch.setattr(Place, "ended", ended)
    with scrubbing(store, days=1e-5, most_mb_per_s=1000.0):
        assert done.wait(60)
    assert read_place(store.home).damaged == ("t3",)
    assert not [thread for thread in threading.enumerate() if thread.name == "catalog-scrub"]


def test_no_days_no_scrub(store):
    with scrubbing(store, days=None, most_mb_per_s=1.0):
        assert not [thread for thread in threading.enumerate() if thread.name == "catalog-scrub"]


def test_an_empty_catalog_rests(tmp_path):
    store = open_store(tmp_path / "empty")
    scrub = Scrub(store, days=DAYS, most_mb_per_s=1.0)
    scrub.step(NOON)
    assert scrub.step(NOON + timedelta(days=3)) == 0
    assert scrub.rest_s(NOON + timedelta(days=3)) > 0
