"""Playlists and saved searches of a remote home: every replica has them, and changes of several are all kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from music_catalog.collections.collections import Collections
from music_catalog.collections.shared import SharedFiles
from music_catalog.errors import Busy, InputError, NotFound


@pytest.fixture
def replica(blobs, tmp_path):
    """Return a function that opens the collections as one more replica; every track is in the catalog."""
    return lambda: Collections(tmp_path / "nothing here", lambda ids: ids, blobs)


def test_what_one_replica_keeps_another_has(replica, tmp_path):
    first, second = replica(), replica()
    first.create("Rainy evenings", ["a", "b"])
    first.save_search("Calm", "mood:calm")
    assert [one.name for one in second.list()] == ["Calm", "Rainy evenings"]
    second.add("rainy evenings", ["c"])
    second.move("rainy evenings", ["c"], "a")
    assert first.get("Rainy evenings").track_ids == ("c", "a", "b")
    with pytest.raises(InputError, match="there is a collection called"):
        second.create("calm", [])
    deleted = first.delete("Calm")
    with pytest.raises(NotFound):
        second.get("Calm")
    assert second.restore(deleted.id).query == "mood:calm"
    assert not (tmp_path / "nothing here").exists()


def test_changes_of_several_replicas_at_once_are_all_kept(replica):
    replica().create("All", [])
    with ThreadPoolExecutor(4) as threads:
        [*threads.map(lambda number: replica().add("All", [f"t{number}"]), range(12))]
    assert sorted(replica().get("All").track_ids) == sorted(f"t{number}" for number in range(12))


def test_a_change_of_a_replica_that_was_frozen_is_refused(replica, blobs):
    replica().create("All", [])
    frozen = SharedFiles(blobs)
    (before,) = frozen.whole()
    replica().add("All", ["a"])
    with pytest.raises(Busy, match="'All' was changed meanwhile"):
        frozen.write(before)
    assert replica().get("All").track_ids == ("a",)


def test_an_object_that_holds_no_collection_is_passed_over(replica, blobs, caplog):
    replica().create("Whole", [])
    blobs.put("collections/0123.json", b"{}")
    assert [one.name for one in replica().list()] == ["Whole"]
    assert "collections/0123.json is damaged" in caplog.text
