"""The doctor, a copy in a folder and its way back, of a catalog on SeaweedFS."""

from __future__ import annotations

import shutil

import pytest
from command_line import run
from fakes import WordHashEncoder

from music_catalog import MusicService
from music_catalog.doctor import examine
from music_catalog.errors import InputError, StorageError
from music_catalog.store.homes import remote_audit
from music_catalog.upkeep import copying
from music_catalog.upkeep.backup import copy_to_folder
from music_catalog.upkeep.restore import restore

TEXTS = ("Rain falls on the quiet harbour at night", "A battle rages among burning castles")
SHORT = {"backend": "procedural", "duration_s": 1}


@pytest.fixture
def opened(seaweed):
    """A catalog with two tracks on SeaweedFS; `opened(place)` opens another place."""
    services = []

    def open_(place):
        services.append(MusicService.open(place, encoder=WordHashEncoder(), min_similarity=0.9))
        return services[-1]

    yield open_
    for service in services:
        service.close()


@pytest.fixture
def stocked(opened, seaweed):
    service = opened(seaweed.address())
    for text in TEXTS:
        service.generate(text, **SHORT)
    return service


def kinds(service, *, deep=True):
    return sorted(problem.kind for problem in service.store.care.check(deep=deep))


def test_a_sound_catalog_has_no_findings(stocked):
    assert kinds(stocked) == []


def test_audio_that_is_gone_or_altered_is_found_and_its_track_is_trashed(stocked, monkeypatch):
    store, (gone, altered) = stocked.store, stocked.store.tracks.list()
    data = store.blobs.get(altered.audio_path)
    store.blobs.delete(gone.audio_path)
    store.blobs.put(altered.audio_path, data[:-1] + bytes([data[-1] ^ 1]))
    assert kinds(stocked, deep=False) == ["missing-audio"]  # of the other, the size is right
    assert kinds(stocked) == ["altered-audio", "missing-audio"]
    for track in (gone, altered):
        store.audio.path_of(track).unlink()  # no cache of this machine has it
    assert all(store.care.fix(problem) for problem in store.care.check(deep=True))
    assert store.tracks.list() == []
    assert store.blobs.get(f"lost/altered/{altered.audio_path}")
    assert kinds(stocked) == []
    assert stocked.find_or_make(TEXTS[0], **SHORT).action == "generated"
    assert kinds(stocked) == []


def test_audio_that_the_cache_has_goes_back(stocked):
    store, (first, _) = stocked.store, stocked.store.tracks.list()
    data = store.blobs.get(first.audio_path)
    store.blobs.put(first.audio_path, b"torn")
    (problem,) = store.care.check()
    assert store.care.fix(problem)
    assert store.blobs.get(first.audio_path) == data
    assert len(store.tracks.list()) == 2


@pytest.mark.parametrize("torn", [b"torn", None])
def test_audio_that_is_whole_again_when_it_is_mended_stays(stocked, torn):
    store, (first, _) = stocked.store, stocked.store.tracks.list()
    data = store.blobs.get(first.audio_path)
    store.blobs.put(first.audio_path, torn) if torn else store.blobs.delete(first.audio_path)
    (problem,) = store.care.check()
    store.audio.path_of(first).unlink()  # the cache of this machine has it no more
    store.blobs.put(first.audio_path, data)  # an operator brings it back
    assert store.care.fix(problem)
    assert store.blobs.get(first.audio_path) == data
    assert store.tracks.get(first.id).state == "ready"


def test_what_no_row_names_is_told_and_stays(stocked, monkeypatch):
    path = f"audio/ab/{'ab' * 32}.wav"
    stocked.store.blobs.put(path, b"RIFF")
    assert kinds(stocked) == []  # a track may be about to name it
    monkeypatch.setattr(remote_audit, "LEFT_OVER_AFTER_S", -5.0)
    (problem,) = stocked.store.care.check()
    assert (problem.kind, problem.subject) == ("leftover", path)
    assert not stocked.store.care.fix(problem)
    assert stocked.store.blobs.size(path) == 4


def test_audio_that_a_purge_leaves_for_a_while_is_no_finding(stocked, monkeypatch):
    monkeypatch.setattr(remote_audit, "LEFT_OVER_AFTER_S", -5.0)
    stocked.store.tracks.trash(stocked.store.tracks.list()[0].id)
    assert stocked.store.care.purge() == 1
    assert kinds(stocked) == []


def test_a_row_whose_columns_differ_from_its_record_is_written_anew(stocked):
    store, (first, _) = stocked.store, stocked.store.tracks.list()
    table = store.tracks.table.durable
    table.commit("a test", lambda lance: lance.update(f"id = '{first.id}'", values={"style": "altered"}))
    (problem,) = store.care.check()
    assert (problem.kind, problem.subject) == ("altered-row", first.id)
    assert store.care.fix(problem, stocked.encoder.encode)
    assert kinds(stocked) == []
    assert store.tracks.get(first.id).style == first.style


def test_a_copy_opens_as_a_home_and_goes_back_into_an_empty_place(stocked, opened, seaweed, tmp_path):
    store, folder = stocked.store, tmp_path / "copy"
    first, second = store.tracks.list()
    stocked.rate(first.id, 5)
    stocked.collections.create("Evening", [first.id])
    done = copy_to_folder(store, folder)
    assert (done.tracks, done.problems) == (2, ())
    copy = opened(folder)
    assert {track.id: track.rating for track in copy.store.tracks.list()} == {first.id: 5, second.id: None}
    assert copy.find_or_make(TEXTS[0], **SHORT).action == "reused"
    assert [*copy.store.care.check(deep=True)] == []
    assert len(copy.store.requests.list()) == 3
    assert [each.name for each in copy.collections.list()] == ["Evening"]

    again = copy_to_folder(store, folder)
    assert (again.rows, again.files) == (0, 0)
    stocked.rate(second.id, 2)
    third = stocked.generate("Snow in the valley", **SHORT).track
    store.tracks.trash(first.id)
    store.care.purge()
    more = copy_to_folder(store, folder)
    assert more.tracks == 2
    assert more.rows == 4  # two rows, the line of the make and the judgement
    copy = opened(folder)
    assert {track.id: track.rating for track in copy.store.tracks.list()} == {second.id: 2, third.id: None}

    place = seaweed.address()
    back = restore(folder, place)
    assert (back.tracks, back.lacking) == (2, ())
    other = opened(place)
    assert {track.id: track.rating for track in other.store.tracks.list()} == {second.id: 2, third.id: None}
    assert kinds(other) == []
    assert other.find_or_make("Snow in the valley", **SHORT).track.id == third.id
    with pytest.raises(InputError, match="holds a catalog already"):
        restore(folder, place)


def test_what_was_deleted_is_not_brought_back_by_a_copy(stocked, opened, seaweed, tmp_path):
    """Playlists that went for good, and settings that were taken out, between two copies into one folder."""
    store, folder, place = stocked.store, tmp_path / "copy", seaweed.address()
    gone, stays = (stocked.collections.create(name, []) for name in ("Gone", "Stays"))
    store.blobs.put("catalog.yaml", b"musicgen: {}")
    copy_to_folder(store, folder)
    store.blobs.delete(f"collections/{gone.id}.json")
    store.blobs.delete("catalog.yaml")
    assert copy_to_folder(store, folder).problems == ()
    restore(folder, place)
    back = opened(place)
    assert [each.id for each in back.collections.list()] == [stays.id]
    assert back.store.blobs.get("catalog.yaml") is None


def test_a_damaged_collection_never_replaces_a_good_one(stocked, opened, tmp_path):
    store, folder = stocked.store, tmp_path / "copy"
    kept = stocked.collections.create("Evening", [])
    path = f"collections/{kept.id}.json"
    copy_to_folder(store, folder)
    store.blobs.put(path, store.blobs.get(path).replace(b"Evening", b"Morning"))
    (problem,) = copy_to_folder(store, folder).problems
    assert (problem.kind, problem.subject) == ("altered-collection", path)
    assert opened(folder).collections.list() == [kept]


def test_a_snapshot_of_a_folder_goes_to_an_object_store(opened, seaweed, tmp_path):
    from music_catalog.upkeep.backup import back_up

    local = opened(tmp_path / "local")
    made = local.generate(TEXTS[0], **SHORT).track
    back_up(local.store, tmp_path / "backup")
    place = seaweed.address()
    assert restore(tmp_path / "backup", place).tracks == 1
    assert opened(place).find_or_make(TEXTS[0], **SHORT).track.id == made.id


def test_a_restore_deletes_nothing_that_a_replica_stores_meanwhile(opened, seaweed, tmp_path, monkeypatch):
    local, place = opened(tmp_path / "local"), seaweed.address()
    restored = local.generate(TEXTS[0], **SHORT).track
    replica, made, copy_table = opened(place), [], copying._Copy.copy_table

    def make_and_copy(self, source, *others):
        if source.name == "tracks":
            made.append(replica.generate(TEXTS[1], **SHORT).track)
        copy_table(self, source, *others)

    monkeypatch.setattr(copying._Copy, "copy_table", make_and_copy)
    restore(tmp_path / "local", place)
    after = opened(place).store
    assert {track.id for track in after.tracks.list()} == {restored.id, made[0].id}


def test_a_restore_that_died_refuses_to_open_and_is_gone_on_with(opened, seaweed, tmp_path, monkeypatch):
    local, place = opened(tmp_path / "local"), seaweed.address()
    tracks = [local.generate(text, **SHORT).track.id for text in TEXTS]

    def die(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(copying._Copy, "copy_others", die)
        with pytest.raises(KeyboardInterrupt):
            restore(tmp_path / "local", place)
    with pytest.raises(StorageError, match="has not ended"):
        opened(place)
    shutil.copytree(tmp_path / "local", tmp_path / "other")
    with pytest.raises(InputError, match="go on with that one"):
        restore(tmp_path / "other", place)
    assert restore(tmp_path / "local", place).tracks == 2
    after = opened(place)
    assert sorted(track.id for track in after.store.tracks.list()) == sorted(tracks)
    assert kinds(after) == []


def test_a_copy_is_written_over_nothing_else(stocked, opened, tmp_path):
    opened(tmp_path / "local").generate(TEXTS[0], **SHORT)
    with pytest.raises(InputError, match="holds something else"):
        copy_to_folder(stocked.store, tmp_path / "local")


def test_what_is_damaged_is_told_and_not_copied(stocked, tmp_path):
    store, (first, second) = stocked.store, stocked.store.tracks.list()
    store.blobs.put(first.audio_path, b"torn")
    done = copy_to_folder(store, tmp_path / "copy")
    (problem,) = done.problems
    assert (problem.kind, problem.subject) == ("altered-audio", first.id)
    assert not (tmp_path / "copy" / first.audio_path).exists()
    assert (tmp_path / "copy" / second.audio_path).exists()


def test_a_row_whose_id_was_altered_does_not_go_from_the_copy(stocked, opened, tmp_path):
    store, (first, second) = stocked.store, stocked.store.tracks.list()
    copy_to_folder(store, tmp_path / "copy")
    table = store.tracks.table.durable
    table.commit("a test", lambda lance: lance.update(f"id = '{first.id}'", values={"id": "altered"}))
    (problem,) = copy_to_folder(store, tmp_path / "copy").problems
    assert (problem.kind, problem.subject) == ("altered-row", "altered")
    copy = opened(tmp_path / "copy").store
    assert {track.id for track in copy.tracks.list()} == {first.id, second.id}


def test_the_command_checks_copies_and_brings_back(stocked, seaweed, tmp_path):
    home, place = stocked.store.address, seaweed.address()
    done = run("doctor", "--deep", "--fix", "--backup", str(tmp_path / "copy"), home=home)
    assert done.exit_code == 0, done.output
    assert "is a home with 2 tracks" in done.output
    assert run("restore", "--from", str(tmp_path / "copy"), home=place).exit_code == 0
    assert "rows 2" in run("doctor", home=place).output


def test_a_catalog_that_is_damaged_is_told(stocked):
    stocked.store.blobs.delete(stocked.store.tracks.list()[0].audio_path)
    found = {check.name: check.status for check in examine(stocked.store.address, deep=True)}
    assert found["missing-audio"] == "damage"
    assert found["catalog"] == "note"
