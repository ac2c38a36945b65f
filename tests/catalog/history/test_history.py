"""The log of requests searched, the presets suggested from it, and the figures it gives."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone

import pytest
from homes import NOON, a_judgement, a_record
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_texts import CALM, CALM_AGAIN, ELSEWHERE, PANIC, SHORT

from music_catalog import report
from music_catalog.errors import InputError
from music_catalog.history.requests import verdicts
from music_catalog.history.statistics import Statistics, false_reuse, upper_bound
from music_catalog.history.suggestions import ServedTrack, rank

# The log


def test_the_log_is_found_by_meaning_and_by_words(service):
    calm = service.find_or_make(CALM, query="What is it like?", **SHORT)
    other = service.find_or_make(ELSEWHERE, **SHORT)
    service.find_or_make(CALM, query="What is it like?", **SHORT)
    assert [one.record.action for one in service.history()] == ["reused", "generated", "generated"]
    assert [one.record.id for one in service.history(limit=2)][1] == other.request_id
    near = service.history("students in a library, rain on the windows", limit=2)
    assert near[0].record.id == calm.request_id
    assert near[0].relevance > near[1].relevance  # the repeat was logged without a vector
    assert [one.record.id for one in service.history("container shipping", by="words", limit=1)] == [
        other.request_id
    ]
    assert service.history("like", by="words")[0].record.query == "What is it like?"
    assert service.history("zebra", by="words") == []
    with pytest.raises(InputError, match="search by 'sound'"):
        service.history("x", by="sound")
    with pytest.raises(InputError, match="empty"):
        service.history(" ", by="words")


def test_a_repeat_of_a_close_match_is_logged_as_what_was_asked(service):
    made = service.find_or_make(CALM, preset="chiptune_playful", **SHORT)
    first, again = (service.find_or_make(CALM_AGAIN, min_similarity=0.3, **SHORT) for _ in range(2))
    assert (first.decision.rule, again.decision.rule) == ("similar", "exact")
    assert first.track.id == again.track.id == made.track.id
    newest, before, _ = service.store.requests.list()
    fields = (
        "summary",
        "prompt",
        "style",
        "role",
        "quality",
        "features",
        "choices",
        "backend",
        "similarity",
        "score",
    )
    assert [getattr(newest, name) for name in fields] == [getattr(before, name) for name in fields]
    assert newest.summary != made.track.summary
    assert newest.style != made.track.style
    assert newest.features.valence == first.request.features.valence
    assert again.request.model_copy(update={"features": first.request.features}) == first.request
    assert "by a close match" in again.reason


def test_a_repeat_of_a_close_match_in_an_earlier_log_is_read_once_more(service):
    made = service.find_or_make(CALM, **SHORT)
    first = service.find_or_make(CALM_AGAIN, **SHORT)
    (line,) = service.store.requests.list(id=first.request_id)
    later = line.created_at + timedelta(microseconds=1)
    service.store.requests.append(
        line.model_copy(update={"id": "old", "features": None, "created_at": later})
    )
    assert [service.find_or_make(CALM_AGAIN, **SHORT).decision.rule for _ in range(2)] == ["similar", "exact"]
    assert service.store.requests.list(limit=1)[0].summary == first.request.features.summary_of_topic
    assert made.track.id == first.track.id


def test_the_log_is_narrowed(service):
    for listener, text in (("ada", CALM), ("bob", ELSEWHERE)):
        service.find_or_make(text, listener=listener, theme="t", **SHORT)
    service.find(PANIC, **SHORT)
    now = datetime.now(timezone.utc)
    for facts, count in (
        ({"listener": "ada"}, 1),
        ({"theme": "t"}, 2),
        ({"action": "none"}, 1),
        ({"command": "find"}, 1),
        ({"since": now - timedelta(hours=1)}, 3),
        ({"since": now + timedelta(hours=1)}, 0),
        ({"listener": "it's"}, 0),
    ):
        assert len(service.history(**facts)) == count, facts
        assert len(service.history("calm rain report", **facts)) == count, facts
    assert len(service.history("container", by="words", listener="bob")) == 1
    assert service.history("container", by="words", listener="ada") == []
    with pytest.raises(InputError, match="action is 'reuse'; did you mean reused"):
        service.history(action="reuse")
    with pytest.raises(InputError, match="cannot be narrowed by 'reason'"):
        service.history(reason="x")
    with pytest.raises(InputError, match="time zone"):
        service.history(since=datetime(2026, 1, 1))


def test_lines_tell_how_they_were_judged(service):
    made = service.find_or_make(CALM, **SHORT)
    assert (service.history()[0].rating, service.history()[0].rejected) == (None, False)
    service.rate(made.track.id, 2, request_id=made.request_id)
    assert service.history()[0].rating == 2
    service.reject(made.track.id, made.request_id)
    (one,) = service.history()
    assert one.rejected
    assert "rejected" in report.past_line(one)
    assert report.past_json(one)["id"] == made.request_id


def test_the_newest_verdict_holds():
    def judgements(*verdicts_):
        return [
            a_judgement(
                str(n), verdict=verdict, rating=rating, key="k", created_at=NOON + timedelta(seconds=n)
            )
            for n, (verdict, rating) in enumerate(verdicts_)
        ]

    rated, rejected, allowed = ("rated", 4), ("rejected", None), ("allowed", None)
    assert verdicts(judgements(rated, rejected))["k", "a"].verdict == "rejected"
    assert verdicts(judgements(rejected, rated))["k", "a"].verdict == "rejected"
    assert verdicts(judgements(rated, rejected, allowed))["k", "a"].rating == 4
    assert verdicts(judgements(rated, ("rated", None))) == {}
    assert verdicts(judgements(("rated", 1), ("rated", 5))[::-1])["k", "a"].rating == 5
    assert verdicts(judgements(rejected, allowed)) == {}


# Suggestions

PRESETS = {"drone": "slow drones", "synthwave": "retro synths", "folk": "guitars"}
ALIKE = {"drone": 0.4, "synthwave": 0.3, "folk": 0.2}


def order(*found):
    return [one.name for one in rank(PRESETS, ALIKE, found, 5)]


def outcome(style, **changes):
    return ServedTrack(**{"style": style, "cosine": 0.8, "age_days": 1.0, **changes})


def test_without_a_log_the_descriptions_decide():
    first, *_ = found = rank(PRESETS, ALIKE, [], 5)
    assert [one.name for one in found] == ["drone", "synthwave", "folk"]
    assert (first.evidence, first.requests, first.mean_rating) == ("description", 0, None)
    assert first.reason == "its description, similarity 0.40 (no similar request in the log)"
    assert len(rank(PRESETS, ALIKE, [], 2)) == 2


def test_what_served_well_rises_and_what_was_rejected_falls():
    good = [outcome("folk", rating=5, judged=True)] * 4
    assert order(*good)[0] == "folk"
    assert order(*[outcome("drone", judged=True, rejected=True)] * 3)[-1] == "drone"
    assert order(*[outcome("drone", rating=1, judged=True)] * 3)[-1] == "drone"
    best = rank(PRESETS, ALIKE, [*good, outcome("folk", rejected=True)], 5)[0]
    assert best.reason == "5 similar requests, mean rating 5.0 of 4, 1 rejected"
    assert (best.evidence, best.mean_rating, best.ratings, best.rejected) == ("history", 5.0, 4, 1)


def test_one_lucky_answer_does_not_rule():
    lucky = outcome("folk", rating=5, judged=True)
    steady = [outcome("synthwave", rating=4, judged=True)] * 10
    assert order(lucky, *steady)[0] == "synthwave"


def test_far_old_and_unjudged_answers_count_less():
    def score(**changes):
        found = rank(PRESETS, ALIKE, [outcome("folk", **{"rating": 5, "judged": True, **changes})], 5)
        return next(one.score for one in found if one.name == "folk")

    assert score() > score(cosine=0.5) > score(cosine=0.3)
    assert score() > score(age_days=365.0) > score(age_days=3650.0)
    assert score() > score(judged=False) > score(judged=False, rating=None)
    assert score(judged=False, rating=None, served=4) > score(judged=False, rating=None)


def test_suggestions_follow_what_people_said(service):
    for preset in ("synthwave", "ambient_lofi"):
        for text in (CALM, CALM_AGAIN, CALM + " Still."):
            result = service.generate(text, preset=preset, **SHORT)
            service.rate(result.track.id, 5 if preset == "synthwave" else 1, request_id=result.request_id)
    first, *rest = service.suggest_presets("Soft rain taps on the library windows in calm silence", limit=50)
    assert (first.name, first.evidence, first.requests, first.mean_rating) == ("synthwave", "history", 3, 5.0)
    names = {one.name for one in (first, *rest)}
    assert {"environment_rain", "ambient_lofi"} < names < set(service.library.styles)
    assert "environment_cave" not in names
    assert rest[-1].name == "ambient_lofi"
    elsewhere = service.suggest_presets("container volumes through Rotterdam", limit=1)[0]
    assert (elsewhere.evidence, elsewhere.requests) == ("description", 0)


def test_a_repeat_counts_for_what_it_repeats_and_a_deleted_track_for_nothing(service):
    made = service.find_or_make(CALM, preset="folk" if "folk" in service.library.styles else None, **SHORT)
    for _ in range(3):
        service.find_or_make(CALM, preset=made.request.choices.preset, **SHORT)
    style = made.track.style
    suggested = {one.name: one for one in service.suggest_presets(CALM, limit=50)}
    assert suggested[style].requests == 4
    service.store.tracks.trash(made.track.id)
    service.store.care.purge()
    suggested = {one.name: one for one in service.suggest_presets(CALM, limit=50)}
    assert suggested[style].requests == 0


# Statistics


def test_an_empty_catalog_has_figures_too(service):
    counts = service.statistics()
    assert counts == Statistics(disk_bytes=counts.disk_bytes)
    assert "false_reuse: unknown, no reuse was judged yet" in report.figures(counts)


def test_figures_of_a_catalog(service):
    made = service.find_or_make(CALM, **SHORT)
    service.find_or_make(CALM, **SHORT)
    reused = service.find_or_make(CALM_AGAIN, listener="ada", **SHORT)
    variant = service.find_or_make(CALM_AGAIN, listener="ada", **SHORT)
    assert (reused.action, variant.decision.rule) == ("reused", "variant")
    service.find(ELSEWHERE, **SHORT)
    service.find_or_make(PANIC, dry_run=True, **SHORT)
    with pytest.raises(InputError):
        service.find_or_make(CALM, role="ui_sfx", loopable=True)
    service.rate(made.track.id, 4)
    service.reject(made.track.id, reused.request_id)
    counts = service.statistics()
    assert (counts.requests, counts.exact, counts.reused, counts.made, counts.variants) == (5, 1, 2, 2, 1)
    assert (counts.failed, counts.looked, counts.hit_rate) == (1, 2, 0.5)
    assert (counts.tracks, counts.trashed, counts.rated, counts.mean_rating) == (2, 0, 1, 4.0)
    assert (counts.false_reuse.judged, counts.false_reuse.wrong, counts.false_reuse.rate) == (1, 1, 1.0)
    assert counts.saved_s == pytest.approx(2 * made.track.generation_s, abs=2e-3)
    assert counts.spent_s == pytest.approx(made.track.generation_s + variant.track.generation_s, abs=2e-3)
    assert (
        counts.disk_bytes
        > counts.audio_bytes
        == sum(path.stat().st_size for path in (made.path, variant.path))
    )
    assert counts.by_role["ui_sfx"].model_dump() == {"requests": 5, "reused": 2, "made": 2}
    assert sum(share.made for share in counts.by_style.values()) == 2
    lines = list(report.figures(counts))
    assert "false_reuse: 100.0% (1 wrong of 1 judged), at most 100.0% with 95 % confidence" in lines


def test_only_judged_reuses_count_as_right_or_wrong():
    served = {("other", "a"), ("third", "a"), ("other", "b"), ("third", "b"), ("fourth", "b")}

    def judgement(n, track, key, verdict="rated", rating=None):
        when = NOON + timedelta(seconds=n)
        return a_judgement(str(n), track_id=track, key=key, verdict=verdict, rating=rating, created_at=when)

    counts = false_reuse(
        [
            judgement(0, "a", "other", rating=5),
            judgement(1, "a", "third", rating=2),
            judgement(2, "b", "other", "rejected"),
            judgement(3, "a", "made-for", "rejected"),  # its own request: no reuse
            judgement(4, "a", "", rating=1),  # of the track, not of an answer
            judgement(5, "a", "never served there", "rejected"),
            judgement(6, "b", "third", "rejected"),
            judgement(7, "b", "third", "allowed"),
        ],
        served,
    )
    assert (counts.judged, counts.wrong, counts.rate) == (3, 2, 0.6667)


def test_only_what_a_decision_served_again_is_judged_as_a_reuse(service):
    made = service.find_or_make(CALM, **SHORT)
    other = service.find_or_make(ELSEWHERE, **SHORT)
    reused = service.find_or_make(CALM_AGAIN, **SHORT)
    forced = service.find_or_make(PANIC, reuse="always", **SHORT)
    looked = service.explain(CALM_AGAIN.replace("library", "reading room"), **SHORT)
    assert (reused.decision.rule, forced.decision.rule, looked.decision.rule) == (
        "similar",
        "always",
        "similar",
    )
    service.reject(made.track.id, other.request_id)  # never served there
    service.reject(made.track.id, looked.request_id)  # only looked at
    service.rate(forced.track.id, 1, request_id=forced.request_id)  # no decision
    service.rate(made.track.id, 1, request_id=made.request_id)  # its own request
    assert service.statistics().false_reuse.judged == 0
    service.reject(made.track.id, looked.request_id, undo=True)
    again = service.find_or_make(CALM_AGAIN, **SHORT)
    service.rate(made.track.id, 4, request_id=again.request_id)
    assert (again.decision.rule, service.statistics().false_reuse.judged) == ("exact", 1)
    service.reject(made.track.id, reused.request_id)
    service.store.tracks.trash(made.track.id)
    service.store.care.purge()
    counts = service.statistics().false_reuse
    assert (counts.judged, counts.wrong) == (1, 1)


@pytest.mark.parametrize(
    ("wrong", "judged", "bound"),
    [(0, 29, 1 - 0.05 ** (1 / 29)), (0, 1, 0.95), (1, 1, 1.0), (5, 5, 1.0)],
)
def test_bounds_by_hand(wrong, judged, bound):
    assert upper_bound(wrong, judged) == pytest.approx(bound, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(judged=st.integers(1, 2000), share=st.floats(0, 1), confidence=st.floats(0.5, 0.999))
def test_the_bound_is_that_of_the_beta_distribution(judged, share, confidence):
    from scipy.stats import beta

    wrong = min(int(share * judged), judged - 1)
    expected = beta.ppf(confidence, wrong + 1, judged - wrong)
    assert math.isclose(upper_bound(wrong, judged, confidence), expected, rel_tol=1e-6, abs_tol=1e-9)


def test_a_log_without_tracks_and_records_of_earlier_versions_have_figures(service):
    service.store.requests.append(a_record("old", track_id="gone"))
    counts = service.statistics()
    assert (counts.requests, counts.reused, counts.saved_s, counts.tracks) == (1, 1, 0.0, 0)
    assert service.suggest_presets("calm rain", limit=1)[0].evidence == "description"
    assert service.history()[0].record.id == "old"
    assert service.history("calm rain") == []
