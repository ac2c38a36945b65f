"""A table so large that its ids have an index: an insert asks it, and every id stays alone."""

from __future__ import annotations

import pytest
from homes import add, open_store, stored, vector_of

from music_catalog.errors import InputError
from music_catalog.store import schema
from music_catalog.store.rows import NewTrack


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Return a store of four tracks, large in that it has an index of ids."""
    monkeypatch.setattr(schema, "INDEX_ROWS", 3)
    monkeypatch.setattr(schema, "ID_INDEX_ROWS", 3)
    store = open_store(tmp_path / "home")
    for name in ("a", "b", "c", "d"):
        add(store, name)
    store.care.compact()
    assert ["id"] in [index.columns for index in lance(store).list_indices()]
    return store


def lance(store):
    return store.tables["tracks"].table


def test_an_insert_reads_no_ids_and_lets_none_in_twice(store, monkeypatch):
    class NoMerge(type(lance(store))):
        def merge_insert(self, on):
            raise AssertionError("an insert merged, which reads every id")

    monkeypatch.setattr(lance(store), "__class__", NoMerge)
    add(store, "e")
    for _ in range(2):
        add(store, "a")  # indexed
        add(store, "e")  # newer than the index
    new = [NewTrack(stored(store, name), vector_of(name)) for name in ("b", "f", "f")]
    store.tracks.insert_all(new)
    assert sorted(track.id for track in store.tracks.list()) == ["a", "b", "c", "d", "e", "f"]
    assert lance(store).count_rows() == 6
    with pytest.raises(InputError, match="the id e already names another track"):
        store.tracks.insert(stored(store, "e", key="another", audio="another"), vector_of("e"))


def test_changes_of_indexed_rows_keep_every_id_alone(store):
    for rating in (1, 2, 3):
        store.tracks.update("a", rating=rating)
        store.care.compact()
    add(store, "a")
    assert lance(store).count_rows() == 4
    assert store.tracks.get("a").rating == 3
    assert store.care.check() == []
