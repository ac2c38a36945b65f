"""Index files that are gone, cut or altered: reads scan, `check` tells, `fix` makes the index anew."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from homes import DIMENSION, ENCODER, a_record, add, finish, open_store, start, stored, vector_of

from music_catalog import presets
from music_catalog.brief import vectors as briefs
from music_catalog.disk import digests, maintenance, table
from music_catalog.disk.damage import indexes
from music_catalog.disk.reading import to_arrow
from music_catalog.disk.versions import TableFiles
from music_catalog.errors import Damage, Unavailable
from music_catalog.generator import load_generator
from music_catalog.models import Filter
from music_catalog.service.service import MusicService
from music_catalog.store import schema
from music_catalog.store.rows import BriefVector, to_track_row
from music_catalog.store.store import Store

ROWS = 320
KINDS = ("gone", "cut", "flip")
INDEXED = ("words", "state", "key", "mood_tags", "vector", "brief")
QUERY = BriefVector("kind", np.arange(briefs.DIMENSION) + 1.0)


@pytest.fixture(autouse=True)
def _quick_and_indexed(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: None, raising=False)
    monkeypatch.setattr(schema, "INDEX_ROWS", 50)
    monkeypatch.setattr(schema, "VECTOR_INDEX_ROWS", 300)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory) -> Path:
    """Return a home whose tracks have every kind of index."""
    home = tmp_path_factory.mktemp("indexed") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "INDEX_ROWS", 50)
        patch.setattr(schema, "VECTOR_INDEX_ROWS", 300)
        patch.setattr(os, "fsync", lambda descriptor: None)
        store = open_store(home)
        add(store, "first")
        draw = np.random.default_rng(0)
        tracks = [stored(store, f"t{number}", number, audio="one") for number in range(1, ROWS)]
        vectors = [BriefVector("kind", draw.normal(size=briefs.DIMENSION)) for _ in tracks]
        rows = [
            to_track_row(track, vector_of(track.id), None, brief)
            for track, brief in zip(tracks, vectors, strict=True)
        ]
        durable = store.tracks.table.durable
        data = to_arrow(rows, durable.table.schema)
        durable.commit("rows", lambda table: table.add(data, on_bad_vectors="null"))
        store.care.compact()
        assert {column for index in durable.table.list_indices() for column in index.columns} >= {*INDEXED}
        store.close()
    return home


@pytest.fixture
def home(indexed, tmp_path) -> Path:
    copy = tmp_path / "home"
    shutil.copytree(indexed, copy)
    return copy


class SmallEncoder:
    identity = ENCODER
    dimension = DIMENSION

    def encode(self, texts):
        return np.stack([vector_of(text) for text in texts])


def files_of(store: Store, column: str) -> list[Path]:
    (index,) = [
        index for index in store.tracks.table.durable.table.list_indices() if index.columns == [column]
    ]
    folder = store.home / "lance" / "tracks.lance" / "_indices" / index.index_uuid
    return sorted(path for path in folder.rglob("*") if path.is_file())


def answers(store: Store) -> list[object]:
    """Return what reads give that use the indexes."""
    tracks = store.tracks
    return [
        [row["id"] for row in tracks.table.search_words("rain", None, 400)],
        [row["id"] for row in tracks.table.search_words("t7", "state = 'ready'", 400)],
        [track.id for track, _ in tracks.search(vector_of("t9"), limit=5)],
        [track.id for track, _ in tracks.search(vector_of("t9"), Filter(mood=("calm",)), limit=5)],
        [track.id for track, _ in tracks.search_brief(QUERY, vector_of("q"), limit=3)],
        next(tracks.made_for("key-t11")).id,
        tracks.count(Filter(style="ambient_lofi", mood=("calm",))),
        len(tracks.list()),
    ]


def damage(path: Path, how: str, place: int = -1) -> None:
    content = bytearray(path.read_bytes())
    if how == "gone":
        path.unlink()
    elif how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        content[len(content) // 2 if place < 0 else place] ^= 1
        path.write_bytes(content)


def index_problems(store: Store) -> set[str]:
    return {problem.subject for problem in store.care.check() if problem.kind == "index"}


def mend(store: Store) -> None:
    for problem in store.care.check():
        assert problem.kind == "index"
        assert store.care.fix(problem)
    assert store.care.check() == []


@pytest.mark.parametrize("column", INDEXED)
def test_reads_scan_where_an_index_is_damaged_until_it_is_made_anew(home, caplog, column):
    store = open_store(home)
    right, names = answers(store), [path.name for path in files_of(store, column)]
    store.close()
    # Each file once, and each kind of damage once.
    for number in range(max(len(names), len(KINDS))):
        name, how = names[number % len(names)], KINDS[number % len(KINDS)]
        store = open_store(home)
        damage(next(path for path in files_of(store, column) if path.name == name), how)
        store.close()
        caplog.clear()
        store = open_store(home)
        assert answers(store) == right, (name, how)
        assert f"the index of tracks.{column} cannot be used" in caplog.text
        # A search for words makes its index at once.
        assert index_problems(store) == (set() if column == "words" else {f"tracks.{column}"})
        if number % 2:
            mend(store)
        else:
            store.care.compact()
        assert store.care.check() == []
        assert files_of(store, column)
        assert answers(store) == right, (name, how)
        store.close()


def test_an_index_whose_folder_is_gone(home):
    store = open_store(home)
    right = answers(store)
    for column in INDEXED:
        shutil.rmtree(files_of(store, column)[0].parent)
    store = open_store(home)
    assert index_problems(store) == {f"tracks.{column}" for column in INDEXED}
    assert answers(store) == right
    mend(store)
    assert answers(store) == right


def test_a_flip_that_left_size_and_time_is_told_by_check(home):
    store = open_store(home)
    right = answers(store)
    for column in INDEXED:
        flip_unseen(files_of(store, column)[-1])
    store = open_store(home)
    assert index_problems(store) == {f"tracks.{column}" for column in INDEXED}
    mend(store)
    assert answers(open_store(home)) == right


def test_the_first_opening_in_a_process_reads_index_files(home, caplog, monkeypatch):
    flip_unseen(files_of(open_store(home), "state")[0])
    monkeypatch.setattr(indexes, "SAMPLE_BYTES", 0)
    monkeypatch.setattr(table, "_SAMPLED", set())
    assert open_store(home).tracks.table.durable.exists()
    assert "cannot be used" not in caplog.text
    monkeypatch.undo()
    monkeypatch.setattr(table, "_SAMPLED", set())
    assert open_store(home).tracks.table.durable.exists()
    assert "the index of tracks.state cannot be used" in caplog.text


def flip_unseen(path: Path, place: int = -1) -> None:
    """Flip a bit as a drive does, which alters no time."""
    before = path.stat()
    damage(path, "flip", place)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def _unsampled(monkeypatch):
    """Leave index files unread at opening, as those of a large table mostly are."""
    monkeypatch.setattr(indexes, "SAMPLE_BYTES", 0)


@pytest.mark.usefixtures("_unsampled")
@pytest.mark.parametrize("search", ["search_words", "facets", "tracks_table"])
def test_a_search_for_words_reads_the_files_of_its_index_first(home, caplog, search):
    store = open_store(home)
    right = [store.tracks.table.search_words("rain", None, 400), store.tracks.facets(text="rain")]
    paths = files_of(store, "words")
    store.close()
    for path in paths:
        flip_unseen(path)
    store = open_store(home)
    assert len(store.tracks.list(limit=5)) == 5
    assert "cannot be used" not in caplog.text
    if search == "tracks_table":
        assert store.tracks_table().search("rain", query_type="fts").limit(400).to_arrow().num_rows == ROWS
    elif search == "facets":
        assert store.tracks.facets(text="rain") == right[1]
    assert store.tracks.table.search_words("rain", None, 400) == right[0]
    assert caplog.text.count("the index of tracks.words cannot be used") == 1
    assert store.care.check() == []


@pytest.mark.usefixtures("_unsampled")
def test_a_search_of_a_log_for_words_reads_the_files_of_its_index_first(tmp_path, caplog):
    store = open_store(tmp_path / "home")
    for name in ("r", "s"):
        store.requests.append(a_record(name))
    right = store.requests.search_words("rain", 5)
    (index,) = store.requests.table.durable.table.list_indices()
    store.close()
    folder = tmp_path / "home" / "lance" / "requests.lance" / "_indices" / index.index_uuid
    flip_unseen(folder / "part_0_invert.lance", 100)
    store = open_store(tmp_path / "home")
    assert store.requests.search_words("rain", 5) == right
    assert "the index of requests.words cannot be used" in caplog.text


def test_the_search_that_makes_a_damaged_index_anew_tells(home, caplog, monkeypatch):
    flip_unseen(files_of(open_store(home), "words")[0])
    monkeypatch.setattr(table, "_SAMPLED", set())
    store = open_store(home)
    assert len(store.tracks.list(limit=5)) == 5
    assert "the index of tracks.words cannot be used" in caplog.text  # found at opening
    caplog.clear()
    assert len(store.tracks.table.search_words("rain", None, 400)) == ROWS
    assert "the index of tracks.words is made anew, since it was damaged" in caplog.text
    caplog.clear()
    assert len(open_store(home).tracks.table.search_words("rain", None, 400)) == ROWS
    assert caplog.text == ""


def test_the_files_of_an_index_are_read_once_in_a_process(home, monkeypatch):
    read, real = [], digests.sha256_of
    monkeypatch.setattr(digests, "sha256_of", lambda path: read.append(path) or real(path))
    for _ in range(2):
        store = open_store(home)
        for _ in range(2):
            assert store.tracks.table.search_words("rain", None, 5)
        store.close()
    assert sorted(read) == files_of(open_store(home), "words")


@pytest.mark.usefixtures("_unsampled")
def test_an_altered_index_in_a_home_that_cannot_be_written_is_not_searched(home, monkeypatch):
    flip_unseen(files_of(open_store(home), "words")[0])
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(Damage, match="words_idx of the tracks table does not hold what was written; make"):
        open_store(home).tracks.table.search_words("rain", None, 5)


@pytest.mark.usefixtures("_unsampled")
def test_the_table_of_a_home_that_cannot_be_written_searches_no_altered_index(home, monkeypatch):
    flip_unseen(files_of(open_store(home), "words")[0])
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    table = open_store(home).tracks_table()
    assert table.search(vector_of("t9")).limit(5).to_arrow().num_rows == 5
    with pytest.raises(Damage, match="words_idx of the tracks table does not hold what was written; make"):
        table.search("rain")


@pytest.mark.usefixtures("_unsampled")
@pytest.mark.parametrize("column", INDEXED)
def test_a_compaction_merges_nothing_out_of_an_altered_index(home, caplog, column):
    store = open_store(home)
    right = answers(store)[:-2]
    add(store, "later")
    flip_unseen(files_of(store, column)[0])
    store.care.compact()
    assert f"the index of tracks.{column} cannot be used" in caplog.text
    assert files_of(store, column)
    assert answers(store)[2:-2] == right[2:]
    assert store.care.check() == []


@pytest.mark.usefixtures("_unsampled")
@pytest.mark.parametrize("column", ["state", "mood_tags", "vector", "brief"])
def test_a_warm_service_has_read_the_files_of_filter_and_vector_indexes(home, caplog, column):
    store = open_store(home)
    right, paths = answers(store), files_of(store, column)
    store.close()
    for path in paths:
        flip_unseen(path)
    store = open_store(home)
    assert store.tracks.table.durable.exists()
    assert "cannot be used" not in caplog.text
    with MusicService(store, presets.load(None), SmallEncoder(), load_generator) as service:
        service.warm()
        assert caplog.text.count(f"the index of tracks.{column} cannot be used") == 1
        assert answers(store) == right
        caplog.clear()
        service.warm()
        assert caplog.text == ""


@pytest.mark.usefixtures("_unsampled")
def test_indexes_are_read_also_where_no_encoder_can_be_had(home, caplog):
    class Missing(SmallEncoder):
        def encode(self, texts):
            raise Unavailable("no weights here")

    store = open_store(home)
    flip_unseen(files_of(store, "state")[0])
    service = MusicService(store, presets.load(None), Missing(), load_generator)
    with pytest.raises(Unavailable, match="no weights here"):
        service.warm()
    assert "the index of tracks.state cannot be used" in caplog.text


def test_a_copied_home_trusts_its_indexes(home, caplog):
    note = home / "lance" / "tracks.indexes"
    before = note.read_bytes()
    store = open_store(home)
    for column in INDEXED:
        for path in files_of(store, column):
            os.utime(path)
    for _ in range(2):
        store = open_store(home)
        assert len(files_of(store, "state")) > 0
    assert "cannot be used" not in caplog.text
    assert note.read_bytes() != before  # the times of the files are noted, so that they are not read again
    assert store.tracks.table.durable.indexes.look_same()


@pytest.mark.parametrize("note", [None, b"altered"])
def test_without_a_note_the_files_are_looked_at(home, caplog, note):
    path = home / "lance" / "tracks.indexes"

    def forget() -> None:
        path.unlink() if note is None else path.write_bytes(note)

    store = open_store(home)
    right, gone = answers(store), files_of(store, "state")[0]
    store.close()
    forget()
    assert answers(open_store(home)) == right
    assert "cannot be used" not in caplog.text
    forget()
    gone.unlink()
    store = open_store(home)
    assert answers(store) == right
    assert index_problems(store) == {"tracks.state"}
    mend(store)


@pytest.mark.parametrize("column", INDEXED)
def test_a_compaction_goes_on_without_an_index_file(home, column):
    store = open_store(home)
    right = answers(store)[:-2]
    files_of(store, column)[0].unlink()
    add(store, "later")
    store.care.compact()
    durable = store.tracks.table.durable
    assert durable.marks.compacted == durable.head()
    store = open_store(home)
    assert answers(store)[2:-2] == right[2:]
    mend(store)
    assert files_of(store, column)


def compact_and_die(home: str) -> None:
    os.fsync = os.fdatasync = lambda descriptor: None
    schema.INDEX_ROWS = 50
    store = open_store(home)
    os.environ["CATALOG_FAILPOINT"] = "index.merged"
    add(store, "later")
    store.care.compact()


def test_an_index_that_nobody_noted_is_not_believed(tmp_path, monkeypatch):
    monkeypatch.setattr(
        maintenance, "EVERY_COMMITS", 1000
    )  # the writer that dies is the first to index filters
    home = tmp_path / "home"
    store = open_store(home)
    for number in range(60):
        add(store, f"t{number}", number, audio="one")
    assert finish(start(compact_and_die, str(home))) == [-9]
    before = TableFiles(home, "tracks").marks.acknowledged
    store = open_store(home)
    durable = store.tracks.table.durable
    assert durable.head() > before + 1  # the index was taken, and then dropped
    columns = {column for index in durable.table.list_indices() for column in index.columns}
    assert columns == {"words"}
    assert store.care.check() == []
    store.care.compact()
    assert len(durable.table.list_indices()) > 5
    assert len(store.tracks.list()) == 61


def log_and_die(home: str) -> None:
    os.fsync = os.fdatasync = lambda descriptor: None
    store = open_store(home)
    for name in ("r", "s"):
        store.requests.append(a_record(name))
    os.environ["CATALOG_FAILPOINT"] = "index.merged"
    store.care.compact()


def test_the_first_index_of_a_table_that_nobody_noted_is_not_believed(tmp_path):
    home = tmp_path / "home"
    assert finish(start(log_and_die, str(home))) == [-9]
    for path in (home / "lance" / "requests.lance" / "_indices").rglob("part_0_invert.lance"):
        content = path.read_bytes()
        path.write_bytes(bytes(512) + content[512:])
    assert {record.id for record, _ in open_store(home).requests.search_words("rain", 5)} == {"r", "s"}


def test_a_home_that_cannot_be_written_tells(home, caplog, monkeypatch):
    store = open_store(home)
    files_of(store, "state")[0].unlink()
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    store = Store.open(home, encoder=ENCODER, dimension=DIMENSION)
    assert len(store.tracks.table.search_words("rain", None, 400)) == ROWS
    assert "the index of tracks.state cannot be used" in caplog.text
    assert "make the folder writable" in caplog.text
