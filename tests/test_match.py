from __future__ import annotations

import pytest
from builders import a_request, a_track, some_features
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog import match
from catalog.match import decide, exact, hard_facts, weigh
from catalog.models import Choices, Context, Filter, QualityName

CALM = some_features()


def test_a_close_match_in_topic_and_mood_is_reused():
    decision = decide(a_request(), [(a_track(), 0.9)])
    assert (decision.action, decision.rule, decision.track_id) == ("reuse", "similar", "a")
    assert decision.similarity == 0.9


def test_the_opposite_mood_is_refused_at_any_similarity():
    panic = a_track(mood_tags=("scary", "chaotic"), valence=-0.8, energy=0.9)
    decision = decide(a_request(), [(panic, 0.99)])
    assert (decision.action, decision.rule, decision.track_id) == ("make", "below_threshold", None)
    assert "opposite mood" in decision.reason


def test_a_worse_cosine_with_the_right_mood_beats_a_better_one_with_the_wrong_mood():
    panic = a_track(id="panic", mood_tags=("scary",), valence=-0.8, energy=0.6)
    calm = a_track(id="calm")
    assert decide(a_request(), [(panic, 0.95), (calm, 0.8)]).track_id == "calm"


def test_another_place_or_time_costs_and_an_unknown_one_does_not():
    wanted = a_request(features=some_features(environment="forest", time_of_day="night"))
    same = weigh(wanted, a_track(environment="forest", time_of_day="night"), 0.8)
    unknown = weigh(wanted, a_track(), 0.8)
    other = weigh(wanted, a_track(environment="city", time_of_day="dawn"), 0.8)
    assert same.score == unknown.score
    assert other.score == pytest.approx(same.score - match.PLACE_COST - match.TIME_COST)
    assert len(other.against) == 2


def test_ties_go_to_the_older_id_whatever_the_order():
    hits = [(a_track(id="b"), 0.9), (a_track(id="a"), 0.9)]
    assert decide(a_request(), hits).track_id == decide(a_request(), hits[::-1]).track_id == "a"


@pytest.mark.parametrize(
    ("reuse", "similarity", "action", "rule"),
    [
        ("auto", 0.1, "make", "below_threshold"),
        ("always", 0.1, "reuse", "always"),
        ("never", 0.99, "make", "never"),
    ],
)
def test_the_callers_policy(reuse, similarity, action, rule):
    decision = decide(a_request(), [(a_track(), similarity)], reuse=reuse)
    assert (decision.action, decision.rule) == (action, rule)


def test_no_candidate_is_said_so_even_when_always_is_asked():
    assert decide(a_request(), [], reuse="always").rule == "no_candidate"


@given(similarity=st.floats(-1, 1), threshold=st.floats(-1, 1))
@settings(max_examples=100, deadline=None)
def test_auto_reuses_exactly_at_and_above_the_threshold(similarity, threshold):
    decision = decide(a_request(), [(a_track(), similarity)], threshold=threshold)
    assert (decision.action == "reuse") == (decision.score >= threshold)


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 1)), min_size=1, max_size=8),
    st.randoms(),
)
@settings(max_examples=60, deadline=None)
def test_the_decision_does_not_depend_on_the_order_of_the_hits(rows, random):
    hits = [
        (a_track(id=f"t{i}", valence=valence, energy=energy), similarity)
        for i, (valence, energy, similarity) in enumerate(rows)
    ]
    shuffled = random.sample(hits, len(hits))
    assert decide(a_request(), hits) == decide(a_request(), shuffled)


def test_hard_facts_of_a_one_shot():
    facts = hard_facts(a_request())
    assert facts == Filter(
        role="background_bed",
        min_quality="standard",
        min_model_rank=0,
        min_duration_s=9.0,
        max_duration_s=11.0,
    )


def test_a_loop_may_have_any_length_but_must_loop():
    facts = hard_facts(a_request(config={"loopable": True}))
    assert (facts.loopable, facts.min_duration_s, facts.max_duration_s) == (True, None, None)


def test_short_sounds_get_half_a_second_of_tolerance():
    facts = hard_facts(a_request(config={"duration_s": 1.0}))
    assert (facts.min_duration_s, facts.max_duration_s) == (0.5, 1.5)


def test_what_the_caller_names_is_a_fact_and_what_was_inferred_is_not():
    named = a_request(
        choices=Choices(preset="jazz_lounge"),
        context=Context(text="x", environment="cave", time_of_day="night"),
    )
    facts = hard_facts(named)
    assert (facts.style, facts.environment, facts.time_of_day) == ("jazz_lounge", "cave", "night")
    inferred = hard_facts(a_request(features=some_features(environment="cave")))
    assert (inferred.style, inferred.environment) == (None, None)


@pytest.mark.parametrize(
    ("backend", "size", "rank"), [("procedural", "large", 0), ("mlx", "small", 1), ("mlx", "large", 3)]
)
def test_a_lower_model_than_the_request_would_use_is_not_offered(backend, size, rank):
    assert hard_facts(a_request(config={"backend": backend, "size": size})).min_model_rank == rank


@pytest.mark.parametrize("quality", QualityName.__args__)
def test_quality_is_a_floor(quality):
    assert hard_facts(a_request(quality=quality)).min_quality == quality


def test_an_exact_repeat_needs_no_score():
    assert exact(a_track()).rule == "exact"
    assert exact(a_track()).similarity == 1.0
