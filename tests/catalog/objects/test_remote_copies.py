"""What a copy of a remote home keeps: rows at every moment, audio of the trash, and files that are whole."""

from __future__ import annotations

import pytest
from homes import DIMENSION, OTHER, Axes, a_judgement, a_record, add, open_store, stored, vector_of

from music_catalog.errors import StorageError
from music_catalog.objects import blobs
from music_catalog.store.homes import remote_audio
from music_catalog.store.schema import track_schema
from music_catalog.store.vectors import reembedding
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


def logged(store):
    store.requests.append(a_record("r", key="a", summary="the context of a"), vector_of("a"))
    store.judgements.append(a_judgement("j", key="a"), vector_of("a"))


def same_rows(store, folder, encoder, dimension):
    """Raise AssertionError unless the tables of the copy hold the rows of the catalog and have a whole shape."""
    copy = open_store(folder, encoder=encoder, dimension=dimension)
    for name, table in store.tables.items():
        rows = [
            sorted((row["id"], row["row_sha256"], row["vector"] and [*row["vector"]]) for row in each)
            for each in (one.table.to_arrow().to_pylist() for one in (table, copy.tables[name]))
        ]
        assert rows[0] == rows[1]
    tracks = copy.tables["tracks"]
    assert {*tracks.schema.names} == {*track_schema(dimension, encoder).names}
    assert not any(tracks.schema.field(name).nullable for name in reembedding.SWITCHED)
    assert copy.tracks.table.stored_encoder == encoder
    assert copy.care.check() == []
    copy.close()


def stop():
    raise KeyboardInterrupt


def test_new_vectors_of_the_same_length_come_into_the_copy_that_is_there(store, tmp_path):
    copy_to_folder(store, tmp_path / "copy")
    anew = open_store(store.address, encoder="same@1/8")
    anew.care.reembed(lambda texts: [vector_of(f"{text} anew") for text in texts], "same@1/8")
    done = copy_to_folder(anew, tmp_path / "copy")
    assert (done.tracks, done.rows, done.files, done.problems) == (2, 2, 0, ())
    same_rows(anew, tmp_path / "copy", "same@1/8", DIMENSION)
    anew.close()


@pytest.mark.cluster
def test_a_catalog_is_copied_while_it_is_embedded_anew_and_afterwards(home, tmp_path, monkeypatch):
    monkeypatch.setattr(reembedding, "AT_ONCE", 2)
    store = open_store(home)
    for name in "abc":
        add(store, name)
    logged(store)
    copy_to_folder(store, tmp_path / "older")
    anew = open_store(home, encoder=OTHER, dimension=4)
    with pytest.raises(KeyboardInterrupt):
        anew.care.reembed(Axes(at="the context of c", then=stop), OTHER)
    store.tracks.update("a", rating=4)
    assert copy_to_folder(store, tmp_path / "older").rows == 1
    assert copy_to_folder(store, tmp_path / "newer").rows == 5
    anew.care.reembed(Axes(), OTHER)
    for name in ("older", "newer"):
        assert copy_to_folder(anew, tmp_path / name).files == 0
        same_rows(anew, tmp_path / name, OTHER, 4)
    store.close()
    anew.close()


def test_the_last_good_copy_of_a_damaged_row_outlives_other_vectors(store, tmp_path):
    copy_to_folder(store, tmp_path / "copy")
    table = store.tracks.table.durable
    table.commit("a test", lambda lance: lance.update("id = 't1'", {"record": "damaged"}))
    anew = open_store(store.address, encoder=OTHER, dimension=4)
    anew.care.reembed(lambda texts: [vector_of(text)[:4] for text in texts], OTHER)
    done = copy_to_folder(anew, tmp_path / "copy")
    assert done.tracks == 2
    assert "the tracks of the copy stay as they were" in done.problems[-1].detail
    copy = open_store(tmp_path / "copy")
    assert [track.id for track in copy.tracks.list()] == ["t1", "t0"]
    copy.close()
    anew.close()


def test_a_home_with_rows_of_its_own_and_other_vectors_is_refused_before_it_is_written_to(store, tmp_path):
    logged(store)
    other = open_store(tmp_path / "other", encoder=OTHER, dimension=4)
    other.tracks.insert(stored(other, "t0", encoder=OTHER), [1.0, 0.0, 0.0, 0.0])
    with pytest.raises(StorageError, match="the tracks of the copy have another shape"):
        copying.copy_home(store, other, prune=False)
    assert other.requests.list() == []
    other.close()
