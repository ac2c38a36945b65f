from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest
from builders import a_request, a_track, some_features
from homes import a_record
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog.models import Choices, Context, Filter, QualityName
from music_catalog.reuse import weighing
from music_catalog.reuse.certificate import Bound, Certificate
from music_catalog.reuse.decision import decide, exact
from music_catalog.reuse.evidence import COPIED, Card, evidence
from music_catalog.reuse.facts import alone, hard_facts, in_words
from music_catalog.reuse.terms import Terms
from music_catalog.reuse.weighing import weigh
from music_catalog.search.filters import QUALITY_RANK

CALM = some_features()
BY_SCORE = Terms(min_similarity=0.55)
WEIGHTS = {
    "topic": -2.0,
    "similarity": 8.0,
    "other_environment": -1.5,
    "other_time": -0.5,
    "mood": 4.0,
    "mood_distance": -8.0,
    "exchanged": -3.0,
}
CERTIFICATE = Certificate(
    id="c1",
    made_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
    source="a test",
    source_sha256="0",
    shipped_sha256="0",
    encoder="test",
    features="test",
    scenes=1,
    weights=WEIGHTS,
    bounds=(
        Bound(max_false_reuse=0.05, threshold=0.95),
        Bound(max_false_reuse=0.1, threshold=0.9),
        Bound(max_false_reuse=0.3, threshold=None),
    ),
)
CERTIFIED = Terms(certificate=CERTIFICATE)


def test_a_close_match_in_topic_and_mood_is_reused():
    decision = decide(a_request(), [(a_track(), 0.9)], BY_SCORE)
    assert (decision.action, decision.rule, decision.track_id) == ("reuse", "similar", "a")
    assert decision.similarity == 0.9


def test_the_opposite_mood_is_refused_at_any_similarity():
    panic = a_track(mood_tags=("scary", "chaotic"), valence=-0.8, energy=0.9)
    decision = decide(a_request(), [(panic, 0.99)], BY_SCORE)
    assert (decision.action, decision.rule, decision.track_id) == ("make", "below_threshold", None)
    assert "opposite mood" in decision.reason


def test_a_worse_cosine_with_the_right_mood_beats_a_better_one_with_the_wrong_mood():
    panic = a_track(id="panic", mood_tags=("scary",), valence=-0.8, energy=0.6)
    calm = a_track(id="calm")
    assert decide(a_request(), [(panic, 0.95), (calm, 0.8)], BY_SCORE).track_id == "calm"


def test_another_place_or_time_costs_and_an_unknown_one_does_not():
    wanted = a_request(features=some_features(environment="forest", time_of_day="night"))
    same = weigh(wanted, a_track(environment="forest", time_of_day="night"), 0.8, BY_SCORE)
    unknown = weigh(wanted, a_track(), 0.8, BY_SCORE)
    other = weigh(wanted, a_track(environment="city", time_of_day="dawn"), 0.8, BY_SCORE)
    assert same.score == unknown.score
    assert other.score == pytest.approx(same.score - weighing.PLACE_COST - weighing.TIME_COST)
    assert len(other.against) == 2


def test_ties_go_to_the_older_id_whatever_the_order():
    hits = [(a_track(id="b"), 0.9), (a_track(id="a"), 0.9)]
    assert (
        decide(a_request(), hits, BY_SCORE).track_id
        == decide(a_request(), hits[::-1], BY_SCORE).track_id
        == "a"
    )


@pytest.mark.parametrize(
    ("reuse", "similarity", "action", "rule"),
    [
        ("auto", 0.1, "make", "below_threshold"),
        ("always", 0.1, "reuse", "always"),
        ("never", 0.99, "make", "never"),
    ],
)
def test_the_callers_policy(reuse, similarity, action, rule):
    decision = decide(a_request(), [(a_track(), similarity)], Terms(reuse, 0.55))
    assert (decision.action, decision.rule) == (action, rule)


def test_no_candidate_is_said_so_even_when_always_is_asked():
    assert decide(a_request(), [], Terms("always")).rule == "no_candidate"


def test_an_empty_catalog_is_not_said_to_fail_hard_facts():
    assert decide(a_request(), [], Terms()).reason == "the catalog has no tracks to reuse"


def test_where_no_track_meets_the_hard_facts_the_reason_names_them():
    facts = hard_facts(a_request(config={"duration_s": 30.0}))
    reason = decide(a_request(), [], Terms(), facts=facts, considered=2).reason
    assert reason.startswith("no track in the catalog meets the hard facts: background_bed, ")
    assert reason.endswith("27 to 33 s")
    loop = Filter(role="loop_bed", min_quality="final", min_model_rank=2, loopable=True, license="commercial")
    words = "loop_bed, final or better, a model as large or larger, licensed for commercial use, a loop"
    assert in_words(loop) == words
    assert in_words(hard_facts(a_request(config={"duration_s": 0.1}))).endswith(" 0 to 0.6 s")
    rejected = decide(a_request(), [], Terms(), facts=facts, considered=2, rejected=1).reason
    assert rejected == "each track that meets the hard facts was rejected for this request or one near it"


def test_a_score_just_below_the_minimum_does_not_read_as_if_it_reached_it():
    decision = decide(a_request(), [(a_track(), 0.798)], Terms(min_similarity=0.8))
    assert "score 0.79 (" in decision.reason
    assert decision.reason.endswith("0.80 needed")


@given(similarity=st.floats(-1, 1), threshold=st.floats(-1, 1))
@settings(max_examples=100, deadline=None)
def test_auto_reuses_exactly_at_and_above_the_threshold(similarity, threshold):
    decision = decide(a_request(), [(a_track(), similarity)], Terms(min_similarity=threshold))
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
    for terms in (CERTIFIED, BY_SCORE, Terms()):
        assert decide(a_request(), hits, terms) == decide(a_request(), shuffled, terms)


def test_hard_facts_of_a_one_shot():
    facts = hard_facts(a_request())
    assert facts == Filter(
        role="background_bed",
        min_quality="standard",
        min_model_rank=0,
        min_duration_s=9.0,
        max_duration_s=11.0,
        whole_pieces=True,
    )
    assert not hard_facts(a_request(choices=Choices(duration_s=10.0))).whole_pieces


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
    told = {"similar": "by a close match", "music": "by its music", "chosen": "by your choice"}
    for rule, words in told.items():
        line = a_record("one", rule=rule)
        assert exact(a_track(), line).reason == f"the same request was served before, {words}"


def test_the_certificate_gives_the_threshold_for_the_wanted_rate():
    thresholds = [
        Terms(max_false_reuse=rate, certificate=CERTIFICATE).threshold
        for rate in (0.01, 0.05, 0.07, 0.1, 0.5)
    ]
    assert thresholds == [None, 0.95, 0.95, 0.9, 0.9]


@given(similarity=st.floats(-1, 1), valence=st.floats(-1, 1), energy=st.floats(-1, 1))
@settings(max_examples=200, deadline=None)
def test_a_track_is_reused_exactly_when_its_probability_reaches_the_threshold(similarity, valence, energy):
    track = a_track(valence=valence, energy=energy)
    decision = decide(a_request(), [(track, similarity)], CERTIFIED)
    (candidate,) = decision.candidates
    fits = candidate.probability >= 0.9 and candidate.mood_distance <= weighing.OPPOSITE_MOOD_DISTANCE
    assert candidate.admissible == fits == (decision.action == "reuse")
    assert (decision.threshold, decision.certificate) == (0.9, "c1")


@given(
    similarity=st.floats(-1, 0.9),
    nearer=st.floats(0, 0.1),
    valence=st.floats(-1, 0.3),
    step=st.floats(0, 0.1),
)
@settings(max_examples=200, deadline=None)
def test_a_nearer_text_or_a_nearer_mood_is_never_less_likely_to_fit(similarity, nearer, valence, step):
    def fits(valence, similarity):
        return weigh(a_request(), a_track(valence=valence, mood_tags=()), similarity, CERTIFIED).probability

    assert fits(valence, similarity) <= fits(valence, similarity + nearer) + 1e-4
    assert fits(valence, similarity) <= fits(min(0.4, valence + step), similarity) + 1e-4


def test_words_exchanged_between_near_copies_speak_against_a_track():
    context = Context(text="A calm evening by the harbour, slow waves, a peaceful mood and a warm lamp.")
    turned = "A chaotic evening by the harbour, slow waves, an angry mood and a warm lamp."
    wanted = a_request(context=context)
    same, other = (weigh(wanted, a_track(context=text), 0.97, CERTIFIED) for text in (context.text, turned))
    assert same.evidence["exchanged"] == 0
    assert other.evidence["exchanged"] > 0.4
    assert same.admissible
    assert not other.admissible
    assert "exchanged" in other.against[-1]


def test_without_a_certificate_nothing_similar_is_reused_and_the_reason_says_so():
    decision = decide(a_request(), [(a_track(), 0.99)], Terms(note="no certificate counts here"))
    assert (decision.action, decision.rule) == ("make", "uncertified")
    assert "no certificate counts here" in decision.reason
    assert "catalog calibrate" in decision.reason
    strict = decide(a_request(), [(a_track(), 0.99)], Terms(max_false_reuse=0.01, certificate=CERTIFICATE))
    assert (strict.action, strict.rule) == ("make", "uncertified")
    assert "no threshold holds 1%" in strict.reason
    assert "pass max_false_reuse=0.05, which one does hold" in strict.reason
    holds_none = CERTIFICATE.model_copy(update={"bounds": CERTIFICATE.bounds[2:]})
    nothing = decide(a_request(), [(a_track(), 0.99)], Terms(certificate=holds_none))
    assert "calibrate on more labels, or pass min_similarity" in nothing.reason


def test_a_named_minimum_similarity_takes_the_place_of_the_certificate():
    by_score = Terms(min_similarity=0.5, certificate=CERTIFICATE)
    decision = decide(a_request(), [(a_track(), 0.6)], by_score)
    assert (decision.action, decision.threshold, decision.certificate) == ("reuse", 0.5, "")
    assert (
        decide(a_request(), [(a_track(), 0.6)], Terms(certificate=CERTIFICATE, max_false_reuse=0.05)).action
        == "make"
    )


def test_a_logged_match_stands_only_under_what_it_was_served_under():
    line = a_record("r", score=0.92, probability=0.93, threshold=0.55)
    after, before = (CERTIFICATE.made_at + timedelta(hours=hours) for hours in (1, -1))
    assert CERTIFIED.stands(line.model_copy(update={"created_at": after}))
    assert not CERTIFIED.stands(line.model_copy(update={"created_at": before}))  # by other weights
    assert not CERTIFIED.stands(line.model_copy(update={"created_at": after, "probability": 0.89}))
    assert not Terms(note="expired").stands(line)
    assert BY_SCORE.stands(line)
    assert not Terms(min_similarity=0.6).stands(
        line
    )  # the moods may lie further apart than is let through there


def test_every_admissible_candidate_could_be_served_and_no_other():
    far = a_track(id="far", valence=-0.8, energy=0.9, mood_tags=("scary",))
    decision = decide(
        a_request(), [(a_track(id="one"), 0.95), (a_track(id="two"), 0.9), (far, 0.99)], CERTIFIED
    )
    assert [one.track_id for one in decision.candidates if one.admissible] == ["one", "two"]


def test_each_hard_fact_can_be_counted_alone():
    named = a_request(choices=Choices(preset="jazz_lounge", loopable=False))
    facts = alone(hard_facts(named))
    assert set(facts) == {"role", "style", "quality", "model", "loop", "duration"}
    assert facts["duration"] == Filter(min_duration_s=9.0, max_duration_s=11.0, whole_pieces=True)
    assert facts["loop"] == Filter(loopable=False)


MADE = st.builds(
    a_track,
    id=st.integers(0, 10**6).map(lambda number: f"t{number}"),
    role=st.sampled_from(["background_bed", "loop_bed", "ui_sfx"]),
    style=st.sampled_from(["ambient_lofi", "jazz_lounge"]),
    quality=st.sampled_from(list(QUALITY_RANK)),
    duration_s=st.floats(1, 60),
    loopable=st.booleans(),
    model_rank=st.integers(0, 3),
    valence=st.floats(-1, 1),
    environment=st.sampled_from([None, "forest", "ocean"]),
)


@given(
    tracks=st.lists(st.tuples(MADE, st.floats(-1, 1)), max_size=6, unique_by=lambda hit: hit[0].id),
    preset=st.sampled_from([None, "ambient_lofi"]),
    duration_s=st.none() | st.floats(1, 60),
    loopable=st.booleans(),
    quality=st.sampled_from(list(QUALITY_RANK)),
    place=st.sampled_from([None, "forest"]),
    terms=st.sampled_from(
        [CERTIFIED, BY_SCORE, Terms("always", certificate=CERTIFICATE), Terms(min_similarity=-1.0)]
    ),
)
@settings(max_examples=200, deadline=None)
def test_what_is_reused_meets_every_hard_fact(tracks, preset, duration_s, loopable, quality, place, terms):
    wanted = a_request(
        quality=quality,
        choices=Choices(preset=preset, duration_s=duration_s, loopable=loopable),
        config={"loopable": loopable, "duration_s": duration_s or 10.0},
        context=Context(text="calm rain", environment=place),
    )
    facts = hard_facts(wanted)

    def meets(track):
        return (
            track.role == wanted.role
            and preset in (None, track.style)
            and QUALITY_RANK[track.quality] >= QUALITY_RANK[quality]
            and track.loopable == loopable
            and place in (None, track.environment)
            and (facts.min_duration_s or 0.0) <= track.duration_s <= (facts.max_duration_s or 1e9)
        )

    fitting = {track.id for track, _ in tracks if meets(track)}
    decision = decide(wanted, tracks, terms, facts=facts)
    assert decision.action == "make" or decision.track_id in fitting
    assert {one.track_id for one in decision.candidates} == fitting


def test_a_mood_without_words_is_told_as_a_listener_would():
    from builders import a_track

    from music_catalog.reuse.weighing import difference

    wanted = a_track(valence=0.6, energy=0.05, mood_tags=())
    other = a_track(valence=-0.6, energy=-0.8, mood_tags=())
    _, _, (told,) = difference(wanted, other)
    assert told == "opposite mood: happy and neither lively nor still wanted, the track is sad and still"


WORDS = st.lists(st.sampled_from(("rain", "falls", "on", "the", "old", "roof")), min_size=1, max_size=12)


@given(one=WORDS, other=WORDS)
def test_texts_with_half_of_their_words_in_common_are_copies(one, other):
    denied = [*other, "not"]
    cards = (Card(" ".join(words), 0.0, 0.0, (), None, None) for words in (one, denied))
    mine, theirs = Counter(one), Counter(denied)
    copies = (mine & theirs).total() >= COPIED * (mine | theirs).total()
    assert evidence(*cards, 0.9)["exchanged"] == float(copies)
