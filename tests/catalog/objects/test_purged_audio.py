"""Audio of purged tracks: it goes a week and a day after the purge, and never from under a row."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from homes import add, open_store, stored, vector_of

from music_catalog.errors import StorageError
from music_catalog.objects.blobs import Blobs
from music_catalog.store.homes import purged
from music_catalog.store.homes.purged import Purged
from music_catalog.upkeep.rounds import care_once

WEEK, DAY = timedelta(days=7, minutes=1), timedelta(days=1, minutes=1)


class Aged(Blobs):
    """Objects of a store whose clock can be put forward: what was written before seems older by that."""

    def __init__(self, address):
        super().__init__(address)
        self.later = timedelta()
        self._written = {}

    def pass_(self, time):
        self.later += time

    def put(self, path, data):
        self._written[path] = self.later
        return super().put(path, data)

    def create(self, path, data):
        mark = super().create(path, data)
        if mark is not None:
            self._written[path] = self.later
        return mark

    def list(self, folder=""):
        for blob in super().list(folder):
            yield blob._replace(changed_at=blob.changed_at + self._written.get(blob.path, timedelta()))


@pytest.fixture
def open_replica(seaweed):
    address, opened, aged = seaweed.address(), [], []

    def open_():
        store = open_store(address)
        opened.append(store)
        blobs = aged[0] if aged else Aged(store.blobs.address)
        aged[:] = [blobs]
        store.blobs = store.audio._blobs = store.care._blobs = blobs
        return store

    yield open_
    for store in opened:
        store.close()


@pytest.fixture
def store(open_replica):
    return open_replica()


def audio(store):
    return sorted(blob.path for blob in store.blobs.list("audio"))


def lost(store):
    return sorted(blob.path for blob in store.blobs.list("lost") if blob.path != purged.CLOCK)


def purge(store, *names):
    for name in names:
        store.tracks.trash(name)
    assert store.care.purge() == len(names)


def test_audio_goes_with_what_is_beside_it_a_week_and_a_day_after_the_purge(store):
    gone, stays = add(store, "gone"), add(store, "stays")
    store.audio.put_sidecar(gone.audio_path, {"id": "gone"})
    purge(store, "gone")
    assert care_once(store).deleted == 0
    assert len(audio(store)) == 3
    store.blobs.pass_(WEEK)
    assert care_once(store).deleted == 0
    assert lost(store) == [f"lost/{gone.audio_path}"]  # the rows went, and the audio is condemned
    assert len(audio(store)) == 3
    store.blobs.pass_(DAY)
    assert care_once(store, purge_after_days=1.0).deleted == 1
    assert audio(store) == [stays.audio_path]
    assert lost(store) == [f"lost/{gone.audio_path}"]
    store.blobs.pass_(DAY)
    assert care_once(store).deleted == 0
    assert lost(store) == []
    assert str(care_once(store)).startswith("nothing was due")


def test_audio_that_another_row_names_stays(store):
    add(store, "gone", audio="the same")
    stays = add(store, "stays", audio="the same")
    store.tracks.trash("stays")  # a row in the trash names it too
    store.tracks.trash("gone")
    store.tracks.restore("stays")
    assert store.care.purge() == 1
    for time in (timedelta(), WEEK, DAY, DAY):
        store.blobs.pass_(time)
        assert care_once(store).deleted == 0
    assert audio(store) == [stays.audio_path]
    assert lost(store) == []
    purge(store, "stays")
    for time in (WEEK, DAY):
        store.blobs.pass_(time)
        care_once(store)
    assert audio(store) == []


def test_a_row_that_came_in_after_the_audio_was_condemned_keeps_it(open_replica):
    care, writer = open_replica(), open_replica()
    add(care, "gone", audio="the same")
    purge(care, "gone")
    # The writer meets the audio uncondemned, and its row goes in when it is condemned.
    late = stored(writer, "late", audio="the same")
    care.blobs.pass_(WEEK)
    care_once(care)
    assert purged.is_condemned(care.blobs, late.audio_path)
    writer.tracks.insert(late, vector_of("late"))
    care.blobs.pass_(DAY)
    assert care_once(care).deleted == 0
    assert audio(care) == [late.audio_path]
    assert writer.audio.verified_path(late).read_bytes() == b"the same"


def test_who_stores_the_same_bytes_while_they_are_condemned_takes_another_name(open_replica):
    care, writer = open_replica(), open_replica()
    gone = add(care, "gone", audio="the same")
    purge(care, "gone")
    care.blobs.pass_(WEEK)
    care_once(care)
    again = add(writer, "again", audio="the same")
    assert again.audio_sha256 == gone.audio_sha256
    assert again.audio_path != gone.audio_path
    writer.audio.put_sidecar(again.audio_path, {"id": "again"})
    for time in (DAY, DAY):
        care.blobs.pass_(time)
        care_once(care)
    assert audio(care) == [again.audio_path.replace(".wav", ".json"), again.audio_path]
    assert open_replica().audio.verified_path(again).read_bytes() == b"the same"
    usual = add(writer, "usual", audio="the same")  # nothing is condemned any more
    assert usual.audio_path == gone.audio_path
    purge(writer, "again")
    for time in (WEEK, DAY):
        care.blobs.pass_(time)
        care_once(care)
    assert audio(care) == [usual.audio_path]


def test_a_row_whose_audio_was_stored_long_before_is_refused_where_it_is_condemned(open_replica):
    care, writer = open_replica(), open_replica()
    add(care, "gone", audio="the same")
    late = stored(writer, "late", audio="the same")
    purge(care, "gone")
    care.blobs.pass_(WEEK)
    care_once(care)
    writer.audio._stored[late.audio_path] -= 2 * 3600.0
    with pytest.raises(StorageError, match="store the audio first"):
        writer.tracks.insert(late, vector_of("late"))


def test_a_care_that_was_frozen_deletes_nothing_that_was_deleted_and_stored_again(open_replica, monkeypatch):
    care, other = open_replica(), open_replica()
    add(care, "gone", audio="the same")
    purge(care, "gone")
    care.blobs.pass_(WEEK)
    care_once(care)
    care.blobs.pass_(DAY)
    named, again = Purged._named, []

    def frozen(self, paths):
        found = named(self, paths)
        if paths and not again:
            again.append(None)
            care_once(other)
            care.blobs.pass_(DAY)
            care_once(other)
            again[:] = [add(other, "again", audio="the same")]
        return found

    monkeypatch.setattr(Purged, "_named", frozen)
    assert care_once(care).deleted == 0
    assert audio(care) == [again[0].audio_path]


@pytest.mark.parametrize("method", ["create", "delete", "put"])
def test_a_round_that_was_killed_is_gone_on_with(store, monkeypatch, method):
    gone, stays = add(store, "gone"), add(store, "stays")
    store.audio.put_sidecar(gone.audio_path, {"id": "gone"})
    purge(store, "gone")
    done = getattr(store.blobs, method)
    for time in (WEEK, DAY, DAY):
        store.blobs.pass_(time)
        for number in range(1, 6):
            left = [number]

            def killed(*arguments, left=left):
                left[0] -= 1
                if left[0] == 0:
                    raise StorageError("killed")
                return done(*arguments)

            with monkeypatch.context() as patch, contextlib.suppress(StorageError):
                patch.setattr(store.blobs, method, killed)
                care_once(store)
        care_once(store)
    assert audio(store) == [stays.audio_path]
    assert lost(store) == []


def test_an_original_goes_too_and_the_column_alone_keeps_a_file(store):
    first = "audio/ab/" + "a" * 64 + ".mp3"
    add(store, "gone", backend="imported", config={"original": first})
    store.blobs.put(first, b"as it came")
    other = add(store, "other")
    purge(store, "gone")
    assert Purged(store.blobs, store.tracks.table)._named({first, other.audio_path}) == {other.audio_path}
    for time in (WEEK, DAY):
        store.blobs.pass_(time)
        care_once(store)
    assert audio(store) == [other.audio_path]


def test_nothing_goes_where_there_is_no_table(store):
    add(store, "gone")
    purge(store, "gone")
    store.blobs.pass_(WEEK)
    for blob in [*store.blobs.list("lance/tracks.lance")]:
        store.blobs.delete(blob.path)
    store.tracks.table.durable.close()
    assert Purged(store.blobs, store.tracks.table).forget() == 0
    assert len(audio(store)) == 1
