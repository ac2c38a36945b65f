"""Stocking for a corpus: what is planned, that it is made once, and that it goes on where it stopped."""

from __future__ import annotations

import json
from dataclasses import replace

import lancedb
import pytest
from fakes import Counting

from music_catalog import report
from music_catalog.errors import InputError, StorageError, Unavailable
from music_catalog.generator import Cancelled, ProceduralGenerator, weights
from music_catalog.generator.errors import GeneratorError
from music_catalog.reuse.facts import hard_facts
from music_catalog.search.filters import meets
from music_catalog.service import stock
from music_catalog.text import encoder as encoders

FIGHT = "The riders broke through the gate, swords raised, and the yard became a storm of screams and steel."
CORPUS = [
    "Turn the heating off, wait half an hour, and open the valve of the radiator a quarter turn until water drips.",
    "To descale the boiler, dissolve 20 g of citric acid in a litre of water and pump it through the steam wand.",
    "In a trial of 412 adults the drug lowered blood pressure by 6 mmHg against placebo; adverse events were rare.",
    {"question": "What happened?", "answer": FIGHT},
    FIGHT.replace("riders", "knights"),
    "My father died on Tuesday. The house is full of his coats, and I cannot bring myself to open the wardrobe.",
    "Three silly ducklings chased a balloon down the hill and giggled when it landed on the farmer's nose.",
]
SHORT = {"quality": "preview", "duration_s": 2.0}


class Failing(Counting):
    """Makes so many tracks and fails at the next."""

    def __init__(self, most):
        super().__init__()
        self.most = most

    def generate_music(self, prompt, config, **rest):
        if self.made == self.most:
            raise GeneratorError("the generator stopped")
        return super().generate_music(prompt, config, **rest)


@pytest.fixture(scope="module")
def encoder():
    return encoders.load()


@pytest.fixture
def stocking(open_service, encoder):
    """Return a function that opens the service of a home with the default encoder, which has a brief."""
    return lambda **options: open_service(**{"encoder": encoder, "min_similarity": None, **options})


def test_a_plan_tells_what_each_track_adds_and_makes_nothing(stocking):
    service = stocking()
    plan = service.plan_stock(CORPUS, 3, **SHORT)
    assert (plan.texts, plan.read, plan.covered_before) == (7, 7, 0)
    assert 1 < len(plan.tracks) <= 3
    gains = [one.newly_covered for one in plan.tracks]
    assert gains == sorted(gains, reverse=True)
    assert [one.covered for one in plan.tracks] == [sum(gains[: n + 1]) for n in range(len(gains))]
    assert plan.share == plan.tracks[-1].covered / 7 == pytest.approx(plan.tracks[-1].share, abs=1e-4)
    assert {one.duration_s for one in plan.tracks} == {2.0}
    assert plan.missing == plan.tracks
    assert 0 < plan.cost_s == pytest.approx(sum(one.cost_s for one in plan.tracks))
    assert "an estimate" in plan.cost_basis[0]
    assert service.store.tracks.count() == 0
    assert service.plan_stock(CORPUS, 3, **SHORT) == plan
    assert service.plan_stock(CORPUS, 1, **SHORT).tracks == plan.tracks[:1]


def test_what_was_planned_is_made_and_serves_its_text(stocking):
    made = Counting()
    service = stocking(generators=made)
    stocked = service.stock(CORPUS, 3, **SHORT)
    assert made.made == len(stocked.tracks) == len(stocked.plan.tracks)
    for planned, track in zip(stocked.plan.tracks, stocked.tracks, strict=True):
        assert (track.key, track.style, track.role) == (planned.key, planned.style, planned.role)
        again = service.find_or_make(planned.context, **planned.choices.model_dump(exclude_none=True))
        assert (again.track.id, again.decision.rule) == (track.id, "exact")
    assert made.made == len(stocked.tracks)


def test_every_kind_of_corpus_gives_the_same_plan(stocking, tmp_path):
    texts = [text for text in CORPUS if isinstance(text, str)]
    lines, folder, database = tmp_path / "a.jsonl", tmp_path / "files", tmp_path / "rag.db"
    lines.write_text("".join(json.dumps({"chunk": text}) + "\n" for text in texts), "utf-8")
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"{number}.md").write_text(text, "utf-8")
    lancedb.connect(str(database)).create_table("chunks", data=[{"body": text} for text in texts])
    service = stocking()
    wanted = [one.key for one in service.plan_stock(texts, 2, **SHORT).tracks]
    for corpus, where in ((lines, {}), (folder, {}), (database, {"table": "chunks", "column": "body"})):
        plan = service.plan_stock(corpus, 2, **where, **SHORT)
        assert [one.key for one in plan.tracks] == wanted
        assert plan.texts == len(texts)
    sampled = service.plan_stock(lines, 2, sample=3, sample_seed=1, **SHORT)
    assert (sampled.texts, sampled.read) == (len(texts), 3)


OWN_LENGTHS = """
musicgen:
  presets:
    action_drums: {duration_s: 2}
    documentary_neutral: {duration_s: 2}
    quiet_room: {duration_s: 2}
"""


@pytest.mark.parametrize("own", ["", OWN_LENGTHS])
def test_the_plan_claims_what_the_tracks_hold(stocking, tmp_path, own):
    config = tmp_path / "own.yaml"
    config.write_text(own or "musicgen: {}", "utf-8")
    service = stocking(config=config)
    options = {"quality": "preview", "role": "background_bed"} if own else SHORT
    requests = [service.explain(text, log=False, **options).request for text in CORPUS]
    plan = service.plan_stock(CORPUS, 3, **options)
    if own:
        # Making 30 s for the others takes long: only what is short is made, and only that is asked for.
        assert {one.duration_s for one in plan.tracks} >= {2.0}
        plan = plan.model_copy(update={"tracks": tuple(one for one in plan.tracks if one.duration_s == 2)})
    made = service.make_stock(plan).tracks
    fitting = [any(meets(track, hard_facts(request)) for track in made) for request in requests]
    served = [
        service.explain(text, log=False, variety=1, **options).decision.action == "reuse" for text in CORPUS
    ]
    assert sum(served) == sum(one.newly_covered for one in plan.tracks) > 0
    assert all(fits or not reused for fits, reused in zip(fitting, served, strict=True))


def test_a_second_run_makes_nothing_and_more_tracks_go_on(stocking):
    made = Counting()
    service = stocking(generators=made)
    first = service.stock(CORPUS, 2, **SHORT)
    assert service.stock(CORPUS, 2, **SHORT).tracks == ()
    plan = service.plan_stock(CORPUS, 3, **SHORT)
    assert [one.track_id for one in plan.tracks[:2]] == [track.id for track in first.tracks]
    assert plan.covered_before == 0
    assert [one.newly_covered for one in plan.tracks[:2]] == [one.newly_covered for one in first.plan.tracks]
    service.make_stock(plan)
    assert made.made == len(plan.tracks)


def test_a_run_that_failed_is_taken_up_where_it_stopped(stocking, tmp_path):
    whole = stocking(home=tmp_path / "whole").stock(CORPUS, 4, **SHORT)
    assert len(whole.tracks) >= 3
    failing = Failing(2)
    service = stocking(generators=failing)
    with pytest.raises(
        Unavailable, match=r"stopped \(2 of \d tracks are made; run the same again to go on\)"
    ):
        service.stock(CORPUS, 4, **SHORT)
    assert service.store.tracks.count() == 2
    assert service.history(limit=1)[0].record.rule == "failed"
    service.close()
    made = Counting()
    service = stocking(generators=made)
    rest = service.stock(CORPUS, 4, **SHORT)
    assert made.made == len(whole.tracks) - 2
    assert [track.style for track in rest.tracks] == [track.style for track in whole.tracks[2:]]
    assert [one.key for one in rest.plan.tracks] == [one.key for one in whole.plan.tracks]
    assert len({track.key for track in service.store.tracks.list()}) == len(whole.tracks)


def test_a_run_that_died_before_the_log_was_written_is_taken_up_too(stocking, monkeypatch):
    made = Counting()
    service = stocking(generators=made)

    def full(*_, **__):
        raise StorageError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(service.store.requests, "append", full)
        first = service.stock(CORPUS, 2, **SHORT)
    assert service.history() == []
    plan = service.plan_stock(CORPUS, 2, **SHORT)
    assert [one.track_id for one in plan.tracks] == [track.id for track in first.tracks]
    assert plan.covered_before == 0
    assert service.stock(CORPUS, 2, **SHORT).tracks == ()
    assert made.made == 2


def test_a_cancelled_run_keeps_what_was_made(stocking):
    service = stocking(generators=Counting())
    plan = service.plan_stock(CORPUS, 3, **SHORT)
    seen = []

    def report(done, total):
        seen.append((done, total))
        if service.store.tracks.count():
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        service.make_stock(plan, on_progress=report)
    assert service.store.tracks.count() == 1
    assert all(0 <= done <= total for done, total in seen)
    assert [one.track_id is None for one in service.plan_stock(CORPUS, 3, **SHORT).tracks][:2] == [
        False,
        True,
    ]


def test_a_plan_made_meanwhile_by_another_process_is_not_made_again(stocking):
    made = Counting()
    service = stocking(generators=made)
    plan = service.plan_stock(CORPUS, 2, **SHORT)
    service.make_stock(plan)
    assert service.make_stock(plan).tracks == ()
    assert made.made == len(plan.tracks)


def test_tracks_of_the_catalog_cover_first(stocking):
    service = stocking()
    planned = service.plan_stock(CORPUS, 1, **SHORT).tracks[0]
    asked = service.find_or_make(planned.context, preset=planned.style, seed=5, **SHORT)
    plan = service.plan_stock(CORPUS, 7, **SHORT)
    assert plan.covered_before >= 2
    assert asked.track.id not in {one.track_id for one in plan.tracks}
    # What a request made is of the catalog also where stock would have made it by the same request.
    made = service.find_or_make(
        planned.context, **planned.choices.model_dump(exclude_none=True), reuse="never"
    )
    assert made.track.id != asked.track.id
    again = service.plan_stock(CORPUS, 7, **SHORT)
    assert again.covered_before == plan.covered_before
    assert [(one.key, one.track_id) for one in again.tracks] == [(one.key, None) for one in plan.tracks]
    assert plan.tracks[0].covered == plan.covered_before + plan.tracks[0].newly_covered
    # Another length is a hard fact that the track does not meet.
    assert service.plan_stock(CORPUS, 1, quality="preview", duration_s=9.0).covered_before == 0
    assert service.plan_stock(CORPUS, 1, role="loop_bed", **SHORT).covered_before == 0


def test_choices_hold_for_every_track(stocking):
    service = stocking()
    plan = service.plan_stock(CORPUS, 2, role="loop_bed", quality="standard", backend="procedural")
    assert {(one.role, one.quality, one.backend) for one in plan.tracks} == {
        ("loop_bed", "standard", "procedural")
    }
    assert all(one.choices.role == "loop_bed" for one in plan.tracks)


def test_when_nothing_more_can_be_served_the_plan_says_so(stocking):
    plan = stocking().plan_stock(CORPUS[:2], 9, **SHORT)
    assert len(plan.tracks) < 9
    assert f"{len(plan.tracks)} of 9 tracks serve all that can be served" in plan.note


def test_what_the_budget_leaves_goes_to_music_that_suits_the_texts_better(stocking):
    texts = ["Rain falls on the roof.", "The army charges the bridge.", "Snow lies on the hills."]
    service = stocking()
    plan = service.plan_stock(texts, 5, role="background_bed", quality="preview", duration_s=3.0)
    assert {(one.place, one.style) for one in plan.tracks} >= {
        ("text 1", "environment_rain"),
        ("text 3", "environment_snow"),
    }
    assert all(one.newly_covered or one.fit_gained > 0.25 for one in plan.tracks)
    made = service.make_stock(plan)
    again = service.plan_stock(texts, 5, role="background_bed", quality="preview", duration_s=3.0)
    assert [one.track_id for one in again.tracks] == [one.id for one in made.tracks]
    reused = service.find_or_make(texts[0], role="background_bed", quality="preview", duration_s=3.0)
    assert (reused.action, reused.track.style) == ("reused", "environment_rain")


def test_texts_in_other_languages_are_told_and_stand_for_no_english_ones(stocking):
    foreign = [
        "เด็ก ๆ วิ่งหัวเราะไปตามชายหาดในยามเย็น",
        "Pociąg odjeżdża o ósmej i zatrzymuje się potem w każdej wsi.",
    ]
    service = stocking()
    plan = service.plan_stock([*foreign, *CORPUS[:3]], 3, **SHORT)
    first = plan.tracks[0]
    assert (first.place in ("text 3", "text 4", "text 5"), first.newly_covered > 1) == (True, True)
    assert "(Thai 1, Polish 1) get no track, since its music would be a guess" in plan.languages
    assert not {"text 1", "text 2"} & {one.place for one in plan.tracks}
    assert f"note: {plan.languages}" in list(report.stock_lines(plan))
    assert service.plan_stock(CORPUS[:3], 1, **SHORT).languages == ""


def test_the_cost_follows_from_what_was_made_here(stocking):
    service = stocking()
    service.find_or_make("Calm rain.", quality="preview", duration_s=4)
    (track,) = service.store.tracks.list()
    plan = service.plan_stock(CORPUS, 1, **SHORT)
    assert plan.tracks[0].cost_s == pytest.approx(2 * track.generation_s / 4, abs=0.01)
    assert "by 1 track made here" in plan.cost_basis[0]


def test_stock_is_no_request_that_was_served(stocking):
    service = stocking()
    stocked = service.stock(CORPUS, 2, **SHORT)
    counts = service.statistics()
    assert (counts.stocked, counts.requests, counts.made, counts.hit_rate) == (
        len(stocked.tracks),
        0,
        0,
        None,
    )
    assert counts.over_time.periods == ()
    service.find_or_make(
        stocked.plan.tracks[0].context, **stocked.plan.tracks[0].choices.model_dump(exclude_none=True)
    )
    counts = service.statistics()
    assert (counts.requests, counts.reused, counts.hit_rate) == (1, 1, 1.0)
    assert counts.saved_s == pytest.approx(stocked.tracks[0].generation_s, abs=2e-3)


@pytest.mark.parametrize(
    ("tracks", "options", "refusal"),
    [
        (0, {}, "tracks is 0; plan at least 1"),
        (1, {"preset": "drone"}, "stock takes no 'preset'; .*valid: backend, duration_s"),
        (1, {"rôle": "x"}, "stock takes no 'rôle'"),
        (1, {"role": "loop_bad"}, "loop_bed"),
        (1, {"quality": "good"}, "quality"),
    ],
)
def test_what_cannot_be_planned_is_refused(stocking, tracks, options, refusal):
    with pytest.raises(InputError, match=refusal):
        stocking().plan_stock(CORPUS, tracks, **options)


def test_texts_that_nobody_reads_a_brief_of_are_refused(service):
    with pytest.raises(Unavailable, match="of text 1: no model is fitted to the encoder word-hash"):
        service.plan_stock(CORPUS, 1)
    stated = {"text": FIGHT, "brief": {"fits": ["action_drums"], "passable": [], "valence": 0, "energy": 1}}
    assert [one.style for one in service.plan_stock([stated], 1).tracks] == ["action_drums"]


def test_plans_are_shown_without_the_texts(stocking):
    plan = stocking().plan_stock(CORPUS, 2, **SHORT)
    lines = [*report.stock_lines(plan)]
    assert lines[0] == "corpus: 7 texts, all read; the catalog serves 0.0% already"
    assert plan.tracks[0].style in lines[2]
    assert json.loads(json.dumps(report.stock_json(plan)))["tracks"][0]["place"] == plan.tracks[0].place
    assert "context" not in report.stock_json(plan)["tracks"][0]


class Batching:
    """A stand-in for MusicGen: makes what it is asked for together, with the synthesizer."""

    def __init__(self):
        self.batches = []
        self._generator = ProceduralGenerator()

    def __call__(self, backend, size):
        return self

    def generate_music(self, prompt, config, **rest):
        (made,) = self.generate_batch([prompt], [config])
        return made

    def generate_batch(self, prompts, configs, **rest):
        self.batches.append(len(prompts))
        audios = map(self._generator.generate_music, prompts, configs)
        return [replace(audio, provenance={**audio.provenance, "backend": "mlx"}) for audio in audios]


def test_musicgen_makes_a_batch_together(stocking, monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "find", lambda size: tmp_path)
    monkeypatch.setattr(stock, "BATCH", 2)
    musicgen = Batching()
    service = stocking(generators=musicgen)
    made = service.stock(CORPUS, 3, backend="mlx", **SHORT)
    assert musicgen.batches == [2, 1]
    assert {track.backend for track in made.tracks} == {"mlx"}
    assert made.plan.cost_s == pytest.approx(3 * 2 * 6.0)
    assert "for a machine without a GPU" in made.plan.cost_basis[0]
