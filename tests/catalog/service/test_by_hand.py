"""A person's choice over the decision: use a track anyway, or turn it down."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from music_catalog.errors import NotFound
from music_catalog.history.feedback import CHOSEN_RATING
from music_catalog.reuse.calibration import _judged
from music_catalog.reuse.certificate import Bound, Certificate

RAIN = "Soft rain taps on the library windows while students read."
BATTLE = "The heroes storm the gate in a furious, chaotic battle."
SHORT = {"quality": "preview", "duration_s": 1.0, "backend": "procedural"}


@pytest.fixture
def filled(service):
    for text in (RAIN, BATTLE):
        service.generate(text, **SHORT)
    return service


def track_for(service, word):
    return next(track for track in service.store.tracks.list() if word in track.context)


def test_a_track_that_no_rule_would_serve_is_weighed_with_the_facts_it_misses(filled):
    track = track_for(filled, "rain")
    before = filled.store.requests.list()
    decision = filled.weigh(track.id, BATTLE)  # standard quality and 30 s by default
    (one,) = decision.candidates
    assert one.track_id == track.id
    assert decision.filter.min_quality == "standard"
    assert decision.filter.min_duration_s > track.duration_s
    assert filled.store.requests.list() == before
    filled.store.tracks.trash(track.id)
    with pytest.raises(NotFound, match="in the trash"):
        filled.weigh(track.id, BATTLE)


def test_a_chosen_track_is_served_logged_judged_and_served_again(filled):
    track = track_for(filled, "rain")
    result = filled.choose(track.id, BATTLE)
    assert (result.action, result.track.id, result.decision.rule) == ("reused", track.id, "chosen")
    line = filled.store.requests.list(id=result.request_id)[0]
    assert (line.rule, line.track_id, line.command) == ("chosen", track.id, "find-or-make")
    (judgement,) = filled.store.judgements.list()
    assert (judgement.verdict, judgement.rating, judgement.request_id) == ("rated", CHOSEN_RATING, line.id)
    assert filled.store.tracks.get(track.id).rating is None
    again = filled.find_or_make(BATTLE)
    assert (again.track.id, again.decision.rule) == (track.id, "exact")
    assert "your choice" in again.reason
    # It was no decision of the catalog, so that its share of wrong reuses does not count it.
    assert filled.statistics().false_reuse.judged == 0


def test_a_choice_wins_over_what_was_made_before_it_and_gives_way_to_what_is_made_after(filled):
    track = track_for(filled, "rain")
    assert filled.find_or_make(BATTLE, **SHORT).track.id == track_for(filled, "battle").id
    filled.choose(track.id, BATTLE, **SHORT)
    assert filled.find_or_make(BATTLE, **SHORT).track.id == track.id
    newer = filled.generate(BATTLE, **SHORT)
    assert filled.find_or_make(BATTLE, **SHORT).track.id == newer.track.id


def test_a_track_that_was_turned_down_is_not_served_until_it_is_chosen(filled):
    track = track_for(filled, "battle")
    assert filled.find_or_make(BATTLE, **SHORT).track.id == track.id
    judgement = filled.decline(track.id, BATTLE, **SHORT)
    assert (judgement.verdict, judgement.track_id) == ("rejected", track.id)
    line = filled.store.requests.list(id=judgement.request_id)[0]
    assert (line.command, line.action, line.track_id) == ("find", "none", track.id)
    assert filled.explain(BATTLE, **SHORT, log=False).track is None
    filled.choose(track.id, BATTLE, **SHORT)
    assert filled.find_or_make(BATTLE, **SHORT).track.id == track.id


def test_calibration_counts_what_people_chose_and_turned_down(filled):
    chosen, declined = track_for(filled, "rain"), track_for(filled, "battle")
    filled.choose(chosen.id, BATTLE)
    filled.decline(declined.id, RAIN)
    # The encoder of the tests has no certificate: lend the lines the numbers of one.
    lines = [
        line.model_copy(update={"probability": 0.8, "threshold": 0.7})
        for line in filled.store.requests.list(rules=("chosen",))
    ]
    base = Certificate.model_construct(
        made_at=datetime(2020, 1, 1, tzinfo=timezone.utc),
        bounds=(Bound(max_false_reuse=0.1, threshold=0.7),),
    )
    judged = _judged(base, filled.store.judgements.list(), lines)
    assert {(line.track_id, one.verdict) for line, one in judged} == {
        (chosen.id, "rated"),
        (declined.id, "rejected"),
    }
