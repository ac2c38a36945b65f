"""Tracks of other scenes are reused when their music serves the text, with the shipped encoder and certificate."""

from __future__ import annotations

import pytest
from sample_texts import SHORT

from music_catalog import presets
from music_catalog.brief.vectors import DIMENSION
from music_catalog.text import encoder as encoders

STYLES = [*presets.load(None).styles]
PLAIN = (
    "The company was founded in 1921 and makes bearings for railway carriages at two plants in the north.",
    "The council voted 7 to 2 on Tuesday to move the bus depot to the old brickworks by 2028.",
    "The Treaty of Utrecht, signed in 1713, ended the War of the Spanish Succession.",
    "A federal state shares power between one central government and the governments of its regions.",
)
GRIEF = "We buried my brother on Friday. Nobody spoke on the way home, and his coat still hangs in the hall."
PANIC = (
    "She ran screaming down the burning corridor while the ceiling crashed behind her and the children cried."
)


@pytest.fixture
def service(open_service):
    return open_service(encoder=encoders.load(), min_similarity=None)


def test_one_plain_bed_serves_other_plain_texts(service):
    first = service.find_or_make(PLAIN[0], variety=1, **SHORT)
    assert first.action == "generated"
    for text in PLAIN[1:]:
        result = service.find_or_make(text, variety=1, **SHORT)
        assert (result.action, result.decision.rule) == ("reused", "music"), result.reason
        assert result.track.id == first.track.id
        assert "its music serves this text: " in result.reason
        assert result.similarity < 0.5


def test_it_serves_neither_grief_nor_panic(service):
    service.find_or_make(PLAIN[0], variety=1, **SHORT)
    for text in (GRIEF, PANIC):
        result = service.find_or_make(text, variety=1, dry_run=True, **SHORT)
        assert result.action == "none", result.reason
        assert result.decision.rule == "below_threshold"


def test_what_was_served_by_its_music_is_served_again_at_once(service):
    service.find_or_make(PLAIN[0], variety=1, **SHORT)
    served = service.find_or_make(PLAIN[1], variety=1, **SHORT)
    (line,) = service.store.requests.list(rule="music")
    assert (line.track_id, line.threshold) == (served.track.id, served.decision.threshold)
    assert line.probability >= line.threshold
    again = service.find_or_make(PLAIN[1], variety=1, **SHORT)
    assert (again.decision.rule, again.track.id) == ("exact", served.track.id)
    assert again.request.style == served.request.style
    service.reject(served.track.id, request_id=again.request_id)
    assert service.find_or_make(PLAIN[1], variety=1, dry_run=True, **SHORT).action == "none"


def test_the_scene_alone_is_reached_where_the_caller_says_so(service):
    service.find_or_make(PLAIN[0], **SHORT)
    assert service.find(PLAIN[1], reach="scene", **SHORT) is None
    assert service.find(PLAIN[1], variety=1, **SHORT) is not None


def test_a_catalog_grows_until_enough_tracks_serve(service):
    results = [service.find_or_make(text, variety=20, **SHORT) for text in PLAIN]
    assert {result.decision.rule for result in results} <= {"no_candidate", "growth", "music"}
    always = service.find_or_make(GRIEF, reuse="always", dry_run=True, **SHORT)
    assert always.track is not None


def test_earlier_tracks_get_brief_vectors_on_the_first_search_that_needs_them(
    service, open_service, monkeypatch
):
    monkeypatch.setattr("music_catalog.service.choice.found.CANDIDATES", 1)
    first = service.find_or_make(PLAIN[0], variety=1, **SHORT)
    service.find_or_make(PANIC, variety=1, **SHORT)
    kind = service._flow.music.of_track(first.track).kind
    service.store.tracks.put_briefs("", {first.track.id: [1.0] * DIMENSION})
    assert [track.id for track in service.store.tracks.without_brief(kind, STYLES)] == [first.track.id]
    later = open_service(encoder=encoders.load(), min_similarity=None)
    later.find("The corridor burned, and she wrote a plain report of it for the council.", variety=1, **SHORT)
    assert later.store.tracks.without_brief(kind, STYLES) == []
