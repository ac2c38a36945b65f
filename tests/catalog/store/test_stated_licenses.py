"""The rule of commercial use names the licences that the rows state, so that an index answers it."""

from __future__ import annotations

import pytest
from homes import add, open_store, vector_of

from music_catalog.models import Filter
from music_catalog.search.filters import to_sql
from music_catalog.store import schema
from music_catalog.store.vectors import track_vectors

COMMERCIAL = Filter(license="commercial")


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Return a store whose filters have indexes, with a track of each of three licences."""
    monkeypatch.setattr(schema, "INDEX_ROWS", 3)
    store = open_store(tmp_path / "home")
    for name, license in (("a", "MIT"), ("b", "CC-BY-NC-4.0"), ("c", "none")):
        add(store, name, weights_license=license)
    store.care.compact()
    return store


def plan_of(store):
    sql = to_sql(COMMERCIAL, store.tracks.licenses)
    return store.tables["tracks"].table.search().where(sql).explain_plan()


def found(store):
    by_meaning = {track.id for track, _ in store.tracks.search(vector_of("a"), COMMERCIAL)}
    assert by_meaning == {track.id for track in store.tracks.list(COMMERCIAL)}
    assert store.tracks.count(COMMERCIAL) == len(by_meaning)
    return by_meaning


def test_an_index_answers_it(store):
    assert found(store) == {"a", "c"}
    plan = plan_of(store)
    assert "ScalarIndexQuery" in plan
    assert "regexp_like" not in plan


def test_a_licence_that_comes_later_counts_whoever_stored_it(store):
    assert found(store) == {"a", "c"}
    add(store, "d", weights_license="commercial: bought in 2026")
    assert found(store) == {"a", "c", "d"}
    other = open_store(store.home)
    add(other, "e", weights_license="CC0-1.0")
    add(other, "f", weights_license="proprietary")
    assert found(store) == {"a", "c", "d", "e"}
    assert "regexp_like" not in plan_of(store)


def test_licences_that_are_too_many_to_name_are_read_by_the_rule(store, monkeypatch):
    monkeypatch.setattr(track_vectors, "MOST_LICENSES", 3)
    assert found(store) == {"a", "c"}
    assert store.tracks.licenses() == {"MIT", "CC-BY-NC-4.0", "none"}
    add(store, "d", weights_license="CC-BY-4.0")
    assert store.tracks.licenses() is None
    assert found(store) == {"a", "c", "d"}
