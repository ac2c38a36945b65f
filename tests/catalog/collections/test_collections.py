"""Collections on disk: order, names, deletion with undo, damage, and backup."""

from __future__ import annotations

import threading

import pytest

from music_catalog.collections import files
from music_catalog.collections.collections import Collections
from music_catalog.errors import Damage, InputError, NotFound

KNOWN = ["a", "b", "c", "d"]


def resolve(ids):
    if unknown := [each for each in ids if each not in KNOWN]:
        raise NotFound(f"there is no track {unknown[0]!r}")
    return ids


@pytest.fixture
def own(tmp_path):
    (tmp_path / "locks").mkdir()
    return Collections(tmp_path, resolve)


def test_a_playlist_keeps_its_order_through_changes(own):
    playlist = own.create("Podcast", ["b", "a", "b"])
    assert playlist.track_ids == ("b", "a")
    assert own.add("podcast", ["d", "a", "c"]).track_ids == ("b", "a", "d", "c")
    assert own.move(playlist.id, ["c"], "b").track_ids == ("c", "b", "a", "d")
    assert own.move(playlist.id, ["c", "b"]).track_ids == ("a", "d", "c", "b")
    assert own.move(playlist.id, ["d", "c"], "c").track_ids == ("a", "d", "c", "b")
    assert own.remove(playlist.id, ["d"]).track_ids == ("a", "c", "b")
    assert own.replace(playlist.id, ["b", "d"]).track_ids == ("b", "d")
    assert own.get("Podcast").changed_at > playlist.changed_at
    with pytest.raises(NotFound, match="no track 'x'"):
        own.add(playlist.id, ["x"])
    with pytest.raises(InputError, match="not in the playlist"):
        own.move(playlist.id, ["b"], "a")


def test_names_are_told_apart_and_a_deleted_collection_comes_back(own):
    first = own.create("  Rainy \n days ")
    assert first.name == "Rainy days"
    with pytest.raises(InputError, match="choose another name"):
        own.save_search("rainy DAYS", "mood:calm")
    for wrong in ("", " ", "x" * 81):
        with pytest.raises(InputError):
            own.create(wrong)
    search = own.save_search("Calm", "mood:calm")
    assert (search.query, search.track_ids) == ("mood:calm", None)
    with pytest.raises(InputError, match="saved search"):
        own.add("Calm", ["a"])
    assert own.rename("calm", "CALM").name == "CALM"
    own.delete("CALM")
    assert [one.name for one in own.list()] == ["Rainy days"]
    with pytest.raises(NotFound, match="Rainy days"):
        own.get("Rainy")
    assert own.restore(search.id).id == search.id
    assert [one.name for one in own.list()] == ["CALM", "Rainy days"]
    own.delete("CALM")
    own.create("calm")
    with pytest.raises(InputError, match="already"):
        own.restore(search.id)


def test_threads_lose_no_change(own, tmp_path):
    playlist = own.create("Shared")
    others = [Collections(tmp_path, resolve) for _ in KNOWN]
    threads = [
        threading.Thread(target=other.add, args=(playlist.id, [each]))
        for other, each in zip(others, KNOWN, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(own.get("Shared").track_ids) == KNOWN


def test_a_damaged_file_is_told_left_out_and_set_aside(own, tmp_path):
    good, bad = own.create("Good"), own.create("Bad")
    path = tmp_path / "collections" / f"{bad.id}.json"
    path.write_bytes(path.read_bytes().replace(b"Bad", b"Sad"))
    with pytest.raises(Damage, match="checksum"):
        files.read(path)
    assert own.list() == [good]
    (relative,) = files.damaged(tmp_path)
    moved = files.move_damaged(tmp_path, relative)
    assert moved.is_file()
    assert not files.damaged(tmp_path)


def test_the_query_of_a_saved_search_changes_and_a_playlist_has_none(own):
    saved = own.save_search("Calm", "mood:calm", by="words")
    changed = own.change_search("calm", query="mood:calm rating:4..")
    assert (changed.id, changed.query, changed.by) == (saved.id, "mood:calm rating:4..", "words")
    assert own.change_search(saved.id, by="both", sort="rating").query == changed.query
    with pytest.raises(InputError, match="is a playlist"):
        own.change_search(own.create("Podcast", ["a"]).id, query="rain")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"query": "loop:maybe"}, "loop"),
        ({"query": "rating:9.."}, "between 1 and 5"),
        ({"query": "style:nope"}, "style"),
        ({"sort": "vibes"}, "cannot be sorted by 'vibes'"),
    ],
)
def test_a_search_that_cannot_be_used_is_refused_where_it_is_saved(service, wrong, said):
    own = service.collections
    with pytest.raises(InputError, match=said):
        own.save_search("Odd", **{"query": "rain", **wrong})
    own.save_search("Rain", "rain")
    with pytest.raises(InputError, match=said):
        own.change_search("Rain", **wrong)
    assert [(one.name, one.query) for one in own.list()] == [("Rain", "rain")]


def test_the_beginning_of_an_id_is_enough_to_move_and_to_remove_a_track(tmp_path):
    ids = {"aa1": "aa1x", "bb1": "bb1x", "cc1": "cc1x", **{one: one for one in ("aa1x", "bb1x", "cc1x")}}

    def whole(given):
        if unknown := [one for one in given if one not in ids]:
            raise NotFound(f"there is no track {unknown[0]!r}")
        return [ids[one] for one in given]

    (tmp_path / "locks").mkdir()
    own = Collections(tmp_path, whole)
    own.create("Walk", ["aa1", "bb1", "cc1"])
    assert own.move("Walk", ["cc1"], "bb1").track_ids == ("aa1x", "cc1x", "bb1x")
    del ids["bb1"], ids["bb1x"]  # purged, and still in the playlist
    assert own.move("Walk", ["bb1x"], "aa1").track_ids == ("bb1x", "aa1x", "cc1x")
    for change in (own.move, own.remove):
        with pytest.raises(NotFound, match="no track 'zz'"):
            change("Walk", ["zz"])
    assert own.remove("Walk", ["bb1x", "cc1"]).track_ids == ("aa1x",)


def test_an_id_finds_its_collection_though_another_is_called_so(own):
    one, other = own.create("one"), own.create("other")
    own.rename("one", other.id)
    own.rename(other.id, one.id)
    assert [(own.get(each.id).id, own.get(each.id).name) for each in (one, other)] == [
        (one.id, other.id),
        (other.id, one.id),
    ]
