"""Ratings and rejections: kept, obeyed by the same request and by near ones, and taken back."""

from __future__ import annotations

import random

import pytest
from fakes import Counting
from homes import a_record
from sample_texts import CALM, CALM_AGAIN, ELSEWHERE, PANIC, SHORT

from music_catalog.errors import InputError, NotFound
from music_catalog.history.rejections import NEAR, Rejections
from music_catalog.models import Filter
from music_catalog.report import explanation


def test_a_rating_is_kept_on_the_track_and_in_the_log(service):
    made = service.find_or_make(CALM, **SHORT)
    assert service.rate(made.track.id, 4).rating == 4
    assert service.rate(made.track.id[:8], 2, request_id=made.request_id).rating == 2
    assert service.rate(made.track.id, None).rating is None
    cleared, answer, alone = service.store.judgements.list(track_id=made.track.id)
    assert (answer.verdict, answer.rating, answer.request_id) == ("rated", 2, made.request_id)
    assert answer.key == made.request.key
    assert (alone.rating, alone.request_id, alone.key, cleared.rating) == (4, "", "", None)
    with pytest.raises(InputError, match="rating"):
        service.rate(made.track.id, 6)
    with pytest.raises(NotFound, match="no request 'nonesuch'"):
        service.rate(made.track.id, 3, request_id="nonesuch")
    with pytest.raises(NotFound, match="no track 'nonesuch'"):
        service.rate("nonesuch", 3)
    assert len(service.store.judgements.list()) == 3


def test_a_rejected_track_does_not_answer_that_request_again(service):
    first = service.find_or_make(CALM, **SHORT)
    judgement = service.reject(first.track.id, first.request_id)
    assert (judgement.verdict, judgement.key) == ("rejected", first.request.key)
    assert service.find(CALM, **SHORT) is None
    second = service.find_or_make(CALM, **SHORT)
    assert second.action == "generated"
    assert second.track.seed != first.track.seed
    assert service.find_or_make(CALM, **SHORT).track.id == second.track.id
    assert first.track.state == "ready"
    service.reject(second.track.id, second.request_id)
    assert service.find_or_make(CALM, **SHORT).action == "generated"


def test_another_fitting_track_steps_in_for_a_rejected_one(service):
    other = service.find_or_make(CALM_AGAIN, **SHORT)
    first = service.generate(CALM, **SHORT)
    service.reject(first.track.id, first.request_id)
    found = service.find_or_make(CALM, **SHORT)
    assert (found.action, found.decision.rule, found.track.id) == ("reused", "similar", other.track.id)


def test_a_close_match_that_was_rejected_is_not_repeated(service):
    made = service.find_or_make(CALM, **SHORT)
    wrong = service.find_or_make(CALM_AGAIN, **SHORT)
    assert wrong.track.id == made.track.id
    service.reject(wrong.track.id, wrong.request_id)
    assert service.find_or_make(CALM_AGAIN, **SHORT).action == "generated"
    assert (
        service.find_or_make(CALM, **SHORT).track.id == made.track.id
    )  # made for it, and not rejected there


def test_requests_near_a_rejected_one_are_spared_too_and_distant_ones_are_not(service):
    made = service.find_or_make(CALM, **SHORT)
    wrong = service.find_or_make(CALM_AGAIN, **SHORT)
    service.reject(wrong.track.id, wrong.request_id)
    near = CALM_AGAIN.replace("the library", "a library")
    vectors = {text: service.encoder.encode([text])[0] for text in (CALM_AGAIN, near, ELSEWHERE)}
    assert NEAR <= float(vectors[CALM_AGAIN] @ vectors[near]) < 1.0
    assert Rejections(service.store, "another key").near(vectors[near]) == {made.track.id}
    assert Rejections(service.store, "another key").near(vectors[ELSEWHERE]) == frozenset()
    assert Rejections(service.store, "another key").own == frozenset()
    result = service.find_or_make(near, **SHORT)
    assert result.action == "generated"
    assert made.track.id not in {one.track_id for one in result.decision.candidates}


def test_a_rejection_for_one_mood_says_nothing_of_the_other(service):
    scene = "the old harbour at night, ropes and lanterns and slow water between the boats"
    calm, tense = f"{scene}, calm and peaceful", f"{scene}, tense and scary"
    near = f"{scene}, calm and quiet"
    vectors = {text: service.encoder.encode([text])[0] for text in (calm, tense, near)}
    assert min(float(vectors[calm] @ vectors[text]) for text in (tense, near)) >= NEAR
    made = service.find_or_make(ELSEWHERE, **SHORT)
    for text, other in ((calm, tense), (tense, calm)):
        asked = {one: service.explain(one, **SHORT) for one in (text, other, near)}
        service.reject(made.track.id, asked[text].request_id)
        left_out = {
            one: Rejections(service.store, "another key").near(vectors[one], result.request.features)
            for one, result in asked.items()
        }
        assert left_out[text] == {made.track.id}
        assert left_out[other] == frozenset()
        assert bool(left_out[near]) == (text == calm)
        assert Rejections(service.store, "another key").near(vectors[other]) == {
            made.track.id
        }  # no mood is known
        service.reject(made.track.id, undo=True)


def test_a_rejection_of_which_no_mood_is_known_counts_in_any(service):
    made = service.find_or_make(ELSEWHERE, **SHORT)
    asked = service.explain(CALM, **SHORT)
    (line,) = service.store.requests.list(id=asked.request_id)
    service.store.requests.append(
        line.model_copy(update={"id": "old", "features": None}), vector_of(service, CALM)
    )
    assert service.reject(made.track.id, "old").mood is None
    scary = asked.request.features.model_copy(
        update={"valence": -0.9, "energy": 0.9, "mood_tags": ("scary",)}
    )
    assert Rejections(service.store, "another key").near(vector_of(service, CALM), scary) == {made.track.id}


def vector_of(service, text):
    return service.encoder.encode([text])[0]


def test_explain_counts_what_was_left_out_because_somebody_rejected_it(service):
    made = service.find_or_make(CALM, **SHORT)
    assert "feedback" not in service.explain(CALM_AGAIN, **SHORT).decision.rejected_by
    service.reject(made.track.id)
    result = service.explain(CALM_AGAIN, **SHORT)
    assert (result.action, result.decision.rejected_by["feedback"]) == ("none", 1)
    assert any("somebody rejected them" in line and line.endswith(": 1") for line in explanation(result))
    assert not any("feedback" in line for line in explanation(result))


def test_a_close_match_is_not_repeated_once_it_was_rejected_for_a_request_near_that_one(service):
    made = service.find_or_make(CALM, **SHORT)
    near = CALM_AGAIN.replace("the library", "a library")
    assert service.find_or_make(CALM_AGAIN, **SHORT).track.id == made.track.id
    assert service.find_or_make(near, **SHORT).track.id == made.track.id
    assert service.find(near, **SHORT).decision.rule == "exact"
    service.reject(made.track.id, service.find_or_make(CALM_AGAIN, **SHORT).request_id)
    assert service.find(near, **SHORT) is None
    assert service.find(CALM, **SHORT).decision.rule == "exact"


def test_a_rejection_can_be_taken_back(service):
    first = service.find_or_make(CALM, **SHORT)
    service.reject(first.track.id)
    assert service.find(CALM, **SHORT) is None
    assert service.reject(first.track.id, undo=True).verdict == "allowed"
    assert service.find(CALM, **SHORT).track.id == first.track.id
    service.reject(first.track.id)
    assert service.find(CALM, **SHORT) is None


def test_undo_takes_back_the_last_rejection_whatever_the_track_served_since(service):
    made = service.find_or_make(CALM, **SHORT)
    wrong = service.find_or_make(CALM_AGAIN, **SHORT)
    service.reject(made.track.id)
    assert service.find_or_make(CALM, **SHORT).track.id == made.track.id
    assert service.reject(made.track.id, undo=True).key == wrong.request.key
    assert service.find(CALM_AGAIN, **SHORT).track.id == made.track.id
    with pytest.raises(NotFound, match="nothing to undo"):
        service.reject(made.track.id, undo=True)
    with pytest.raises(NotFound, match=r"does not stand rejected .* nothing to undo"):
        service.reject(made.track.id, made.request_id, undo=True)


def test_a_rejection_without_a_logged_vector_reads_the_summary(service):
    first = service.find_or_make(CALM, **SHORT)
    line = a_record("old", summary="waves on a shore", context_sha256="f" * 64, track_id=first.track.id)
    service.store.requests.append(line)  # as lines of an earlier version are
    service.reject(first.track.id, "old")
    summary = service.encoder.encode(["waves on a shore"])[0]
    assert Rejections(service.store, "another key").near(summary) == {first.track.id}


def test_without_a_request_the_last_one_that_was_answered_is_meant(service):
    made = service.find_or_make(CALM, **SHORT)
    assert service.find(CALM_AGAIN, **SHORT).track.id == made.track.id
    assert service.find_or_make(CALM_AGAIN, dry_run=True, **SHORT).track.id == made.track.id
    assert service.reject(made.track.id).request_id == made.request_id


def test_what_was_only_looked_up_was_not_served_before(service):
    service.find_or_make(CALM, **SHORT)
    for _ in range(2):
        service.find(CALM_AGAIN, **SHORT)
        assert service.find_or_make(CALM_AGAIN, dry_run=True, **SHORT).decision.rule == "similar"
    assert service.find_or_make(CALM_AGAIN, **SHORT).decision.rule == "similar"
    assert service.statistics().exact == 0
    assert service.find_or_make(CALM_AGAIN, **SHORT).decision.rule == "exact"
    assert service.statistics().exact == 1


def test_rejecting_what_was_never_served_needs_a_request(service):
    made = service.find_or_make(CALM, **SHORT)
    other = service.find_or_make(ELSEWHERE, **SHORT)
    service.reject(made.track.id, other.request_id)
    assert service.find(CALM, **SHORT).track.id == made.track.id
    with pytest.raises(NotFound, match="no request"):
        service.reject(made.track.id, "nonesuch")


# Variety, through the service


def ask(service, text=CALM, **rest):
    result = service.find_or_make(text, **{**SHORT, **rest})
    return result.decision.rule, result.track.id if result.track else None


def test_a_listener_gets_variants_up_to_the_limit_and_then_the_one_heard_longest_ago(service):
    served = [ask(service, listener="ada") for _ in range(6)]
    assert [rule for rule, _ in served] == ["no_candidate", *["variant"] * 3, *["least_recent"] * 2]
    ids = [track_id for _, track_id in served]
    assert len(set(ids[:4])) == 4
    assert ids[4:] == ids[:2]
    tracks = [service.store.tracks.get(track_id) for track_id in ids[:4]]
    assert len({track.seed for track in tracks}) == len({track.audio_sha256 for track in tracks}) == 4
    assert [track.variant_of is None for track in tracks] == [True, False, False, False]
    result = service.find_or_make(CALM, listener="ada", **SHORT)
    assert "all fitting tracks were heard recently" in result.warnings
    assert ask(service, listener="bob")[0] == "exact"
    assert ask(service)[0] == "exact"


def test_nothing_is_made_for_variety_where_making_is_ruled_out(service):
    first = service.find_or_make(CALM, listener="ada", **SHORT)
    assert ask(service, listener="ada", reuse="always") == ("least_recent", first.track.id)
    dry = service.find_or_make(CALM, listener="ada", dry_run=True, **SHORT)
    assert (dry.action, dry.decision.rule, dry.track) == ("none", "variant", None)
    seeded = service.find_or_make(CALM, listener="ada", seed=5, **SHORT)
    assert seeded.decision.rule in ("similar", "least_recent")
    assert service.store.tracks.count(Filter()) == 1


def test_looking_is_no_play(service):
    made = service.find_or_make(CALM, **SHORT)
    service.find(CALM, listener="ada", **SHORT)
    service.find_or_make(CALM, listener="ada", dry_run=True, **SHORT)
    assert ask(service, listener="ada") == ("exact", made.track.id)


def test_fitting_tracks_take_turns_before_a_variant_is_made(service):
    first, second = service.generate(CALM, **SHORT), service.generate(CALM, **SHORT)
    served = [ask(service, CALM_AGAIN, listener="ada") for _ in range(3)]
    assert [rule for rule, _ in served] == ["similar", "varied", "variant"]
    assert {track_id for _, track_id in served[:2]} == {first.track.id, second.track.id}


def test_a_batch_knows_what_its_listener_heard(service):
    results = service.find_or_make_all([CALM, CALM, CALM], listener="ada", **SHORT)
    assert len({result.track.id for result in results}) == 3
    assert {line.listener for line in service.store.requests.list()} == {"ada"}


def test_a_theme_keeps_its_track_and_changes_it_where_it_does_not_fit(service):
    hero = service.find_or_make(CALM, theme="hero", **SHORT)
    service.generate(CALM_AGAIN, **SHORT)
    assert ask(service, CALM_AGAIN)[1] != hero.track.id  # its own take is the repeat
    assert ask(service, CALM_AGAIN, theme="hero") == ("theme", hero.track.id)
    assert ask(service, CALM_AGAIN, theme="hero", listener="ada")[1] != hero.track.id  # not ada's theme yet
    storm = ask(service, PANIC, theme="hero")
    assert storm[1] != hero.track.id
    assert ask(service, PANIC, theme="hero")[1] == storm[1]
    service.reject(storm[1])
    assert ask(service, PANIC, theme="hero")[1] not in (storm[1], hero.track.id)


def test_a_listener_hears_the_theme_again_at_once(service):
    first = service.find_or_make(CALM, theme="hero", listener="ada", **SHORT)
    for _ in range(3):
        assert ask(service, theme="hero", listener="ada")[1] == first.track.id
    line = service.store.requests.list(limit=1)[0]
    assert (line.theme, line.listener) == ("hero", "ada")
    assert ask(service, listener="ada")[0] == "variant"


def test_lines_carry_who_listened_and_the_vector(service):
    service.find_or_make(CALM, listener=" ada\n", **SHORT)
    service.find_or_make(CALM, **SHORT)
    vectors = service.store.requests.table.vectors(service.encoder.identity)
    new, old = service.store.requests.list()
    assert (old.listener, new.listener) == ("ada", "")
    assert list(vectors) == [old.id]  # a repeat needed no vector
    with pytest.raises(InputError, match="listener"):
        service.find_or_make(CALM, listener="x" * 201, **SHORT)


def test_at_random_nothing_unfit_rejected_or_just_heard_is_served(open_service):
    """Whoever asks for whatever, what is served meets the hard facts and is admitted by the decision."""
    draw = random.Random(7)
    service = open_service(generators=Counting())
    refused: set[tuple[str, str]] = set()
    texts = [CALM, CALM_AGAIN, CALM + " Still.", PANIC]
    for _ in range(28):
        asked = {
            "listener": draw.choice(["", "ada", "bob"]),
            "theme": draw.choice(["", "", "hero"]),
            "role": draw.choice(["background_bed", "background_bed", "loop_bed"]),
            "duration_s": draw.choice([2.0, 2.0, 1.0]),
            "quality": "preview",
        }
        result = service.find_or_make(draw.choice(texts), **asked)
        track, decision = result.track, result.decision
        assert (track.role, track.duration_s) == (asked["role"], pytest.approx(asked["duration_s"], abs=0.5))
        assert (result.request.key, track.id) not in refused
        if result.action == "reused" and track.key != result.request.key and decision.rule != "exact":
            assert track.id in {one.track_id for one in decision.candidates if one.admissible}
        if draw.random() < 0.15:
            service.reject(track.id, result.request_id)
            refused.add((result.request.key, track.id))
    rules = {line.rule for line in service.store.requests.list()}
    assert "variant" in rules
    assert len(rules) >= 4


def test_a_theme_keeps_its_track_however_many_are_nearer(service, monkeypatch):
    monkeypatch.setattr("music_catalog.service.choice.found.CANDIDATES", 1)
    hero = service.find_or_make(CALM, theme="hero", **SHORT)
    service.generate(CALM_AGAIN, **SHORT)
    assert ask(service, CALM_AGAIN.replace("the library", "a library"), theme="hero") == (
        "theme",
        hero.track.id,
    )


def test_one_look_reads_the_rejections_once(service, monkeypatch):
    made = service.find_or_make(CALM, **SHORT)
    wrong = service.find_or_make(CALM_AGAIN, **SHORT)
    service.reject(made.track.id, wrong.request_id)
    read = []

    def counted(name):
        original = getattr(service.store.judgements, name)

        def reading(*given, **rest):
            read.append(name)
            return original(*given, **rest)

        monkeypatch.setattr(service.store.judgements, name, reading)

    counted("list")
    counted("near")
    assert service.find(CALM_AGAIN, listener="ada", **SHORT) is None
    assert sorted(read) == ["list", "near"]
