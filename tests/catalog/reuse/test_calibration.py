from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from fakes import WordHashEncoder
from homes import a_record
from hypothesis import given, settings
from hypothesis import strategies as st
from test_certificate import a_certificate

from music_catalog.errors import InputError
from music_catalog.models import Judgement
from music_catalog.reuse import calibration
from music_catalog.reuse.calibration import (
    GRID,
    calibrate,
    calibrate_from_ratings,
    certified,
    fit,
    scenes_needed,
    wrong_shares,
)
from music_catalog.reuse.certificate import CERTIFICATE, save
from music_catalog.reuse.evidence import HURTS, MOOD, TOPIC
from music_catalog.reuse.labels import LabelledScene, Labels, Pair, read_labels, shipped_labels
from music_catalog.reuse.trials import PREVALENCE, Trial, cases, read_texts, trials

PLACES = ("harbour", "meadow", "kitchen", "station", "glacier", "market", "chapel", "tunnel")
NEVER = {**dict.fromkeys((*TOPIC, *MOOD), 0.0), "topic": -9.0, "mood": 0.0}
CALM, WILD = "calm peaceful quiet gentle", "angry chaotic violent furious"


def a_scene(place, number=0):
    return LabelledScene(
        scene=f"{place}{number}",
        fits=(f"the {place} {place} is {CALM} {number}", f"{CALM} at the {place} {place} {number}"),
        opposite=(f"the {place} {place} is {WILD} {number}",),
    )


@pytest.fixture(scope="module")
def known():
    scenes = [a_scene(place) for place in PLACES]
    texts = [text for scene in scenes for _, text in scene.texts()]
    return scenes, read_texts(texts, WordHashEncoder())


def test_the_weights_follow_the_labels_and_keep_their_signs(known):
    scenes, texts = known
    weights = fit(cases(scenes[:4], scenes[:4], texts))
    assert set(weights) == {"topic", "mood", *TOPIC, *MOOD}
    assert all(weights[name] <= 0 for name in HURTS)
    assert weights["similarity"] > 0
    assert weights["mood_distance"] < 0
    for trial in trials(cases(scenes[4:], scenes[:4], texts), weights):
        assert trial.right_to > trial.wrong_to or not trial.matched


def test_a_scene_asks_with_and_without_a_fitting_track_and_weighs_one(known):
    scenes, texts = known
    found = cases(scenes[4:5], scenes[:4], texts)
    assert sum(case.weight for case in found) == pytest.approx(1 - PREVALENCE / 3)
    assert {case.matched for case in found} == {True, False}
    assert all(case.right for case in found if case.matched)


def draw(rng, scenes, rate):
    """Return trials of scenes whose mean share of wrong reuses is `rate`, some scenes all wrong, some never."""
    found = []
    for number in range(scenes):
        share = rng.beta(0.3, 0.3 * (1 - rate) / rate)
        for _ in range(4):
            wrong = rng.random() < share
            found.append(
                Trial(f"s{number}", 0.25, not wrong, 0.6, 0.6 if wrong else 0.0, 0.0 if wrong else 0.6)
            )
    return found


def test_a_rate_that_does_not_hold_is_hardly_ever_certified():
    rng = np.random.default_rng(7)
    certifies = [certified(draw(rng, 120, 0.11), 0.10).threshold is not None for _ in range(300)]
    # At most 5 % in the long run; 27 of 300 has a chance below 0.2 % at exactly 5 %.
    assert sum(certifies) <= 27


def test_a_rate_that_holds_by_far_is_certified():
    rng = np.random.default_rng(7)
    bounds = [certified(draw(rng, 120, 0.01), 0.10) for _ in range(20)]
    assert sum(bound.threshold is not None for bound in bounds) >= 18
    for bound in bounds:
        if bound.threshold is not None:
            assert bound.false_reuse <= bound.upper_bound <= 0.10


@given(st.integers(1, 28), st.floats(0.01, 0.1))
@settings(max_examples=50, deadline=None)
def test_too_few_scenes_certify_nothing_however_right_they_are(scenes, rate):
    right = [Trial(f"s{number}", 1.0, True, 0.9, 0.0, 0.9) for number in range(scenes)]
    assert certified(right, rate).threshold is None


def test_repeating_the_trials_of_a_scene_adds_no_evidence():
    right = [Trial(f"s{number}", 1.0, True, 0.9, 0.0, 0.9) for number in range(20)]
    assert certified(right * 50, 0.1).threshold is None
    assert len(wrong_shares(right * 50, 0.5)) == 20


def test_any_wrong_track_that_may_be_served_makes_a_trial_wrong():
    trial = Trial("s", 1.0, True, 0.95, 0.9, 0.95)
    assert wrong_shares([trial], 0.9).tolist() == [1.0]
    assert wrong_shares([trial], 0.92).tolist() == [0.0]
    assert wrong_shares([trial], 0.96).tolist() == []


def test_the_grid_goes_from_strict_to_lenient():
    assert list(GRID) == sorted(GRID, reverse=True)


def judged(count, verdict, rating=None, start=0, threshold=0.8):
    now = datetime(2026, 6, 1, tzinfo=timezone.utc)
    lines = [
        a_record(
            f"r{n}", created_at=now, rule="similar", track_id=f"t{n}", probability=0.9, threshold=threshold
        )
        for n in range(start, start + count)
    ]
    judgements = [
        Judgement(
            id=f"j{n}", created_at=now, verdict=verdict, track_id=f"t{n}", request_id=f"r{n}", rating=rating
        )
        for n in range(start, start + count)
    ]
    return lines, judgements


def test_ratings_certify_no_threshold_below_the_one_they_were_served_at():
    lines, judgements = judged(60, "rated", 5)
    made = calibrate_from_ratings(a_certificate(), judgements, lines)
    assert made.at(0.1).threshold == 0.8
    assert made.scenes == 60
    assert made.weights == a_certificate().weights
    assert made.id != a_certificate().id


def test_rejections_and_low_ratings_count_as_wrong_and_the_newest_word_counts():
    (right, yes), (wrong, no) = judged(40, "rated", 4), judged(20, "rejected", start=40)
    assert calibrate_from_ratings(a_certificate(), [*yes, *no], [*right, *wrong]).at(0.1) is None
    later = [
        one.model_copy(
            update={"verdict": "rated", "rating": 5, "created_at": one.created_at + timedelta(hours=1)}
        )
        for one in no
    ]
    assert calibrate_from_ratings(a_certificate(), [*later, *yes, *no], [*right, *wrong]).at(0.1) is not None


def test_taking_a_rejection_back_leaves_the_rating_that_was_given():
    (right, yes), (wrong, no) = judged(40, "rated", 4), judged(20, "rated", 1, start=40)
    back = [
        one.model_copy(
            update={"verdict": verdict, "rating": None, "created_at": one.created_at + timedelta(hours=hour)}
        )
        for one in no
        for hour, verdict in ((1, "rejected"), (2, "allowed"))
    ]
    assert calibrate_from_ratings(a_certificate(), [*yes, *no, *back], [*right, *wrong]).at(0.1) is None


def test_too_few_judged_tracks_are_refused_with_how_many_are_needed():
    (right, yes), (wrong, no) = judged(20, "rated", 5), judged(2, "rejected", start=20)
    message = "takes at least 40 reused tracks that were judged, and there are 22, 2 of them wrong"
    with pytest.raises(InputError, match=message):
        calibrate_from_ratings(a_certificate(), [*yes, *no], [*right, *wrong])
    assert calibrate_from_ratings(a_certificate(), yes, right, rates=[0.2]).at(0.2).threshold == 0.8


@given(st.floats(0.002, 0.9))
@settings(max_examples=30, deadline=None)
def test_as_many_scenes_as_are_needed_certify_and_one_less_does_not(rate):
    needed = scenes_needed(rate)
    right = [Trial(f"s{number}", 1.0, True, 0.9, 0.0, 0.9) for number in range(needed)]
    assert certified(right, rate).threshold is not None
    assert certified(right[1:], rate).threshold is None


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            [{"scene": "a", "fits": ["one", "two"]}],
            "certify 10% .* at least 40 scenes, and mine.jsonl has 1;",
        ),
        (
            [{"asked": f"x {n}", "track": "y", "fits": True, "scene": "all"} for n in range(60)],
            "has 1;",
        ),
    ],
)
def test_too_few_labels_leave_the_certificate_as_it_was(open_service, tmp_path, lines, message):
    service, kept = open_service(), a_certificate()
    save(kept, service.store.home / CERTIFICATE)
    before = (service.store.home / CERTIFICATE).read_bytes()
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    with pytest.raises(InputError, match=message):
        service.calibrate(labels=tmp_path / "mine.jsonl")
    assert (service.store.home / CERTIFICATE).read_bytes() == before


def test_pairs_of_which_nothing_would_be_reused_are_too_few(monkeypatch):
    monkeypatch.setattr(calibration, "shipped_for", lambda _: a_certificate(weights=NEVER))
    pairs = tuple(Pair(asked=f"x {n}", track=f"y {n}", fits=True) for n in range(50))
    with pytest.raises(InputError, match="at least 40 scenes in which anything is reused, and mine has 0"):
        calibrate(WordHashEncoder(), labels=Labels(source="mine", sha256="", pairs=pairs))


def test_ratings_of_other_decisions_cannot_be_used():
    lines, judgements = judged(60, "rated", 5, threshold=0.55)
    with pytest.raises(InputError, match="no reuse under the certificate"):
        calibrate_from_ratings(a_certificate(), judgements, lines)


def test_the_shipped_labels_are_many_varied_and_apart():
    labels = shipped_labels()
    texts = [text for scene in labels.scenes for _, text in scene.texts()]
    assert len(labels.scenes) >= 240
    assert len(set(texts)) == len(texts)
    assert sum(bool(scene.opposite) for scene in labels.scenes) >= 100
    assert sum(len(scene.fits) == 1 for scene in labels.scenes) >= 40
    lengths = [len(text.split()) for text in texts]
    assert min(lengths) <= 10
    assert max(lengths) >= 45
    splits = [len(labels.split(name)) for name in ("fit", "calibrate", "test")]
    assert min(splits) >= 40


def test_a_file_of_scenes_and_pairs_is_read(tmp_path):
    path = tmp_path / "labels.jsonl"
    lines = [
        {"scene": "a", "fits": ["one", "two"], "opposite": ["three"]},
        {"asked": "x", "track": "y", "fits": False},
    ]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n\n", "utf-8")
    labels = read_labels(path)
    assert (len(labels.scenes), len(labels.pairs), labels.source) == (1, 1, "labels.jsonl")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: this is no JSON"),
        ("[1]", "line 2: a label is a JSON object"),
        ('{"scene": "a", "fits": ["x"]}', "line 2: the scene 'a' was there before"),
        ('{"scene": "b", "fits": []}', "line 2: fits"),
        ('{"scene": "b", "fits": ["x"], "oposite": ["y"]}', "line 2: oposite"),
        ('{"scene": "b", "fits": ["x"], "opposite": ["x"]}', "stands in the scene twice"),
        ('{"asked": "x", "track": "y"}', "line 2: fits"),
        ('{"asked": " ", "track": "y", "fits": true}', "line 2: asked"),
        ('{"scene": "b", "fits": ["x"], "split": "train"}', "line 2: split"),
    ],
)
def test_a_bad_line_is_named_with_its_number(tmp_path, line, message):
    path = tmp_path / "labels.jsonl"
    path.write_text('{"scene": "a", "fits": ["x", "y"]}\n' + line + "\n", "utf-8")
    with pytest.raises(InputError, match=message):
        read_labels(path)


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"asked": "x", "track": "y", "fits": true}\r\n', "utf-8-sig")
    assert [pair.asked for pair in read_labels(path).pairs] == ["x"]


def test_a_file_without_labels_or_no_file_at_all_is_refused(tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n", "utf-8")
    with pytest.raises(InputError, match="holds no labels"):
        read_labels(tmp_path / "empty.jsonl")
    with pytest.raises(InputError, match="cannot be read"):
        read_labels(tmp_path / "missing.jsonl")
