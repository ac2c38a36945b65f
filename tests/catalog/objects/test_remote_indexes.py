"""Indexes that are made while rows come: a search misses none."""

from __future__ import annotations

from homes import add, open_store, vector_of

from music_catalog.disk.remote import maintenance
from music_catalog.disk.remote.maintenance import ObjectMaintenance
from music_catalog.store import schema


def test_rows_that_come_before_the_vectors_have_an_index_are_found(home, monkeypatch):
    """The index of the vectors is made in a later round than those of what a search filters by."""
    monkeypatch.setattr(schema, "FAR_ROWS", 2)
    store, other, came = open_store(home), open_store(home), []
    for number in range(3):
        add(store, f"t{number}", number)
    store.care.compact()
    monkeypatch.setattr(maintenance, "LEAST_VECTORS", 2)
    make = ObjectMaintenance._make

    def add_and_make(self, table, column, kind):
        if column == "vector":
            came.append(add(other, "new", 9).id)
        make(self, table, column, kind)

    monkeypatch.setattr(ObjectMaintenance, "_make", add_and_make)
    store.care.compact()
    store.tracks.table.durable.refresh()
    found = {track.id for track, _ in store.tracks.search(vector_of("new"), limit=50)}
    assert came == ["new"]
    assert found == {"t0", "t1", "t2", "new"}
    for each in (store, other):
        each.close()
