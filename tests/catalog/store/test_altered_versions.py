"""Versions that read to their end and yet hold altered rows, and manifests under a number that is not theirs."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from homes import a_record, add, finish, open_store, start, vector_of

from music_catalog.brief import vectors as briefs
from music_catalog.disk import maintenance, table
from music_catalog.disk.lance import Connection
from music_catalog.disk.versions import TableFiles, manifest_path
from music_catalog.errors import Damage
from music_catalog.generator.audio import timbre
from music_catalog.store import audit, rows
from music_catalog.store.store import Store

ROWS, PAGE_BYTES = 30, 4096


@pytest.fixture(autouse=True)
def _no_sync(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: None, raising=False)


def tracks_of(home: Path) -> TableFiles:
    return TableFiles(home, "tracks")


def newest_data(home: Path) -> Path:
    folder = home / "lance" / "tracks.lance" / "data"
    return max(folder.glob("*.lance"), key=lambda path: path.stat().st_mtime_ns)


def ids(store: Store) -> set[str]:
    return {track.id for track in store.tracks.list()}


def faults(store: Store) -> list[str]:
    return [problem.detail for problem in audit.read_through(store.home, store.tracks.table, deep=True)]


def alter(path: Path, old: bytes, new: bytes, *, last: bool = False) -> None:
    content = path.read_bytes()
    place = content.rfind(old) if last else content.find(old)
    assert place >= 0
    path.write_bytes(content[:place] + new + content[place + len(new) :])


def write_and_die(home: str, failpoint: str) -> None:
    """Make `ROWS` tracks, compact, then add one and compact again; die at `failpoint`."""
    os.fsync = os.fdatasync = lambda descriptor: None
    store = open_store(home)
    for number in range(ROWS):
        add(store, f"t{number}", number)
    os.environ["CATALOG_FAILPOINT"] = failpoint
    store.care.compact()
    add(store, "last", ROWS)


@pytest.fixture(scope="module")
def compacted(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("compacted") / "home"
    assert finish(start(write_and_die, str(home), "compact.merged:1")) == [-9]
    return home


@pytest.mark.parametrize("part", range(3))
def test_any_zero_page_of_a_compaction_that_nobody_noted_loses_nothing(compacted, tmp_path, part):
    data, set_aside = newest_data(compacted), 0
    for place in range(part * PAGE_BYTES, data.stat().st_size, 3 * PAGE_BYTES):
        home = tmp_path / str(place)
        shutil.copytree(compacted, home)
        content = bytearray(data.read_bytes())
        content[place : place + PAGE_BYTES] = bytes(len(content[place : place + PAGE_BYTES]))
        (home / data.relative_to(compacted)).write_bytes(content)
        store = open_store(home)
        assert len(ids(store)) == ROWS, place
        assert faults(store) == [], place
        set_aside += (home / "lance" / "damaged").is_dir()
        add(store, "later")
        assert len(ids(open_store(home))) == ROWS + 1
        shutil.rmtree(home)
    assert set_aside


def test_a_row_that_was_altered_before_costs_no_later_version(compacted, tmp_path, caplog):
    home = tmp_path / "home"
    add(open_store(home), "a")
    alter(newest_data(home), b"the context of a", b"THE", last=True)
    assert finish(start(add_and_die, str(home), "b")) == [-9]
    store = open_store(home)
    assert "do not match their checksums" in caplog.text
    assert not (home / "lance" / "damaged").exists()
    assert ids(store) == {"b"}
    assert len(faults(store)) == 1


def add_and_die(home: str, name: str) -> None:
    os.fsync = os.fdatasync = lambda descriptor: None
    os.environ["CATALOG_FAILPOINT"] = "row.merged"
    add(open_store(home), name)


@pytest.mark.parametrize("what", ["record", "vector", "column"])
def test_a_row_that_nobody_noted_and_that_is_altered_goes(tmp_path, what):
    home = tmp_path / "home"
    add(open_store(home), "a")
    assert finish(start(add_and_die, str(home), "b")) == [-9]
    data = newest_data(home)
    vector = rows.unit_vector(vector_of("b")).tobytes()
    if what == "vector":
        alter(data, vector, bytes(4))
    else:
        alter(data, b"the context of b", b"THE", last=what == "record")
    store = open_store(home)
    assert (home / "lance" / "damaged").is_dir()
    assert ids(store) == {"a"}
    assert faults(store) == []


def test_without_a_note_only_a_version_with_more_intact_rows_is_gone_back_to(tmp_path):
    home = tmp_path / "home"
    store = open_store(home)
    for name in ("a", "b", "c"):
        add(store, name)
    altered = newest_data(home)
    add(store, "d")
    alter(altered, b"the context of c", b"THE", last=True)
    (home / "lance" / "tracks.acked").unlink()
    assert ids(open_store(home)) == {"a", "b", "d"}
    store = open_store(home)
    store.care.compact()
    compacted = tracks_of(home).head()
    (home / "lance" / "tracks.acked").unlink()
    alter(newest_data(home), b"the context of a", b"THE", last=True)
    store = open_store(home)
    assert ids(store) == {"a", "b", "d"}
    assert tracks_of(home).head() < compacted


def test_lines_of_logs_are_checked_too(tmp_path):
    home = tmp_path / "home"
    store = open_store(home)
    add(store, "a")
    store.requests.append(a_record("first"))
    assert [record.id for record in store.requests.list()] == ["first"]
    assert finish(start(log_and_die, str(home))) == [-9]
    folder = home / "lance" / "requests.lance" / "data"
    alter(max(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns), b"calm rain", b"CALM")
    assert [record.id for record in open_store(home).requests.list()] == ["first"]
    assert [*(home / "lance" / "damaged").glob("requests-*")]


def log_and_die(home: str) -> None:
    os.fsync = os.fdatasync = lambda descriptor: None
    os.environ["CATALOG_FAILPOINT"] = "log.merged"
    open_store(home).requests.append(a_record("second"))


def test_an_ordinary_opening_reads_a_few_rows(tmp_path, caplog):
    home = tmp_path / "home"
    store = open_store(home)
    add(store, "a")
    alter(newest_data(home), b"the context of a", b"THE", last=True)
    assert finish(start(opening_warns, str(home))) == [0]


def opening_warns(home: str) -> None:
    import logging

    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("music_catalog").addHandler(handler)
    for _ in range(2):
        open_store(home).tracks.count()
    assert lines == [
        "1 of 1 rows read from the tracks table do not match their checksums; run `catalog doctor`"
    ]


# A compaction is read back


@pytest.mark.parametrize("part", range(2))
def test_a_compaction_that_does_not_read_as_it_should_does_not_count(tmp_path, monkeypatch, part):
    home = tmp_path / "home"
    store = open_store(home)
    for number in range(ROWS):
        add(store, f"t{number}", number)
    monkeypatch.setattr(maintenance, "KEEP_OLD", timedelta(milliseconds=1))

    def tear(files: object) -> None:
        content = bytearray(newest_data(home).read_bytes())
        place = (len(content) // PAGE_BYTES // 2 + part) * PAGE_BYTES
        content[place : place + PAGE_BYTES] = bytes(PAGE_BYTES)
        newest_data(home).write_bytes(content)

    monkeypatch.setattr(table, "evict", tear)
    before = tracks_of(home).head()
    with pytest.raises(Damage, match=f"cannot be compacted: .* version {before} stays"):
        store.care.compact()
    assert tracks_of(home).head() == tracks_of(home).marks.acknowledged == before
    monkeypatch.setattr(table, "evict", lambda files: None)
    for opened in (store, open_store(home)):
        assert len(ids(opened)) == ROWS
        assert faults(opened) == []
    add(store, "later")
    store.care.compact()
    assert len(ids(open_store(home))) == ROWS + 1
    assert faults(store) == []


@pytest.mark.parametrize("changed", [[], ["t5"], ["t5", "t1", "t6"]])
def test_rows_are_compared_across_the_ends_of_files_in_any_order(tmp_path, monkeypatch, changed):
    monkeypatch.setattr(maintenance, "_CHUNK_ROWS", 3)
    store = open_store(tmp_path / "home")
    for number in range(4):
        add(store, f"t{number}", number)
    store.care.compact()
    for number in range(4, 8):
        add(store, f"t{number}", number)
    for name in changed:
        store.tracks.update(name, rating=3)
    store.tracks.trash("t3")
    store.care.purge()
    durable = store.tracks.table.durable
    before = durable.head()
    store.care.compact()
    compacted = durable.head()
    store.tracks.update("t5", note="another")
    one, two, three = (durable.opened_at(version) for version in (before, compacted, durable.head()))
    assert one.stats()["fragment_stats"]["num_fragments"] > two.stats()["fragment_stats"]["num_fragments"]
    assert maintenance._same_rows(one, two)
    assert not maintenance._same_rows(two, three)
    assert not maintenance._same_rows(three, two)
    assert not maintenance._same_rows(two, durable.opened_at(before - 2))
    assert [len(chunk) for chunk in maintenance._chunks(two)] == [3, 3, 1]


def test_a_compaction_that_moves_rows_counts(tmp_path, caplog):
    store = open_store(tmp_path / "home")
    for number in range(3):
        add(store, f"t{number}", number)
    store.care.compact()
    add(store, "t3", 3)
    for name in ("t3", "t0", "t1"):
        store.tracks.update(name, rating=4)
        store.care.compact()
        durable = store.tracks.table.durable
        assert durable.marks.compacted == durable.head()
    assert not (store.home / "lance" / "damaged").exists()
    assert len(ids(store)) == 4


@pytest.mark.parametrize("damage", ["empty", "cut", "hole"])
def test_a_damaged_earlier_manifest_does_not_stop_compaction(tmp_path, caplog, damage):
    home = tmp_path / "home"
    store = open_store(home)
    for name in ("a", "b", "c"):
        add(store, name)
    manifest = manifest_path(home / "lance" / "tracks.lance", tracks_of(home).head() - 1)
    content = manifest.read_bytes()
    altered = {"empty": b"", "cut": content[:-100], "hole": content[:100] + bytes(200) + content[300:]}
    manifest.write_bytes(altered[damage])
    store.care.compact()
    assert "of the tracks table is damaged and is set aside" in caplog.text
    assert ids(open_store(home)) == {"a", "b", "c"}
    assert tracks_of(home).marks.compacted == tracks_of(home).head()


# A manifest under another number


@pytest.mark.parametrize("back", [0, 1, 2])
@pytest.mark.parametrize("by", ["a later process", "a process that has the table open"])
def test_a_manifest_copied_to_a_later_number_hides_no_row(tmp_path, back, by):
    home = tmp_path / "home"
    store = open_store(home)
    for name in ("a", "b"):
        add(store, name)
    head = tracks_of(home).head()
    folder = home / "lance" / "tracks.lance"
    shutil.copy(manifest_path(folder, head - back), manifest_path(folder, head + 3))
    store = store if "open" in by else open_store(home)
    add(store, "c")
    for opened in (store, open_store(home)):
        assert ids(opened) == {"a", "b", "c"}
    assert tracks_of(home).head() == tracks_of(home).marks.acknowledged == head + 1
    assert [*(home / "lance" / "damaged").glob(f"tracks-{head + 3}-*")]


def test_a_manifest_copied_over_the_noted_one_is_told(tmp_path, caplog):
    home = tmp_path / "home"
    store = open_store(home)
    for name in ("a", "b"):
        add(store, name)
    head = tracks_of(home).head()
    folder = home / "lance" / "tracks.lance"
    shutil.copy(manifest_path(folder, head - 1), manifest_path(folder, head))
    assert ids(open_store(home)) == {"a"}
    assert f"lost its acknowledged version {head}" in caplog.text


# What vouches for a row


def test_every_row_of_a_healthy_table_is_intact(tmp_path):
    store = open_store(tmp_path / "home")
    add(store, "a")
    add(store, "b", tempo_bpm=None, mood_tags=("calm", "warm"), note="mine")
    store.tracks.put_sounds({"a": np.ones(timbre.DIMENSION)})
    store.tracks.put_briefs("kind", {"b": np.ones(briefs.DIMENSION)})
    store.requests.append(a_record("first"))
    store.requests.list()
    for name in ("tracks", "requests"):
        for batch in Connection(tmp_path / "home" / "lance").connect().open_table(name).search().to_batches():
            assert None not in rows.intact_ids(batch)


def test_text_that_is_no_unicode_is_an_altered_row(tmp_path):
    store = open_store(tmp_path / "home")
    for name in ("a", "b"):
        add(store, name)
    batch = store.tracks.table.durable.table.search().limit(None).to_arrow().combine_chunks().to_batches()[0]
    place = batch.schema.get_field_index("context")
    lengths = np.array([0, 2, 18], dtype=np.int32).tobytes()
    text = pa.StringArray.from_buffers(2, pa.py_buffer(lengths), pa.py_buffer(b"\xff\xfethe context of b"))
    altered = batch.set_column(place, batch.schema.field(place), text)
    ids = [each["id"] for each in batch.to_pylist()]
    assert rows.intact_ids(batch) == ids
    assert rows.intact_ids(altered) == [each if each == "b" else None for each in ids]
