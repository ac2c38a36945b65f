"""The choice for a listener: inside what may be served, never the track just heard while another will do."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog.models import Candidate, Decision
from music_catalog.reuse.variety import COOLDOWN, Play, choose, offered

NOW = datetime(2026, 3, 4, 12, tzinfo=timezone.utc)
NAMES = tuple("abcdefghij")


def a_decision(*admissible, refused=(), **changes):
    """Return a decision whose candidates have scores falling from 0.9 in the order they are named."""
    candidates = [
        Candidate(
            track_id=name,
            style="s",
            summary="",
            similarity=0.9,
            mood_distance=0.0,
            score=round(0.9 - 0.02 * place, 2),
            admissible=name in admissible,
        )
        for place, name in enumerate((*admissible, *refused))
    ]
    values = {
        "action": "reuse" if admissible else "make",
        "rule": "similar" if admissible else "below_threshold",
        "reason": "",
        "threshold": 0.5,
        "track_id": admissible[0] if admissible else None,
        "candidates": candidates,
    }
    return Decision.model_validate({**values, **changes})


def plays_of(*names, hours=5.0):
    """Return plays of `names`, the last of them `hours` ago and each other one an hour before the next."""
    return [Play(name, NOW - timedelta(hours=hours + place)) for place, name in enumerate(reversed(names))]


def pick(decision, plays, **rest):
    return choose(decision, plays, NOW, **rest).track_id


def test_a_listener_who_heard_none_of_them_gets_the_best():
    decision = a_decision("a", "b", "c")
    assert choose(decision, [], NOW) is decision
    assert choose(decision, plays_of("x", "y"), NOW) is decision


def test_the_track_just_heard_rests_while_another_fits():
    chosen = choose(a_decision("a", "b", "c"), plays_of("a", hours=0.1), NOW)
    assert (chosen.rule, chosen.action, chosen.track_id, chosen.score) == ("varied", "reuse", "b", 0.88)
    assert pick(a_decision("a", "b", "c"), plays_of("a", "b", hours=0.1)) == "c"


def test_the_last_plays_rest_however_long_ago_as_many_as_the_share_says():
    few, many = a_decision(*NAMES[:2]), a_decision(*NAMES)
    day_ago = {"hours": 47.0}
    no_penalty = COOLDOWN.__class__(penalty=0.0)
    assert choose(few, plays_of("a", **day_ago), NOW, cooldown=no_penalty).track_id == "a"
    assert choose(many, plays_of("a", **day_ago), NOW, cooldown=no_penalty).track_id == "b"
    plays = plays_of(*"dcba", hours=40.0)
    assert choose(many, plays, NOW, cooldown=no_penalty).track_id == "e"
    assert choose(many, plays_of(*"edcba", hours=40.0), NOW, cooldown=no_penalty).track_id == "e"


def test_what_was_heard_often_stands_back_longer():
    decision = a_decision("a", "b")
    once, often = plays_of("a", hours=20.0), plays_of("a", "a", "a", "a", hours=20.0)
    assert pick(decision, once) == "b"
    assert pick(decision, plays_of("a", hours=60.0)) == "a"
    assert pick(decision, [*often, *plays_of("b", hours=30.0)]) == "b"
    assert pick(decision, plays_of("a", hours=24.0 * 6)) == "a"


def test_a_long_evening_plays_everything_in_turn():
    plays, order = [], []
    for minute in range(30):
        now = NOW + timedelta(minutes=30 * minute)
        order.append(choose(a_decision(*"abcdef"), plays, now).track_id)
        plays.append(Play(order[-1], now))
    assert all(len({*order[start : start + 4]}) == 4 for start in range(27))  # two hours without a repeat
    assert all(3 <= order.count(name) <= 7 for name in "abcdef")


def test_when_all_are_tired_a_variant_is_made_while_there_may_be_more():
    decision, plays = a_decision("a", "b", refused=("c",)), plays_of("a", "b", hours=0.1)
    chosen = choose(decision, plays, NOW)
    assert (chosen.action, chosen.rule, chosen.track_id, chosen.variant_of) == ("make", "variant", None, "a")
    assert "variant 1 of 3" in chosen.reason
    spent = choose(decision, plays, NOW, variants=("b", "c"), cooldown=COOLDOWN.__class__(variants=1))
    assert (spent.action, spent.rule, spent.track_id) == ("reuse", "least_recent", "a")
    assert "heard recently" in spent.reason
    assert pick(decision, plays, may_make=False) == "a"
    assert pick(decision, plays_of("b", "a", hours=0.1), may_make=False) == "b"


def test_a_repeat_takes_part_although_no_candidate_does():
    decision = a_decision(refused=("b",), action="reuse", rule="exact", track_id="mine", score=1.0)
    assert offered(decision, ["mine"]) == {"mine": 1.0}
    assert choose(decision, [], NOW, repeats=["mine"]) is decision
    tired = choose(decision, plays_of("mine", hours=1.0), NOW, repeats=["mine"])
    assert (tired.rule, tired.variant_of) == ("variant", "mine")
    other = choose(decision, plays_of("mine", hours=1.0), NOW, repeats=["mine", "take-2"])
    assert (other.rule, other.track_id, other.similarity) == ("varied", "take-2", 1.0)


def test_a_theme_keeps_its_track_while_it_may_be_served():
    decision, plays = a_decision("a", "b", refused=("c",)), plays_of("b", hours=0.1)
    kept = choose(decision, plays, NOW, theme="hero", theme_track="b")
    assert (kept.rule, kept.track_id, kept.reason) == ("theme", "b", "the track of the theme 'hero'")
    assert pick(decision, plays, theme="hero", theme_track="c") == "a"
    assert pick(decision, plays, theme="hero", theme_track=None) == "a"


def test_the_best_of_all_when_anything_may_be_served():
    decision = a_decision(refused=("a", "b"), action="reuse", rule="always", track_id="a", score=0.2)
    assert offered(decision) == {"a": 0.2}
    assert choose(decision, plays_of("a", hours=0.1), NOW, may_make=False).rule == "least_recent"


def test_probability_weighs_where_there_is_one():
    decision = a_decision("a", "b")
    candidates = [
        one.model_copy(update={"probability": chance})
        for one, chance in zip(decision.candidates, (0.91, 0.99), strict=True)
    ]
    decision = decision.model_copy(update={"candidates": tuple(candidates)})
    assert offered(decision) == {"a": 0.91, "b": 0.99}
    assert pick(decision, plays_of("b", hours=3.0)) == "a"


SUBSETS = st.lists(st.sampled_from(NAMES), unique=True, max_size=len(NAMES))
PLAYS = st.lists(
    st.builds(
        Play,
        st.sampled_from([*NAMES, "other"]),
        st.integers(-60, 10_000).map(lambda minutes: NOW - timedelta(minutes=minutes)),
    ),
    max_size=30,
)


@settings(max_examples=300, deadline=None)
@given(
    order=st.permutations(NAMES),
    split=st.integers(0, 10),
    repeats=SUBSETS,
    plays=PLAYS,
    variants=SUBSETS,
    may_make=st.booleans(),
    theme_track=st.none() | st.sampled_from([*NAMES, "other"]),
)
def test_the_choice_never_leaves_what_may_be_served(
    order, split, repeats, plays, variants, may_make, theme_track
):
    decision = a_decision(*order[:split], refused=order[split:])
    rest = {
        "repeats": repeats,
        "variants": variants,
        "may_make": may_make,
        "theme": "t",
        "theme_track": theme_track,
    }
    chosen = choose(decision, plays, NOW, **rest)
    admissible = {*order[:split], *repeats}
    if not admissible:
        assert chosen is decision
        return
    assert chosen == choose(decision, list(reversed(plays)), NOW, **rest)
    if chosen.rule == "variant":
        assert may_make
        assert chosen.track_id is None
        assert chosen.variant_of in admissible
        lately = {play.track_id for play in plays}
        assert admissible <= lately
        assert len(admissible & set(variants)) < COOLDOWN.variants
    elif chosen is not decision:
        assert chosen.action == "reuse"
        assert chosen.track_id in admissible
    assert chosen.candidates == decision.candidates
    if theme_track in admissible:
        assert chosen.track_id == theme_track


@pytest.mark.parametrize("rule", ["below_threshold", "no_candidate", "never", "uncertified"])
def test_a_miss_stays_a_miss(rule):
    miss = a_decision(refused=("a", "b"), rule=rule)
    assert choose(miss, plays_of("a", "b"), NOW, theme="t", theme_track="a") is miss


def test_music_is_ranked_by_its_chance_to_fit_and_a_scene_by_its_probability():
    decision = a_decision("a", "b", "c")
    music = {"a": (0.99, 0.5), "b": (0.90, 0.8), "c": (0.95, 0.6)}
    candidates = [
        one.model_copy(update={"worth": music[one.track_id][0], "fits": music[one.track_id][1]})
        for one in decision.candidates
    ]
    decision = decision.model_copy(update={"candidates": tuple(candidates)})
    assert pick(decision, plays_of("a", hours=0.1)) == "b"
    candidates[2] = candidates[2].model_copy(update={"same_scene": True})
    decision = decision.model_copy(update={"candidates": tuple(candidates)})
    assert offered(decision) == {"a": 0.5, "b": 0.8, "c": 0.95}
    assert pick(decision, plays_of("a", hours=0.1)) == "c"
