from __future__ import annotations

import os
from collections import Counter

import pytest
from homes import stored

from music_catalog.errors import InputError
from music_catalog.integrations.queries import filter_from
from music_catalog.models import Filter
from music_catalog.search.query import Query, parse, require_words

MOODS = ("calm", "dark", "warm")


@pytest.fixture
def filled(service, monkeypatch):
    """A service whose catalog holds twelve tracks of several kinds."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    for number in range(12):
        summary = f"{('soft rain', 'a train', 'waves')[number % 3]} {number}"
        (vector,) = service.encoder.encode([summary])
        track = stored(
            service.store,
            f"t{number}",
            number,
            audio="one",
            encoder=service.encoder.identity,
            context=summary,
            summary=summary,
            prompt="",
            mood_tags=MOODS[: number % 4],
            style=("ambient_lofi", "jazz_lounge")[number % 2],
            environment=(None, "rain")[number % 2],
            rating=(None, 3, 5)[number % 3],
            duration_s=float(10 + number),
        )
        service.store.tracks.insert(track, vector)
    return service


def test_names_that_only_tracks_have_are_known_to_a_query(filled):
    assert filled.search("style:unsorted") == []
    with pytest.raises(InputError, match="style:of_before at character 1 is not valid"):
        filled.search("style:of_before")
    (vector,) = filled.encoder.encode(["rain"])
    names = {"style": "of_before", "role": "of_before", "backend": "of_before"}
    track = stored(filled.store, "old", audio="one", encoder=filled.encoder.identity, **names)
    filled.store.tracks.insert(track, vector)
    for field in ("style", "role", "by"):
        assert [hit.track.id for hit in filled.search(f"{field}:of_before")] == ["old"]
        assert ids(filled.browse(f"{field}:of_before").tracks) == ["old"]
        assert filter_from(f"{field}:of_before", filled).conditions[0].any_of == ("of_before",)
    assert filled.browse("befroe", by="words", narrow=True).meant == {"befroe": "before"}
    with pytest.raises(InputError, match="did you mean of_before"):
        filled.search("style:of_befor")


def ids(tracks):
    return [track.id for track in tracks]


def test_search_takes_the_query_language(filled):
    hits = filled.search("soft rain length:12..18 -rating:5")
    assert [hit.track.id for hit in hits][:2] in (["t3", "t6"], ["t6", "t3"])
    assert {hit.track.id for hit in hits} == {"t3", "t4", "t6", "t7"}
    assert {hit.track.id for hit in filled.search('"soft rain" mood:calm', by="words")} == {"t3", "t6", "t9"}
    assert [hit.track.id for hit in filled.search("style:jazz_lounge", limit=2)] == ["t11", "t9"]
    assert filled.search("rain style:jazz_lounge", style="ambient_lofi") == []
    assert ids(hit.track for hit in filled.search(Query(text="mood: calm"), limit=1))
    with pytest.raises(
        InputError, match=r"style:jaz_lounge at character 6 is not valid; did you mean jazz_lounge"
    ):
        filled.search("rain style:jaz_lounge")
    with pytest.raises(InputError, match="search text is empty"):
        filled.search(" ")


def test_a_query_made_in_python_keeps_all_of_its_filter(filled):
    query = Query(text="rain", where=Filter(mood=("calm",), state=None))
    assert {hit.track.id for hit in filled.search(query)} == {
        hit.track.id for hit in filled.search("rain mood:calm is:any")
    }
    assert filled.search(query, style="none") == []


def test_pages_have_totals_and_facets(filled):
    every = [filled.store.tracks.get(f"t{number}") for number in range(12)]
    page = filled.browse("", limit=5, offset=2)
    assert ids(page.tracks) == ["t9", "t8", "t7", "t6", "t5"]
    assert (page.total, page.scores) == (12, {})
    assert list(page.facets) == [
        "mood",
        "style",
        "role",
        "quality",
        "environment",
        "tag",
        "backend",
        "rating",
    ]
    assert page.facets["mood"] == {"calm": 9, "dark": 6, "none": 3, "warm": 3}
    assert page.facets["rating"] == {"3": 4, "5": 4, "none": 4}
    assert page.facets["environment"] == Counter(track.environment or "none" for track in every)
    narrow = filled.browse("mood:dark rating:4.. environment:none", sort="duration_s")
    wanted = [t for t in every if "dark" in t.mood_tags and t.rating == 5 and t.environment is None]
    assert ids(narrow.tracks) == ids(wanted)
    assert narrow.total == len(wanted) == sum(narrow.facets["style"].values())
    assert narrow.query == "mood:dark rating:4.. environment:none"


def test_facets_follow_the_table(filled):
    assert filled.browse("style:jazz_lounge", limit=0).facets["rating"]["5"] == 2
    filled.store.tracks.update("t1", rating=5)
    filled.store.tracks.trash("t5")
    assert filled.browse("style:jazz_lounge", limit=0).facets["rating"]["5"] == 2
    assert filled.browse("style:jazz_lounge is:any", limit=0).facets["rating"]["5"] == 3
    assert filled.browse("is:trashed").total == 1


class Forgetful(dict):
    """A dictionary that another thread clears as soon as a value is in it."""

    def __setitem__(self, key, value):
        self.clear()


def test_facets_are_returned_where_another_thread_forgets_them_at_once(filled, monkeypatch):
    monkeypatch.setattr(filled.store.tracks.table, "_counted", Forgetful())
    assert filled.browse("style:jazz_lounge", limit=0).total == 6


def test_a_page_of_a_search_comes_best_first(filled):
    whole = filled.browse("soft rain", limit=12)
    assert [whole.scores[track.id] for track in whole.tracks] == sorted(whole.scores.values(), reverse=True)
    assert ids(filled.browse("soft rain", limit=4, offset=3).tracks) == ids(whole.tracks)[3:7]
    assert whole.total == 12
    words = filled.browse("rain", by="words")
    assert words.total == 4 == len(words.tracks) == sum(words.facets["style"].values())
    both = filled.browse("rain mood:none", by="both")
    assert {track.id for track in both.tracks} == {"t0", "t4", "t8"}


@pytest.mark.parametrize("by", ["meaning", "words", "both"])
def test_a_search_that_narrows_leaves_out_what_has_nothing_to_do_with_it(filled, by):
    page = filled.browse("soft rain", by=by, narrow=True, limit=3)
    assert (page.total, len(page.tracks)) == (4, 3)
    assert page.facets["style"] == {"ambient_lofi": 2, "jazz_lounge": 2}
    rest = filled.browse("soft rain", by=by, narrow=True, limit=3, offset=3)
    assert {track.id for track in (*page.tracks, *rest.tracks)} == {"t0", "t3", "t6", "t9"}
    assert filled.browse("xyzzyqq plugh", by=by).total == (0 if by == "words" else 12)
    nothing = filled.browse("xyzzyqq plugh", by=by, narrow=True)
    assert (nothing.total, nothing.tracks) == (0, ())
    assert nothing.missing == ("xyzzyqq", "plugh")
    assert all(set(counts.values()) == set() for counts in nothing.facets.values())


def test_a_search_that_narrows_says_what_may_have_been_meant(filled):
    filled.store.tracks.update("t2", tags=["episode one"])
    slip = filled.browse("clam rain", by="both", narrow=True)
    assert (slip.missing, slip.meant) == (("clam",), {"clam": "calm"})
    assert slip.total == 4
    assert filled.browse("mood:clam", narrow=True).meant == {"mood:clam": "mood:calm"}
    filled.store.tracks.update("t2", title="The Kraken, the Lighthouse and a Mermaid")
    words = filled.browse("krakem lighthouze mermade", narrow=True)
    assert words.meant == {"krakem": "kraken", "lighthouze": "lighthouse", "mermade": "mermaid"}
    assert filled.browse("tag:episod_one", narrow=True).meant == {"tag:episod_one": "tag:episode one"}
    assert filled.browse("the rain is over", narrow=True).missing == ()
    assert filled.browse("mood:calm", narrow=True).total == 9


def test_tags_are_a_facet(filled):
    filled.store.tracks.update("t2", tags=["keep", "opening"])
    counted = filled.browse().facets["tag"]
    assert counted == {"none": 11, "keep": 1, "opening": 1}
    assert filled.browse("waves", by="words", narrow=True).facets["tag"] == {
        "none": 3,
        "keep": 1,
        "opening": 1,
    }


@pytest.mark.parametrize(
    "odd", [{"limit": -1}, {"offset": -1}, {"limit": 10_001}, {"limit": 9_000, "offset": 2_000}]
)
def test_pages_that_cannot_be(filled, odd):
    with pytest.raises(InputError, match="cannot be used"):
        filled.browse("rain", **odd)
    with pytest.raises(InputError, match="sorted by"):
        filled.browse("", sort="vector")
    with pytest.raises(InputError, match="search by"):
        filled.browse("rain", by="word")


def test_an_empty_catalog_has_empty_facets(service):
    page = service.browse("mood:calm")
    assert (page.total, page.tracks, page.facets["mood"]) == (0, (), {})


def test_lists_take_free_words_as_words_that_must_be_there(filled):
    where = require_words(parse('rain "soft rain" -mood:warm')).where
    assert sorted(ids(filled.store.tracks.list(where))) == ["t0", "t6", "t9"]
    assert require_words(parse("")).where == Filter()


def test_a_facet_is_counted_without_the_choice_in_it(filled):
    every = filled.browse("", limit=0).facets
    chosen = filled.browse("style:jazz_lounge rating:5 mood:calm", limit=0)
    calm = filled.browse("mood:calm rating:5", limit=0)
    assert chosen.facets["style"] == calm.facets["style"]
    assert len(chosen.facets["style"]) > 1
    assert chosen.facets["rating"] == filled.browse("mood:calm style:jazz_lounge", limit=0).facets["rating"]
    assert chosen.total < calm.total
    # Moods add up, so their counts are those within the choice; a range and a minus are no choice.
    assert filled.browse("mood:dark", limit=0).facets["mood"] != every["mood"]
    assert filled.browse("rating:4..", limit=0).facets["rating"] == {"5": every["rating"]["5"]}
    assert "jazz_lounge" not in filled.browse("-style:jazz_lounge", limit=0).facets["style"]
    assert filled.browse("by:procedural", limit=0).facets["backend"] == every["backend"]
