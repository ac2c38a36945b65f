"""The tracks table as LanceDB's users read it: it reads and does not write, and what is missing is null."""

from __future__ import annotations

import statistics

import lancedb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from builders import a_track
from homes import add, open_store, vector_of
from lancedb.query import MatchQuery

from music_catalog.disk.lance import index_config
from music_catalog.disk.reading import to_arrow
from music_catalog.errors import InputError, NotFound
from music_catalog.models import Filter, Track
from music_catalog.store.cells import NONE
from music_catalog.store.rows import to_track_row
from music_catalog.store.schema import track_schema
from music_catalog.store.view.nulls import with_nulls
from music_catalog.store.view.read_only import READS

EVERY = Filter(state=None)
MAY_BE_MISSING = [name for name in Track.model_fields if name in NONE]


@pytest.fixture
def store(tmp_path):
    """Three tracks: one without a beat, two with one, of which one is rated and in the trash."""
    store = open_store(tmp_path / "home")
    add(store, "rain", 1, context="rain on glass", environment="rain")
    add(store, "march", 2, context="heroes march", tempo_bpm=120.0, loudness_lufs=-14.0, seam=0.5)
    add(store, "waltz", 3, context="a slow waltz", tempo_bpm=90.0, musical_key="C major", rating=4)
    store.tracks.trash("waltz")
    yield store
    store.close()


@pytest.fixture
def table(store):
    return store.tracks_table()


def test_it_is_a_table_of_lancedb_with_every_track(store, table):
    assert isinstance(table, lancedb.table.LanceTable)
    assert len(table) == table.count_rows() == 3
    assert set(table.to_arrow()["id"].to_pylist()) == {"rain", "march", "waltz"}
    assert table.count_rows("state = 'ready'") == 2


@pytest.mark.parametrize("name", MAY_BE_MISSING)
def test_a_value_that_a_track_does_not_have_is_null(store, table, name):
    column = dict(zip(*(table.to_arrow()[each].to_pylist() for each in ("id", name)), strict=True))
    assert column == {track.id: getattr(track, name) for track in store.tracks.list(EVERY)}


def test_a_mean_over_the_table_is_that_of_the_tracks(store, table):
    tempos = [track.tempo_bpm for track in store.tracks.list(EVERY) if track.tempo_bpm is not None]
    ways = [
        table.to_arrow(),
        table.head(10),
        table.search().to_arrow(),
        table.search().select(["tempo_bpm"]).to_batches().read_all(),
        table.search(vector_of("rain")).select(["tempo_bpm", "_distance"]).to_arrow(),
    ]
    for read in ways:
        assert pc.mean(read["tempo_bpm"]).as_py() == statistics.mean(tempos)
        assert read.schema.field("tempo_bpm").nullable
    assert table.schema.field("seam").nullable
    assert table.search(vector_of("rain")).output_schema().field("seam").nullable


def test_a_query_may_give_the_name_of_a_column_to_something_else(table):
    rows = table.search().select({"rating": "style", "seam": "0", "tempo_bpm": "tempo_bpm"}).to_list()
    assert {row["rating"] for row in rows} == {"ambient_lofi"}
    assert {row["seam"] for row in rows} == {0}
    assert {row["tempo_bpm"] for row in rows} == {None, 120.0, 90.0}


def test_what_is_no_column_of_a_track_stays_as_it_is():
    table = pa.table({"tempo_bpm": [0.0, 1.0], "score": [-1000.0, 0.0], "other": [0.0, 1.0]})
    assert with_nulls(table).to_pydict() == {**table.to_pydict(), "tempo_bpm": [None, 1.0]}
    assert with_nulls(table.slice(0, 0)).num_rows == 0


def test_a_vector_is_compared_with_the_contexts_by_cosine_and_a_text_with_the_words(table):
    for query in (vector_of("march"), vector_of("march").tolist()):
        nearest = table.search(query).select(["id", "_distance"]).limit(1).to_list()
        assert [row["id"] for row in nearest] == ["march"]
        assert nearest[0]["_distance"] == pytest.approx(0.0, abs=1e-6)
    for query in ("glass", MatchQuery("glass", "words")):
        assert [row["id"] for row in table.search(query).select(["id", "_score"]).to_list()] == ["rain"]
    both = table.search(query_type="hybrid").vector(vector_of("march")).text("waltz").limit(2)
    assert {row["id"] for row in both.to_list()} == {"march", "waltz"}
    ready = table.search("waltz").where("state = 'ready'").select(["id", "_score"])
    assert ready.to_list() == []


def test_it_sees_what_is_changed_and_added_later(store, table):
    store.tracks.update("rain", rating=5)
    add(store, "wind", 4)
    rows = table.search().where("rating = 5 OR id = 'wind'").select(["id", "rating"]).to_list()
    assert {row["id"]: row["rating"] for row in rows} == {"rain": 5, "wind": None}


def test_all_that_is_not_known_to_read_is_refused_and_changes_nothing(store, table):
    version = store.tracks.version()
    names = [name for name in dir(lancedb.table.LanceTable) if not name.startswith("_")]
    refused = [name for name in names if name not in READS]
    assert set(names) >= READS
    assert {"add", "delete", "update", "merge_insert", "optimize", "create_index", "restore"} <= {*refused}
    for name in refused:
        with pytest.raises(InputError, match=f"^{name} is not offered by tracks_table.., which only reads; "):
            getattr(table, name)("x")
    with pytest.raises(InputError, match=r"^tags\.create is not offered"):
        table.tags.create("mine", 1)
    assert store.tracks.version() == version
    assert store.care.check(deep=True) == []


def test_a_lost_index_of_words_is_made_again(store):
    store.tracks.table.durable.commit("the index", lambda lance: lance.drop_index("words_idx"))
    assert store.tracks_table().search("glass").limit(1).to_list()[0]["id"] == "rain"


def test_a_home_that_cannot_be_written_is_read_all_the_same(store, monkeypatch):
    store.tracks.table.durable.commit("the index", lambda lance: lance.drop_index("words_idx"))
    version = store.tracks.version()
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert store.tracks_table().count_rows() == 3
    assert store.tracks.version() == version


def test_without_a_track_there_is_no_table(tmp_path):
    with pytest.raises(NotFound, match=r"there is no table of tracks in .*; the first track made there"):
        open_store(tmp_path / "empty").tracks_table()


def test_the_vector_of_a_text_finds_the_track_that_was_made_for_it(service):
    texts = ("Rain falls on the harbour.", "Heroes storm the gate.")
    made = [service.find_or_make(text, duration_s=3.0, quality="preview", reuse="never") for text in texts]
    vector = service.embed(texts[1])
    assert vector.shape == (service.encoder.dimension,)
    nearest = service.tracks_table().search(vector).select(["id", "_distance"]).limit(1).to_list()
    assert nearest[0]["id"] == made[1].track.id
    assert 1 - nearest[0]["_distance"] == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(InputError, match="text is 5"):
        service.embed(5)


def test_distances_are_exact_where_the_vectors_have_an_index(tmp_path):
    numbers = np.random.default_rng(5)
    vectors = numbers.normal(size=(600, 64)).astype(np.float32)
    store = open_store(tmp_path / "home", encoder="test@1/64", dimension=64)
    rows = [
        to_track_row(a_track(id=f"t{place}", encoder="test@1/64"), vector)
        for place, vector in enumerate(vectors)
    ]
    durable = store.tracks.table.durable
    durable.create(track_schema(64, "test@1/64"))
    durable.commit("the rows", lambda lance: lance.add(to_arrow(rows, lance.schema)))
    durable.commit("the index", lambda lance: lance.create_index("vector", config=index_config("vector")))
    query = numbers.normal(size=64).astype(np.float32)
    cosines = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
    nearest = store.tracks_table().search(query).select(["id", "_distance"]).limit(10).to_list()
    places = [int(row["id"].removeprefix("t")) for row in nearest]
    # The index is built by chance and may miss a near row; of those it finds the distances are exact.
    assert len(set(places) & set(np.argsort(-cosines)[:10].tolist())) >= 8
    np.testing.assert_allclose([row["_distance"] for row in nearest], 1 - cosines[places], atol=1e-5)
    store.close()
