"""What the ear hears of tracks, in the table: kept with its identity, searched, told as damaged, made anew."""

from __future__ import annotations

import os

import numpy as np
import pytest
from homes import add, open_store, vector_of

from music_catalog.ear.vectors import DIMENSION
from music_catalog.models import Filter, Heard, HeardTag
from music_catalog.store.rows import EarVector

EAR, OTHER = "clap@1/512/windows-1", "clap@2/512/windows-1"
HEARD = Heard(ear=EAR, tags=(HeardTag(kind="mood", name="calm", share=0.6),), valence=0.4, energy=-0.7)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.delattr("fcntl.F_FULLFSYNC", raising=False)


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "home")


def axis(place: int) -> np.ndarray:
    return np.eye(1, DIMENSION, place, dtype=np.float32)[0]


def ids(found):
    return [each[0].id if isinstance(each, tuple) else each.id for each in found]


@pytest.fixture
def three(store):
    """Three tracks, two of which the ear has heard."""
    for number, name in enumerate("abc"):
        add(store, name, number)
    store.tracks.put_ears({"a": (EarVector(EAR, axis(0)), HEARD), "b": (EarVector(EAR, axis(1)), None)})
    return store


def test_what_was_heard_is_kept_and_found_by_its_ear_alone(three):
    assert three.tracks.get("a").heard == HEARD
    assert three.tracks.get("b").heard is None
    np.testing.assert_array_equal(three.tracks.ear_of("a", EAR), axis(0))
    assert three.tracks.ear_of("a", OTHER) is None
    near = axis(0) + 0.5 * axis(1)
    found = three.tracks.search_ear(EarVector(EAR, near))
    assert ids(found) == ["a", "b"]
    assert [cosine for _, cosine in found] == pytest.approx([2 / 5**0.5, 1 / 5**0.5], abs=1e-5)
    assert three.tracks.search_ear(EarVector(OTHER, near)) == []
    assert ids(three.tracks.search_ear(EarVector(EAR, near), Filter(style="none"))) == []
    assert three.tracks.unheard(EAR) == ["c"]
    assert three.tracks.unheard(OTHER) == ["c", "b", "a"]
    assert three.tracks.unheard(OTHER, 1) == ["c"]
    assert (three.tracks.count_heard(EAR), three.tracks.count_heard(OTHER)) == (2, 0)
    assert three.care.check(deep=True) == []


def test_a_changed_row_and_a_new_encoder_keep_what_was_heard(three):
    three.tracks.update("a", rating=5)
    three.care.reembed(lambda texts: [vector_of(text) for text in texts], "test@2/8")
    assert three.tracks.get("a").heard == HEARD
    np.testing.assert_array_equal(three.tracks.ear_of("a", EAR), axis(0))
    three.tracks.put_ears({"a": (EarVector(OTHER, axis(2)), None)})
    assert three.tracks.get("a").heard is None
    assert three.tracks.get("a").rating == 5
    assert three.tracks.ear_of("a", EAR) is None
    assert three.care.check(deep=True) == []


def test_an_altered_vector_is_told_and_the_track_is_heard_again(three):
    altered = {"ear": (0.6 * axis(3) + 0.8 * axis(4)).tolist()}
    three.tracks.table.durable.commit("damage", lambda table: table.update(where="id = 'a'", values=altered))
    (problem,) = three.care.check(deep=True)
    assert (problem.kind, problem.subject) == ("altered-row", "a")
    assert "the ear of the row 'a' does not match its checksum" in problem.detail
    assert three.care.fix(problem)
    assert three.care.check(deep=True) == []
    assert three.tracks.unheard(EAR) == ["c", "a"]
    assert three.tracks.get("a").summary == "calm rain"


def test_a_new_track_may_come_with_what_was_heard(three):
    track = add(three, "d", 4)
    three.tracks.table.durable.commit("gone", lambda table: table.delete("id = 'd'"))
    three.tracks.insert(
        track.model_copy(update={"heard": HEARD}), vector_of("d"), ear=EarVector(EAR, axis(7))
    )
    assert three.tracks.get("d").heard == HEARD
    assert ids(three.tracks.search_ear(EarVector(EAR, axis(7)), limit=1)) == ["d"]


@pytest.mark.cluster
def test_the_index_at_compaction_finds_what_the_plain_scan_finds(three, monkeypatch):
    draw = np.random.default_rng(5)
    for number in range(300):
        add(three, f"t{number}", number, audio="one")
    heard = {f"t{number}": (EarVector(EAR, draw.normal(size=DIMENSION)), None) for number in range(300)}
    three.tracks.put_ears(heard)
    asked = [EarVector(EAR, draw.normal(size=DIMENSION)) for _ in range(5)]
    plain = [ids(three.tracks.search_ear(one, limit=10)) for one in asked]
    monkeypatch.setattr("music_catalog.store.schema.VECTOR_INDEX_ROWS", 100)
    three.care.compact()
    indexes = three.tracks.table.durable.table.list_indices()
    assert "ear" in {column for index in indexes for column in index.columns}
    assert [ids(three.tracks.search_ear(one, limit=10)) for one in asked] == plain
