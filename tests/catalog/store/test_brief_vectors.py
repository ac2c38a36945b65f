"""Brief vectors in the table: found by music, kept through changes, given to earlier tracks later."""

from __future__ import annotations

import numpy as np
import pytest
from homes import add, open_store, stored, vector_of

from music_catalog.brief.vectors import DIMENSION
from music_catalog.models import Filter
from music_catalog.store.rows import BriefVector

KIND = "brief-test"
STYLES = ["ambient_lofi", "quiet_room", "dark_techno"]


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "home")


def axis(number):
    return BriefVector(KIND, np.eye(DIMENSION, dtype=np.float32)[number])


def put(store, name, number, **changes):
    track = stored(store, name, **changes)
    store.tracks.insert(track, vector_of(name), None, axis(number))
    return track


def found(store, number, **options):
    hits = store.tracks.search_brief(axis(number), vector_of("q"), **options)
    return [track.id for track, _ in hits]


def test_tracks_are_found_by_their_music_with_the_cosine_of_their_texts(store):
    put(store, "a", 0)
    put(store, "b", 1)
    ((first, cosine), _) = store.tracks.search_brief(axis(1), vector_of("q"))
    assert first.id == "b"
    unit = vector_of("b") / np.linalg.norm(vector_of("b"))
    assert cosine == pytest.approx(float(unit @ vector_of("q") / np.linalg.norm(vector_of("q"))), abs=1e-5)


def test_a_filter_is_part_of_the_search(store):
    put(store, "a", 0, style="quiet_room")
    put(store, "b", 1, style="dark_techno")
    assert found(store, 1, where=Filter(style="quiet_room")) == ["a"]


def test_a_change_and_the_trash_keep_the_vector(store):
    put(store, "a", 0)
    store.tracks.update("a", rating=4)
    assert found(store, 0) == ["a"]
    store.tracks.trash("a")
    assert found(store, 0) == []
    store.tracks.restore("a")
    assert found(store, 0) == ["a"]


def test_a_vector_of_another_kind_finds_nothing(store):
    put(store, "a", 0)
    other = BriefVector("brief-other", axis(0).vector)
    assert store.tracks.search_brief(other, vector_of("q")) == []
    assert [track.id for track in store.tracks.without_brief("brief-other", STYLES)] == ["a"]
    assert store.tracks.without_brief(KIND, STYLES) == []


def test_an_earlier_track_gets_its_vector_later(store):
    before = add(store, "a")
    assert found(store, 0) == []
    store.tracks.put_briefs(KIND, {"a": axis(0).vector})
    assert found(store, 0) == ["a"]
    assert store.tracks.get("a") == before
    assert store.care.check(deep=True) == []


def test_vectors_of_texts_made_anew_keep_those_of_the_music(store):
    put(store, "a", 0)
    store.care.reembed(lambda texts: [np.ones(8) for _ in texts], "other@1/8")
    assert found(open_store(store.home, encoder="other@1/8"), 0) == ["a"]


def test_a_table_with_hardly_a_brief_vector_is_compacted(store, monkeypatch):
    monkeypatch.setattr("music_catalog.store.schema.VECTOR_INDEX_ROWS", 1)
    monkeypatch.setattr("music_catalog.store.schema.INDEX_ROWS", 1)
    add(store, "a")
    store.care.compact()
    assert [track.id for track, _ in store.tracks.search(vector_of("a"))] == ["a"]
