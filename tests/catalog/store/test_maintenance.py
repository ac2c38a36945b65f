"""Compaction beside what others do to a table and to its disk."""

from __future__ import annotations

import errno
from datetime import timedelta
from types import SimpleNamespace

import pytest
from homes import add, open_store

from music_catalog.disk import maintenance
from music_catalog.disk.table import DurableTable
from music_catalog.errors import StorageError


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(maintenance, "EVERY_COMMITS", 1)
    return open_store(tmp_path / "home")


class PanicException(BaseException):
    """Named as that of Lance's synchronous interface is."""


@pytest.mark.parametrize("place", ["_times_due", "_indexed", "mark_compacted"])
@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("lance error: LanceError(IO): Execution error"),
        OSError(errno.EIO, "Input/output error"),
        KeyError("version"),
        PanicException("called `Option::unwrap()` on a `None` value"),
    ],
)
def test_no_error_of_a_compaction_is_the_callers(store, monkeypatch, caplog, place, error):
    add(store, "before")

    def fail(*_):
        raise error

    monkeypatch.setattr(DurableTable if place == "mark_compacted" else maintenance, place, fail)
    track = add(store, "a", 1)
    assert "the tracks table was not compacted: its files cannot be read or written" in caplog.text
    assert "\n" not in caplog.records[-1].getMessage()
    monkeypatch.undo()
    assert store.tracks.get("a") == track
    store.care.compact()


def test_an_error_of_the_disk_in_a_compaction_that_was_asked_for_is_a_sentence(store, monkeypatch):
    add(store, "a")

    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(DurableTable, "mark_compacted", fail)
    with pytest.raises(StorageError, match=r"the tracks table cannot be compacted: .*Input/output error"):
        store.care.compact()


def test_a_tag_that_somebody_made_keeps_earlier_versions_and_is_told(store, monkeypatch, caplog):
    monkeypatch.setattr(maintenance, "KEEP_OLD", timedelta(milliseconds=1))
    tracks = [add(store, "t0")]
    durable = store.tracks.table.durable
    tags = durable.table.tags
    tags.create("mine", durable.head())
    tracks += [add(store, f"t{number}", number) for number in (1, 2, 3)]
    store.care.compact()
    assert (
        "are not removed, since tags of LanceDB name them: mine; delete a tag by `lancedb.con" in caplog.text
    )
    assert durable.marks.compacted == durable.head()  # the next commit does not compact again
    assert durable.opened_at(tags.list()["mine"]["version"]).count_rows() == 1
    tags.delete("mine")
    caplog.clear()
    store.care.compact()
    assert caplog.text == ""
    assert len(durable.versions()) <= 2
    assert store.tracks.list(order="created_at") == tracks


def test_a_compaction_goes_on_after_one_that_failed_when_lance_had_written(store, monkeypatch):
    monkeypatch.setattr(maintenance, "EVERY_COMMITS", 100)
    tracks = [add(store, f"t{number}", number) for number in range(3)]
    durable = store.tracks.table.durable

    def write(lance):
        lance.optimize()
        raise RuntimeError("the disk went away")

    with durable.locked(), pytest.raises(StorageError, match="went away"):
        durable.commit_locked("no compaction", write)
    assert durable.marks.acknowledged < durable.head()
    store.care.compact()
    assert durable.marks.acknowledged == durable.marks.compacted == durable.head()
    assert len(store.tracks.search_words("calm")) == len(tracks)
    assert store.care.check() == []


@pytest.mark.parametrize(
    ("rows", "commits"), [(0, 20), (1_000, 20), (2_000, 40), (2_500, 50), (10_000, 50), (100_000, 500)]
)
def test_small_tables_are_compacted_after_few_commits(rows, commits):
    """Each commit leaves a fragment, and every read opens each of them."""

    def times_due(head):
        return maintenance._times_due(
            SimpleNamespace(
                head=lambda: head,
                marks=SimpleNamespace(compacted=1),
                table=SimpleNamespace(count_rows=lambda: rows),
            )
        )

    assert times_due(commits) < 1 <= times_due(commits + 1)
