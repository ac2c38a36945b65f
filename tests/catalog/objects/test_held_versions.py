"""Old versions of the tables of a remote home: when they go, and who keeps them."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime, timedelta, timezone

import pytest
from homes import add, open_store

from music_catalog.disk.remote import holds, maintenance
from music_catalog.disk.remote.holds import Holds, hold_versions
from music_catalog.disk.remote.maintenance import age_to_remove
from music_catalog.errors import StorageError
from music_catalog.objects import lease
from music_catalog.objects.blobs import Blobs
from music_catalog.store.homes import remote_audit
from music_catalog.store.log import LogTable
from music_catalog.upkeep import copying, remote
from music_catalog.upkeep.backup import copy_to_folder

NOW = datetime(2026, 11, 30, 12)
HALF_HOUR = timedelta(minutes=30)


def wait_until(condition):
    """Wait until something holds, and return whether it came to hold."""
    for _ in range(500):
        if condition():
            return True
        lease.time.sleep(0.01)
    return False


def age(*minutes):
    """Return the age, in minutes, from which on versions go that were written so many minutes ago, in order."""
    written = [(number, NOW - timedelta(minutes=each)) for number, each in enumerate(minutes, 1)]
    found = age_to_remove(written, NOW.timestamp(), HALF_HOUR)
    return None if found is None else found / timedelta(minutes=1) - 5


def test_the_version_that_was_in_use_half_an_hour_ago_stays():
    assert age(600, 500, 1) == 500  # the second was in use until a minute ago
    assert age(600, 500, 45, 20, 1) == 45
    assert age(600, 500, 45) == 45
    assert age(600) is None
    assert age(20, 10) is None
    assert age(90, 1, 0) is None


def test_a_clock_that_went_back_removes_no_version_that_is_used():
    assert age(45, 600, 1) == 600


@pytest.mark.parametrize(("ahead", "found"), [(0, 500), (2_000, 2_500), (-100, 400), (-550, -5)])
def test_the_clock_of_the_store_decides_and_the_age_is_by_the_clock_of_this_machine(ahead, found):
    written = [(1, NOW - timedelta(minutes=600)), (2, NOW - timedelta(minutes=500)), (3, NOW)]
    here = (NOW + timedelta(minutes=ahead)).timestamp()
    age = age_to_remove(written, NOW.timestamp(), HALF_HOUR, here=here)
    assert age / timedelta(minutes=1) - 5 == found


def listed_now(self, folder="", listed=Blobs.list):
    """List objects as of a store whose clock goes, where that of the small server stands."""
    return (blob._replace(changed_at=datetime.now(timezone.utc)) for blob in listed(self, folder))


@pytest.fixture
def store(home, monkeypatch):
    """A home of three tracks whose old versions go at once."""
    for name in ("KEEP_OLD", "SLOWEST"):
        monkeypatch.setattr(maintenance, name, timedelta(0))
    monkeypatch.setattr(maintenance, "CLEAN_EVERY_S", 0.0)
    monkeypatch.setattr(Blobs, "list", listed_now)
    store = open_store(home)
    for number in range(3):
        add(store, f"t{number}", number)
    yield store
    store.close()


def versions(store):
    return len(store.tracks.table.durable.table.list_versions())


def test_versions_that_nobody_uses_go_and_not_while_one_is_held(store):
    before = versions(store)
    with hold_versions(store.blobs), hold_versions(store.blobs):
        store.care.compact()
        assert versions(store) >= before
    store.care.compact()
    assert versions(store) < before
    assert not [*store.blobs.list("locks/reading/x")]


def test_a_clock_that_is_ahead_removes_no_version(store, monkeypatch):
    monkeypatch.setattr(maintenance, "KEEP_OLD", HALF_HOUR)
    ages, now = [], maintenance.time.time
    monkeypatch.setattr(
        maintenance.ObjectMaintenance, "_merge", lambda self, table, what, age: ages.append(age)
    )
    monkeypatch.setattr(maintenance.time, "time", lambda: now() + 86_400)
    store.care.compact()
    assert {*ages} == {maintenance.FOREVER}


def test_holds_are_looked_for_before_each_try(store, monkeypatch):
    """A copy begins while a row is changed in what is being merged."""
    before, merge, tries = versions(store), maintenance.ObjectMaintenance._merge, []

    def overtaken(self, table, what, age):
        if table.name == "tracks" and age != maintenance.FOREVER:
            tries.append(age)
            copies.enter_context(hold_versions(store.blobs))
            raise StorageError(maintenance.CONFLICT)
        merge(self, table, what, age)

    monkeypatch.setattr(maintenance.ObjectMaintenance, "_merge", overtaken)
    with ExitStack() as copies:
        store.care.compact()
    assert len(tries) == 1
    assert versions(store) >= before


def test_the_hold_of_a_process_that_died_ends(blobs, monkeypatch):
    monkeypatch.setattr(holds, "HOLD_S", 0.2)
    monkeypatch.setattr(lease._Lease, "keep_renewed", lambda self: None)
    monkeypatch.setattr(lease._Lease, "free", lambda self: None)
    monkeypatch.setattr(blobs, "delete", lambda path: None)
    with hold_versions(blobs):
        pass  # as one that was killed here
    monkeypatch.undo()
    known = Holds(blobs)
    assert known.any()
    lease.time.sleep(0.25)
    assert not known.any()
    assert not Holds(blobs).any()


def test_one_look_is_enough_for_a_hold_that_was_not_renewed_for_an_hour(blobs, server, monkeypatch):
    held = hold_versions(blobs)
    held.__enter__()
    assert Holds(blobs).any()
    monkeypatch.setattr(holds, "OLDEST", timedelta(seconds=-1))
    assert not Holds(blobs).any()
    assert [path for path in server.objects if "reading" in path] == ["home/locks/reading/clock"]


def test_a_hold_counts_while_nothing_tells_the_time(blobs, monkeypatch):
    """Another process deletes the object that tells it, as one that cleans `locks/` does."""
    put = blobs.put
    with hold_versions(blobs):
        monkeypatch.setattr(blobs, "put", lambda path, data: (put(path, data), blobs.delete(path)))
        assert Holds(blobs).any()


def test_the_names_of_holds_that_ended_are_forgotten(blobs):
    known = Holds(blobs)
    with hold_versions(blobs):
        assert known.any()
        assert known._watches
    assert not known.any()
    assert not known._watches


def test_a_hold_that_was_deleted_is_taken_again(blobs, monkeypatch):
    """As by a process that looked while this one was frozen."""
    monkeypatch.setattr(holds, "HOLD_S", 0.06)
    with hold_versions(blobs):
        (held,) = blobs.list("locks/reading")
        blobs.delete(held.path)
        assert wait_until(lambda: [*blobs.list("locks/reading")])
        assert Holds(blobs).any()
    assert [blob.path for blob in blobs.list("locks/reading")] == ["locks/reading/clock"]


def refusing(*_, **__):
    raise StorageError("the store refuses that")


def test_a_copy_whose_hold_is_not_deleted_is_done(store, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(store.blobs, "delete", refusing)
    done = copy_to_folder(store, tmp_path / "copy")
    assert (done.tracks, done.problems) == (3, ())
    assert "the store refuses that" in caplog.text


def test_what_fails_under_a_refused_hold_fails(blobs, monkeypatch):
    monkeypatch.setattr(blobs, "create", refusing)
    with pytest.raises(StorageError, match="a table"), hold_versions(blobs):
        raise StorageError("a table cannot be read")


def test_a_copy_outlives_care_beside_it(store, home, tmp_path, monkeypatch):
    """Rows are changed and compacted, and old versions removed, while a copy reads the table."""
    monkeypatch.setattr(copying, "ROWS_AT_ONCE", 1)
    other, copy_rows, seen = open_store(home), copying._Copy._copy_rows, []

    def beside(self, target, *others):
        if target.name == "tracks" and not seen:
            other.tracks.update("t2", tags=["changed"])
            add(other, "t3", 3)
            other.care.compact()
            seen.append(versions(other))
        return copy_rows(self, target, *others)

    monkeypatch.setattr(copying._Copy, "_copy_rows", beside)
    done = copy_to_folder(store, tmp_path / "copy")
    assert (done.tracks, done.problems) == (3, ())
    assert seen[0] > 3
    other.care.compact()
    assert versions(other) < seen[0]
    other.close()


def test_who_may_only_read_copies_without_a_hold(store, server, tmp_path, monkeypatch, caplog):
    answer = server.answer

    def reading(method, *others):
        return answer(method, *others) if method in ("GET", "HEAD") else server._error(403, "AccessDenied")

    monkeypatch.setattr(server, "answer", reading)
    done = copy_to_folder(store, tmp_path / "copy")
    assert (done.tracks, done.problems) == (3, ())
    assert "may go meanwhile" in caplog.text
    assert "no permission" in caplog.text


@pytest.mark.parametrize("of_rows", [True, False])
def test_a_check_outlives_care_beside_it(store, home, monkeypatch, of_rows):
    """Old versions are removed while a check reads the rows, or the lines of the logs."""
    other, left = open_store(home), []
    module, name = (remote_audit, "from_whole_track_row") if of_rows else (LogTable, "rows")
    read = getattr(module, name)

    def beside(*arguments, **options):
        if not left:
            before = versions(other)
            other.care.compact()
            left.append(versions(other) - before)
        return read(*arguments, **options)

    monkeypatch.setattr(module, name, beside)
    assert remote._problems(store, deep=True) == []
    assert left[0] >= 0
    other.close()


def test_who_may_only_read_checks_without_a_hold(store, server, monkeypatch, caplog):
    answer = server.answer

    def reading(method, *others):
        return answer(method, *others) if method in ("GET", "HEAD") else server._error(403, "AccessDenied")

    monkeypatch.setattr(server, "answer", reading)
    assert remote._problems(store, deep=True) == []
    assert "may go meanwhile" in caplog.text
