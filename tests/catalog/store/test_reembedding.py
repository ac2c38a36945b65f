"""Re-embedding a table that is written to meanwhile: nothing is lost, and a run that died is gone on with."""

from __future__ import annotations

import numpy as np
import pytest
from homes import NAMES, OTHER, Axes, add, open_store, stored, vector_of

from music_catalog.errors import EncoderMismatch, InputError
from music_catalog.models import Filter
from music_catalog.store import audit
from music_catalog.store.schema import track_schema
from music_catalog.store.vectors import reembedding


@pytest.fixture(autouse=True)
def two_at_once(monkeypatch):
    monkeypatch.setattr(reembedding, "AT_ONCE", 2)


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    store = open_store(home)
    for name in NAMES[:4]:
        add(store, name)
    return home


def put(store, name):
    store.tracks.insert(stored(store, name, encoder=OTHER), [0.0, 0.0, 0.0, 1.0])


def columns(store):
    return store.tables["tracks"].table.schema.names


def whole(home, store):
    """Raise AssertionError unless every row has its new vector, and nothing but the usual columns is there."""
    assert audit.read_through(home, store.tracks.table, deep=True) == []
    assert sorted(columns(store)) == sorted(track_schema(4, OTHER).names)
    assert store.tracks.table.stored_encoder == OTHER
    assert {track.encoder for track in store.tracks.list(Filter(state=None))} == {OTHER}


def test_rows_that_come_or_change_meanwhile_are_kept_and_embedded(home):
    writer, reader, store = open_store(home), open_store(home), open_store(home, encoder=OTHER, dimension=4)
    seen = []

    def meanwhile():
        add(writer, "e")
        writer.tracks.update("a", rating=5)
        seen.extend(track.id for track, _ in reader.tracks.search(vector_of("b"), limit=1))

    encode = Axes(at="the context of d", then=meanwhile)
    assert store.care.reembed(encode, OTHER) == 5
    assert seen == ["b"]
    # That of the row that changed was made twice.
    assert sorted(encode.texts) == sorted(f"the context of {name}" for name in (*NAMES, "a"))
    whole(home, store)
    assert store.tracks.get("a").rating == 5
    found = {track.id for track, _ in store.tracks.search([1.0, 0.0, 0.0, 0.0], limit=2)}
    assert found == {"a", "e"}
    with pytest.raises(EncoderMismatch):
        writer.tracks.search(vector_of("a"))
    with pytest.raises(EncoderMismatch):
        add(writer, "f")
    put(store, "f")
    assert store.tracks.count() == 6
    assert audit.read_through(home, store.tracks.table, deep=True) == []


@pytest.mark.parametrize(("dies_at", "left"), [("c", "cd"), ("d", "cd")])
def test_a_run_that_died_is_gone_on_with(home, dies_at, left):
    def die():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_store(home, encoder=OTHER, dimension=4).care.reembed(
            Axes(at=f"the context of {dies_at}", then=die), OTHER
        )
    between = open_store(home)
    assert [track.id for track, _ in between.tracks.search(vector_of("a"), limit=1)] == ["a"]
    between.tracks.update("d", rating=2)
    between.care.compact()
    encode, store = Axes(), open_store(home, encoder=OTHER, dimension=4)
    assert store.care.reembed(encode, OTHER) == 4
    assert sorted(text[-1] for text in encode.texts) == [*left]
    whole(home, store)


def test_a_run_that_died_after_the_switch_encodes_nothing_again(home, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(reembedding, "drop_columns", lambda table, names: die() if names else None)
        with pytest.raises(KeyboardInterrupt):
            open_store(home, encoder=OTHER, dimension=4).care.reembed(Axes(), OTHER)
    store, encode = open_store(home, encoder=OTHER, dimension=4), Axes()
    put(store, "e")
    assert store.care.reembed(encode, OTHER) == 5
    assert encode.texts == []
    whole(home, store)


def test_what_was_filled_for_another_encoder_is_dropped(home):
    def die():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_store(home).care.reembed(Axes(at="the context of c", then=die), "third@1/4")
    store, encode = open_store(home, encoder=OTHER, dimension=4), Axes()
    assert store.care.reembed(encode, OTHER) == 4
    assert len(encode.texts) == 4
    whole(home, store)


def test_vectors_of_several_lengths_are_refused(home):
    lengths = iter((4, 4, 5, 5))
    store = open_store(home)
    with pytest.raises(InputError, match=r"vectors of lengths \[4, 5\]; all must be of one length"):
        store.care.reembed(lambda texts: [np.ones(next(lengths)) for _ in texts], OTHER)
    with pytest.raises(InputError, match="1 vectors for 2 texts"):
        store.care.reembed(lambda texts: [np.ones(4)], "third@1/4")
    assert [track.id for track, _ in store.tracks.search(vector_of("a"), limit=1)] == ["a"]
