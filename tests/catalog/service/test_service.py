from __future__ import annotations

import hashlib
import itertools
import json
import threading

import numpy as np
import pytest
from fakes import Counting
from sample_texts import CALM, CALM_AGAIN, ELSEWHERE, PANIC, SHORT

from music_catalog.errors import ConfigError, InputError, NotFound, StorageError, Unavailable
from music_catalog.generator import Cancelled, GeneratorError, audio
from music_catalog.models import Filter


class Failing:
    def __init__(self, error):
        self._error = error

    def __call__(self, backend, size):
        return self

    def generate_music(self, prompt, config, **rest):
        raise self._error


def test_a_new_context_makes_a_track_whose_row_and_file_agree(service):
    result = service.find_or_make(CALM, **SHORT)
    assert (result.action, result.decision.rule) == ("generated", "no_candidate")
    data = result.path.read_bytes()
    assert hashlib.sha256(data).hexdigest() == result.track.audio_sha256
    assert len(data) == result.track.audio_bytes
    samples = audio.read(result.path)
    assert samples.duration_s == pytest.approx(result.track.duration_s) == pytest.approx(2.0)
    assert service.store.tracks.get(result.track.id) == result.track
    sidecar = json.loads(result.path.with_suffix(".json").read_text("utf-8"))
    assert (sidecar["id"], sidecar["ai_generated"]) == (result.track.id, True)
    mark = json.loads(audio.read_tags(result.path)["comment"])
    assert (mark["id"], mark["ai_generated"], mark["seed"]) == (result.track.id, True, result.track.seed)


def test_the_same_request_again_is_served_without_encoder_or_generator(service, open_service):
    first = service.find_or_make(CALM, **SHORT)

    class Refusing(type(service.encoder)):
        def encode(self, texts):
            raise AssertionError("an exact repeat must not encode")

    again = open_service(encoder=Refusing(), generators=Failing(AssertionError()))
    result = again.find_or_make(CALM, **SHORT)
    assert (result.action, result.decision.rule, result.track) == ("reused", "exact", first.track)
    assert result.similarity == 1.0


def test_a_close_match_asked_for_again_needs_no_encoder_either(service, open_service):
    made = service.find_or_make(CALM, **SHORT)
    assert service.find_or_make(CALM_AGAIN, **SHORT).decision.rule == "similar"

    class Refusing(type(service.encoder)):
        def encode(self, texts):
            raise AssertionError("a repeat must not encode")

    again = open_service(encoder=Refusing()).find_or_make(CALM_AGAIN, **SHORT)
    assert (again.decision.rule, again.track.id) == ("exact", made.track.id)
    service.store.tracks.trash(made.track.id)
    assert service.find(CALM_AGAIN, **SHORT) is None


def test_a_track_thrown_out_does_not_come_back_by_asking_again(service):
    first = service.find_or_make(CALM, **SHORT)
    service.store.tracks.trash(first.track.id)
    second = service.find_or_make(CALM, **SHORT)
    assert second.action == "generated"
    assert second.track.seed != first.track.seed


def test_a_paraphrase_reuses_and_the_opposite_mood_does_not(service):
    first = service.find_or_make(CALM, **SHORT)
    again = service.find_or_make(CALM_AGAIN, **SHORT)
    assert (again.action, again.decision.rule, again.track.id) == ("reused", "similar", first.track.id)
    panic = service.find_or_make(PANIC, **SHORT)
    assert panic.action == "generated"
    assert panic.track.id != first.track.id
    assert [one.track_id for one in panic.decision.candidates] == [first.track.id]
    assert "opposite mood" in panic.reason


def test_another_topic_makes_its_own(service):
    service.find_or_make(CALM, **SHORT)
    assert service.find_or_make(ELSEWHERE, **SHORT).action == "generated"
    assert service.store.tracks.count(Filter()) == 2


def test_a_dry_run_decides_and_makes_nothing(service):
    result = service.find_or_make(CALM, dry_run=True, **SHORT)
    assert (result.action, result.track, result.path, result.decision.action) == ("none", None, None, "make")
    assert service.store.tracks.count(Filter()) == 0


def test_find_never_makes(service):
    assert service.find(CALM, **SHORT) is None
    made = service.find_or_make(CALM, **SHORT)
    found = service.find(CALM_AGAIN, **SHORT)
    assert (found.track.id, found.path) == (made.track.id, made.path)
    assert found.similarity == pytest.approx(found.decision.similarity)


def test_always_takes_the_best_and_never_makes(service):
    with pytest.raises(NotFound, match="ruled out"):
        service.find_or_make(CALM, reuse="always", **SHORT)
    made = service.find_or_make(CALM, **SHORT)
    result = service.find_or_make(ELSEWHERE, reuse="always", **SHORT)
    assert (result.action, result.decision.rule, result.track.id) == ("reused", "always", made.track.id)


def test_never_makes_a_different_take_each_time(service):
    takes = [service.find_or_make(CALM, reuse="never", **SHORT) for _ in range(2)]
    assert [take.action for take in takes] == ["generated", "generated"]
    assert takes[0].track.seed != takes[1].track.seed
    assert takes[0].track.audio_sha256 != takes[1].track.audio_sha256


def test_the_same_inputs_and_seed_give_the_same_samples(open_service, tmp_path):
    results = [open_service(tmp_path / name).find_or_make(CALM, **SHORT) for name in ("one", "two")]
    first, second = (audio.read(result.path).samples for result in results)
    assert results[0].track.seed == results[1].track.seed
    assert np.array_equal(first, second)
    named = service_seed = open_service(tmp_path / "three").generate(CALM, seed=7, **SHORT)
    other = open_service(tmp_path / "one").find_or_make(PANIC, **SHORT)
    assert other.track.seed != results[0].track.seed
    assert (named.track.seed, service_seed.request.config_sources["seed"]) == (7, "caller")


def test_min_similarity_moves_the_threshold(service):
    service.find_or_make(CALM, **SHORT)
    assert service.find_or_make(CALM_AGAIN, min_similarity=1.0, dry_run=True, **SHORT).action == "none"
    other = "A calm, peaceful report on container shipping through Rotterdam."
    assert service.find_or_make(other, dry_run=True, **SHORT).action == "none"
    assert service.find_or_make(other, min_similarity=-1.0, dry_run=True, **SHORT).action == "reused"
    assert service.find_or_make(PANIC, min_similarity=-1.0, dry_run=True, **SHORT).action == "none"
    with pytest.raises(InputError, match="between -1 and 1"):
        service.find_or_make(CALM, min_similarity=3.0)


def test_no_hard_fact_is_ever_broken(service):
    asks = [
        {"role": role, "quality": quality, "duration_s": duration_s}
        for role, quality, duration_s in itertools.product(
            ("background_bed", "loop_bed"), ("preview", "standard"), (1.0, 2.0, 3.0)
        )
    ]
    made = asks[::4]
    for ask in made:
        service.find_or_make(CALM, reuse="never", **ask)
    served = []
    for ask in asks:
        result = service.find_or_make(CALM_AGAIN, min_similarity=-1.0, dry_run=True, **ask)
        if result.track is None:
            continue
        served.append(ask)
        assert result.track.role == ask["role"]
        assert (result.track.quality, ask["quality"]) != ("preview", "standard")
        assert result.track.loopable == (ask["role"] == "loop_bed")
        assert result.track.duration_s == pytest.approx(ask["duration_s"], abs=0.5)
    assert all(ask in served for ask in made)
    assert len(served) < len(asks)


def test_the_backend_a_caller_names_is_a_hard_fact(service):
    service.find_or_make(CALM, backend="procedural", **SHORT)
    facts = service.explain(CALM_AGAIN, backend="procedural", **SHORT).decision.filter
    assert facts.backend == "procedural"
    assert service.explain(CALM_AGAIN, **SHORT).decision.filter.backend is None


def test_a_loop_of_the_length_a_caller_names_has_that_length(service):
    service.find_or_make(CALM, role="loop_bed", duration_s=2.0, quality="preview")
    assert service.find(CALM_AGAIN, role="loop_bed", duration_s=8.0, quality="preview") is None
    assert service.find(CALM_AGAIN, role="loop_bed", quality="preview").track.duration_s == pytest.approx(2.0)


def test_the_preset_a_caller_names_is_the_preset_it_gets(service):
    service.find_or_make(CALM, preset="ambient_lofi", **SHORT)
    result = service.find_or_make(CALM_AGAIN, preset="synthwave", **SHORT)
    assert (result.action, result.track.style) == ("generated", "synthwave")


def test_auto_says_what_stands_in_and_mlx_refuses_without_weights(service):
    result = service.find_or_make(CALM, **SHORT)
    assert result.track.backend == "procedural"
    assert any("procedural synthesizer" in warning for warning in result.warnings)
    with pytest.raises(Unavailable, match="catalog models pull small"):
        service.find_or_make(CALM, backend="mlx", **SHORT)


@pytest.mark.parametrize(
    ("asked", "kind", "message"),
    [
        ({"preset": "ambient_lofy"}, ConfigError, "ambient_lofi"),
        ({"role": "background"}, ConfigError, "background_bed"),
        ({"quality": "best"}, InputError, "preview"),
        ({"duration_s": -1.0}, ConfigError, "duration_s"),
        ({"duration_s": float("nan")}, ConfigError, "duration_s"),
        ({"duration_s": 1e9}, ConfigError, "duration_s"),
        ({"generation": {"top_kk": 3}}, ConfigError, "top_k"),
        ({"generation": {"duration_s": 3}, "duration_s": 2.0}, InputError, "given twice"),
        ({"seed": -1}, InputError, "seed is -1: pass at least 0$"),
        ({"seed": 2**32}, InputError, "seed is 4294967296: pass less than 4,294,967,296$"),
        ({"duration_s": float("nan")}, ConfigError, "^duration_s is nan, but must "),
        ({"mood_tags": [3]}, InputError, r"mood_tags\.0 is 3: pass a text$"),
        ({"valence": 2}, InputError, "valence is 2: pass at most 1$"),
        ({"environment": 5}, InputError, "environment is 5: pass one of forest, rain, "),
        ({"language": "xx"}, InputError, "language is 'xx', which is no language"),
        ({"brief": 3}, InputError, "brief is 3: pass a mapping$"),
        ({"seed": True}, InputError, "seed is True: pass a whole number"),
        ({"duration_s": True}, InputError, "duration_s is True: pass a number"),
        ({"valence": "0.5"}, InputError, "valence is '0.5': pass a number"),
        ({"loopable": "no"}, InputError, "loopable is 'no': pass true or false"),
        ({"text": "A baby sleeps."}, InputError, "give the text once"),
        ({"loopable": True, "role": "ui_sfx"}, InputError, "one-shot"),
        ({"colour": "red"}, InputError, "unknown option 'colour'"),
        ({"varity": 1}, InputError, r"did you mean variety .*valid: application, .*dry_run, .*reuse, "),
        ({"enviroment": "cave"}, InputError, "environment"),
        ({"query": "a\udcff"}, InputError, "query cannot be used: it holds a lone surrogate"),
        ({"mood_tags": ("\ud800",)}, InputError, "mood_tags"),
        ({"mood_tags": ("",)}, InputError, "mood_tags"),
        ({"reuse": "nevr"}, InputError, "never"),
        ({"duration_s": 1e-6}, InputError, "at least 0.05 s"),
        ({"generation": {"loopable": True}, "role": "ui_sfx"}, InputError, "one-shot"),
    ],
)
def test_choices_that_cannot_be_used_are_refused_in_one_sentence(service, asked, kind, message):
    with pytest.raises(kind, match=message) as caught:
        service.find_or_make(CALM, **asked)
    assert "\n" not in str(caught.value)
    assert service.store.tracks.count(Filter()) == 0


def test_what_the_pipeline_knows_wins(service):
    result = service.find_or_make(
        CALM, environment="cave", time_of_day="night", mood_tags=("ominous",), **SHORT
    )
    assert (result.track.environment, result.track.time_of_day) == ("cave", "night")
    assert result.track.mood_tags == ("ominous",)
    assert result.track.style == "environment_cave"


def test_a_payload_comes_back_with_its_music_and_is_left_alone(service):
    payload = {"question": "What is the library like?", "answer": CALM, "sources": ["a"]}
    before = json.dumps(payload)
    answered = service.attach_soundtrack(payload, **SHORT)
    assert json.dumps(payload) == before
    music = json.loads(json.dumps(answered))["music"]
    assert (music["action"], music["ai_generated"]) == ("generated", True)
    assert answered["sources"] == ["a"]
    assert service.store.tracks.get(music["track_id"]).query == "What is the library like?"


def test_every_call_leaves_a_line_in_the_log(service):
    made = service.find_or_make(CALM, query="Where?", **SHORT)
    service.find_or_make(CALM, **SHORT)
    service.find(ELSEWHERE, **SHORT)
    lines = {line.id: line for line in service.store.requests.list(limit=10)}
    assert len(lines) == 3
    line = lines[made.request_id]
    assert (line.command, line.action, line.query, line.track_id) == (
        "find-or-make",
        "generated",
        "Where?",
        made.track.id,
    )
    assert line.prompt == made.request.prompt
    assert line.timings_s.keys() >= {"features", "encode", "decide", "generate", "store_audio"}


def test_a_call_that_fails_is_logged_too(open_service):
    service = open_service(generators=Failing(GeneratorError("no sound")))
    with pytest.raises(NotFound):
        service.find_or_make(CALM, reuse="always", **SHORT)
    with pytest.raises(Unavailable):
        service.find_or_make(CALM, **SHORT)
    reasons = [(line.action, line.rule, line.reason.split(":")[0]) for line in service.store.requests.list()]
    assert sorted(reasons) == [("none", "failed", "NotFound"), ("none", "failed", "Unavailable")]


def test_every_call_of_a_batch_that_fails_is_logged(open_service):
    service = open_service(generators=Failing(GeneratorError("no sound")))
    with pytest.raises(Unavailable):
        service.find_or_make_all([CALM, ELSEWHERE, CALM_AGAIN], **SHORT)
    lines = service.store.requests.list()
    assert [(line.action, line.rule) for line in lines] == [("none", "failed")] * 3
    assert {line.reason for line in lines} == {"Unavailable: no sound"}
    assert len({line.key for line in lines}) == 3


def test_a_cancelled_batch_is_logged_and_what_was_served_before_stays_served(service):
    made = service.find_or_make(PANIC, **SHORT)

    def stop(done, total):
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        service.find_or_make_all([PANIC, CALM], on_progress=stop, **SHORT)
    lines = {line.key: line for line in service.store.requests.list() if line.id != made.request_id}
    assert lines.pop(made.request.key).rule == "exact"
    assert [line.rule for line in lines.values()] == ["cancelled"]


def test_what_a_batch_made_before_an_error_is_logged_as_made(service, monkeypatch):
    insert, inserted = service.store.tracks.insert_all, []

    def insert_once(tracks):
        if inserted:
            raise StorageError("the disk is full")
        inserted.extend(new.track.id for new in tracks)
        return insert(tracks)

    monkeypatch.setattr(service.store.tracks, "insert_all", insert_once)
    with pytest.raises(StorageError):
        service.find_or_make_all([CALM, ELSEWHERE], **SHORT)
    lines = {line.action: line for line in service.store.requests.list()}
    assert (lines["generated"].track_id, lines["none"].rule) == (inserted[0], "failed")


def test_warnings_are_said_again_on_a_repeat(service):
    ask = {"quality": "preview", "duration_s": 40.0, "role": "background_bed"}
    first, again = service.find_or_make(CALM, **ask), service.find_or_make(CALM, **ask)
    for result in (first, again):
        assert any("duration_s 40 was cut to 15" in warning for warning in result.warnings)
        assert any("procedural synthesizer" in warning for warning in result.warnings)
    assert (first.similarity, again.similarity) == (None, 1.0)


def test_a_failing_generator_leaves_nothing(open_service):
    broken = open_service(generators=Failing(GeneratorError("the oscillator is on fire")))
    with pytest.raises(Unavailable, match="on fire"):
        broken.find_or_make(CALM, **SHORT)
    assert broken.store.tracks.count(Filter()) == 0
    assert not list((broken.store.home / "audio").rglob("*.wav"))
    assert open_service().find_or_make(CALM, **SHORT).action == "generated"


def test_cancelling_stops_and_leaves_nothing(service):
    def stop(done, total):
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        service.find_or_make(CALM, on_progress=stop, **SHORT)
    assert service.store.tracks.count(Filter()) == 0


@pytest.mark.parametrize("method", ["find_or_make", "generate", "find_or_make_all"])
def test_an_interrupted_call_leaves_its_line_in_the_log(service, method):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        getattr(service, method)([CALM] if method.endswith("all") else CALM, on_progress=interrupt, **SHORT)
    (line,) = service.store.requests.list()
    assert (line.action, line.rule, line.reason) == ("none", "cancelled", "interrupted")
    assert service.store.tracks.count(Filter()) == 0


def test_threads_with_one_request_make_one_track(open_service):
    generator = Counting()
    service = open_service(generators=generator)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(service.find_or_make(CALM, **SHORT))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert generator.made == 1
    assert len({result.track.id for result in results}) == 1
    assert sorted(result.action for result in results) == ["generated", "reused", "reused", "reused"]


def test_many_contexts_share_what_they_would_share_one_after_the_other(service):
    before = service.find_or_make(PANIC, **SHORT)
    results = service.find_or_make_all([CALM, ELSEWHERE, CALM_AGAIN, CALM, PANIC], **SHORT)
    assert [result.action for result in results] == ["generated", "generated", "reused", "reused", "reused"]
    calm, elsewhere, again, repeat, panic = (result.track.id for result in results)
    assert calm == again == repeat != elsewhere
    assert panic == before.track.id
    assert service.find_or_make_all([]) == []


@pytest.mark.parametrize(
    ("contexts", "reason"),
    [
        ("Rain", "the contexts are one str; pass a list of them"),
        (None, "^text_contexts is None; pass a list$"),
        (3, "^text_contexts is 3; pass a list$"),
        ({"answer": CALM}, "the contexts are one dict; pass a list"),
        ([CALM, "", PANIC], "context 2: the text is empty"),
        ([CALM, 3], "context 2: the context is a int"),
    ],
)
def test_contexts_of_a_batch_are_a_list_and_a_wrong_one_is_named(service, contexts, reason):
    with pytest.raises(InputError, match=reason):
        service.find_or_make_all(contexts, **SHORT)
    with pytest.raises(InputError, match=r"^role"):
        service.find_or_make_all([CALM], role=3)
    assert service.store.tracks.list() == []


def test_misses_are_made_in_one_batch_where_the_generator_can(open_service):
    class Batching(Counting):
        batches = ()

        def generate_batch(self, prompts, configs, *, melodies=None, on_progress=None):
            self.batches = (*self.batches, len(prompts))
            return [self._generator.generate_music(*pair) for pair in zip(prompts, configs, strict=True)]

    generator = Batching()
    service = open_service(generators=generator)
    texts = [CALM, ELSEWHERE, PANIC]
    results = service.find_or_make_all(texts, **SHORT)
    assert generator.batches == (3,)
    assert generator.made == 0
    assert [result.track.context for result in results] == texts
    assert [result.action for result in results] == ["generated"] * 3
    alone = open_service(service.store.home.parent / "alone").find_or_make(PANIC, **SHORT)
    assert np.array_equal(audio.read(alone.path).samples, audio.read(results[2].path).samples)


@pytest.mark.parametrize(
    ("role", "duration_s"), [("ui_sfx", 0.3), ("intro_sting", 3.0), ("narration_bed", 5.0), ("loop_bed", 5.0)]
)
def test_each_role_has_its_loudness_length_and_channels(service, role, duration_s):
    track = service.find_or_make(PANIC, role=role, duration_s=duration_s, quality="preview").track
    wanted = service.library.role(role)
    assert track.loudness_lufs == pytest.approx(wanted.loudness_lufs, abs=0.6)
    assert track.true_peak_db <= -1.0
    assert track.duration_s == pytest.approx(duration_s, abs=1e-3)
    assert track.channels == (wanted.channels or 2)
    samples = audio.read(service.store.audio.path_of(track)).samples
    if not track.loopable and wanted.fade_out_s:
        assert np.abs(samples[-8:]).max() < 0.01


def test_without_normalization_the_loudness_is_the_generators_own(service):
    asked = {"role": "background_bed", "duration_s": 3.0, "quality": "preview"}
    off = service.generate(CALM, seed=1, generation={"loudness_normalization": False}, **asked).track
    on = service.generate(CALM, seed=1, **asked).track
    assert on.loudness_lufs == pytest.approx(-20.0, abs=0.6)
    assert abs(off.loudness_lufs - on.loudness_lufs) > 0.6


def test_a_negative_prompt_is_kept_and_said_to_be_unread_without_musicgen(service):
    made = service.find_or_make(CALM, generation={"negative_prompt": "vocals, drums"}, **SHORT)
    assert made.track.config["negative_prompt"] == "vocals, drums"
    assert made.track.config_sources["negative_prompt"] == "caller"
    assert any("negative_prompt is read by MusicGen only" in warning for warning in made.warnings)
    with pytest.raises(ConfigError, match="negative_prompt"):
        service.find_or_make(CALM, generation={"negative_prompt": 3}, **SHORT)


def test_a_strict_duration_is_held_or_refused(open_service):
    class Short(Counting):
        def generate_music(self, prompt, config, **rest):
            return super().generate_music(prompt, {**config, "duration_s": config["duration_s"] / 2}, **rest)

    service = open_service(generators=Short())
    with pytest.raises(InputError, match="strict"):
        service.find_or_make(CALM, generation={"normalize_duration": "strict"}, **SHORT)
    padded = service.find_or_make(CALM, generation={"normalize_duration": "pad"}, **SHORT).track
    assert padded.duration_s == pytest.approx(2.0)
    assert service.store.tracks.count(Filter()) == 1


def test_a_trashed_track_is_not_served_and_comes_back(service):
    made = service.find_or_make(CALM, **SHORT)
    service.store.tracks.trash(made.track.id)
    assert service.find(CALM, **SHORT) is None
    service.store.tracks.restore(made.track.id)
    assert service.find(CALM, **SHORT).track.id == made.track.id


def test_a_track_whose_file_is_gone_is_not_served(service):
    made = service.find_or_make(CALM, **SHORT)
    made.path.unlink()
    again = service.find_or_make(CALM, **SHORT)
    assert again.action == "generated"
    assert again.path.is_file()


def test_search_by_meaning_words_and_both_with_filters(service):
    calm = service.find_or_make(CALM, **SHORT)
    service.find_or_make(ELSEWHERE, **SHORT)
    for by in ("meaning", "words", "both"):
        hits = service.search("soft rain on library windows", by=by)
        assert hits[0].track.id == calm.track.id
        assert hits[0].path == calm.path
    assert service.search("rain", style="no_such_style' OR '1'='1") == []
    assert service.search("rain", min_duration_s=100) == []
    with pytest.raises(InputError, match="search by"):
        service.search("rain", by="word")
    with pytest.raises(InputError, match="unknown option"):
        service.search("rain", flavour="sweet")


def test_a_configuration_in_the_home_is_used(tmp_path, open_service):
    home = tmp_path / "home"
    home.mkdir()
    (home / "catalog.yaml").write_text(
        "musicgen:\n  presets:\n    my_style: {description: Mine., prompt_tags: [slow cello, warm]}\n"
    )
    result = open_service(home).find_or_make(CALM, preset="my_style", **SHORT)
    assert result.track.style == "my_style"
    assert result.request.prompt.startswith("slow cello, warm. ")


def test_the_prompt_reads_tags_topic_tone(service):
    request = service.find_or_make(CALM, dry_run=True, **SHORT).request
    tags = ", ".join(request.config["prompt_tags"])
    features = request.features
    assert request.prompt == f"{tags}. {features.summary_of_topic}. {features.emotional_tone_description}."
    assert set(request.config) == set(request.config_sources)


def test_with_an_encoder_nobody_calibrated_only_exact_repeats_are_reused_and_it_is_said(
    open_service, tmp_path
):
    service = open_service(tmp_path / "uncertified", min_similarity=None)
    first = service.find_or_make(CALM, **SHORT)
    again = service.find_or_make(CALM_AGAIN, dry_run=True, **SHORT)
    assert (again.action, again.decision.rule, again.decision.certificate) == ("none", "uncertified", "")
    assert any("catalog calibrate" in warning for warning in again.warnings)
    assert "word-hash@1" in again.reason
    repeat = service.find_or_make(CALM, **SHORT)
    assert (repeat.decision.rule, repeat.track.id) == ("exact", first.track.id)
    assert not any("calibrate" in warning for warning in repeat.warnings)
    by_score = service.find_or_make(CALM_AGAIN, min_similarity=0.5, dry_run=True, **SHORT)
    assert (by_score.decision.rule, by_score.track.id) == ("similar", first.track.id)


def test_explain_says_how_many_tracks_each_hard_fact_rejects(service):
    service.find_or_make(CALM, **SHORT)
    decision = service.explain(CALM_AGAIN, role="narration_bed", duration_s=30.0, quality="final").decision
    assert decision.rejected_by == {"role": 1, "quality": 1, "model": 0, "duration": 1}
    assert service.find_or_make(CALM_AGAIN, dry_run=True, **SHORT).decision.rejected_by == {}


@pytest.mark.parametrize("rate", [0.0, 1.0, -1.0, float("nan")])
def test_a_rate_of_false_reuse_is_a_share(service, rate):
    with pytest.raises(InputError, match="between 0 and 1"):
        service.find_or_make(CALM, max_false_reuse=rate, **SHORT)
