"""What a copy of a remote home keeps: rows at every moment, audio of the trash, and files that are whole."""

from __future__ import annotations

import pytest
from homes import add, open_store

from music_catalog.objects import blobs
from music_catalog.store.homes import remote_audio
from music_catalog.upkeep import copying
from music_catalog.upkeep.backup import copy_to_folder
from music_catalog.upkeep.restore import restore


@pytest.fixture
def store(home):
    store = open_store(home)
    for number in range(2):
        add(store, f"t{number}", number)
    yield store
    store.close()


def test_a_row_that_changed_is_in_the_copy_at_every_moment(store, tmp_path, monkeypatch):
    copy_to_folder(store, tmp_path / "copy")
    store.tracks.update("t1", tags=["mine"])

    def fail(*_):
        raise AssertionError("a row went before its successor came")

    monkeypatch.setattr(copying._Copy, "_delete", fail)
    assert copy_to_folder(store, tmp_path / "copy").rows == 1
    copy = open_store(tmp_path / "copy")
    assert {track.id: track.tags for track in copy.tracks.list()} == {"t0": (), "t1": ("mine",)}
    copy.close()


def test_what_is_in_the_trash_comes_back_with_its_audio(store, tmp_path):
    trashed, purged = store.tracks.trash("t0"), store.tracks.trash("t1")
    store.blobs.delete(purged.audio_path)  # as where it was mended: it may be gone
    assert copy_to_folder(store, tmp_path / "copy").problems == ()
    other = store.address.replace("home", "other")
    restore(tmp_path / "copy", other)
    back = open_store(other)
    assert back.tracks.restore("t0").state == "ready"
    assert back.audio.verified_path(trashed).read_bytes() == b"audio of t0"
    back.close()


def test_a_file_that_was_cut_short_is_copied_anew(store, tmp_path):
    copy_to_folder(store, tmp_path / "copy")
    path = tmp_path / "copy" / store.tracks.get("t0").audio_path
    path.write_bytes(b"au")
    assert copy_to_folder(store, tmp_path / "copy").files == 1
    assert path.read_bytes() == b"audio of t0"


def test_rows_under_one_id_are_told_and_one_is_copied(store, tmp_path):
    copy_to_folder(store, tmp_path / "copy")
    store.tracks.update("t1", tags=["mine"])
    table = store.tracks.table.durable
    rows = table.table.search().where("id = 't1'").limit(None).to_arrow()
    table.commit("a test", lambda lance: lance.add(rows))
    done = copy_to_folder(store, tmp_path / "copy")
    assert [problem.detail for problem in done.problems] == [
        "the id t1 names several rows, of which one is copied"
    ]
    assert done.tracks == 2


def test_large_audio_goes_and_comes_in_parts(store, server, monkeypatch, tmp_path):
    """One request has a minute at the most."""
    for module in (blobs, remote_audio):
        monkeypatch.setattr(module, "PART_BYTES", 1 << 20)
    data = bytes(6 << 20)
    server.requests.clear()
    track = add(store, "long", 9, audio=data.decode())
    assert server.requests["POST"] >= 2  # an upload is begun and ended
    assert server.objects[f"home/{track.audio_path}"] == data
    server.requests.clear()
    store.audio.put(data)
    assert server.requests["POST"] == 0
    store.audio.path_of(track).unlink()
    server.requests.clear()
    assert store.audio.verified_path(track).read_bytes() == data
    assert server.requests["GET"] == 6
    assert copy_to_folder(store, tmp_path / "copy").problems == ()
    assert store.care.check(deep=True) == []
