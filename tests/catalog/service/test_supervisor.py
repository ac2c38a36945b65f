"""Who reads the brief of a request: the caller, the user's language model, or the built-in model."""

from __future__ import annotations

import json

import pytest
import yaml
from chat_server import GOOD, fails, says, serve
from sample_texts import CALM, SHORT

from music_catalog import doctor
from music_catalog.errors import InputError
from music_catalog.report import explanation
from music_catalog.text import encoder as encoders

KEY = "sk-very-secret-0123456789"
STATED = {"fits": ["synthwave", "dark_techno"], "valence": -0.2, "energy": 0.5}


@pytest.fixture
def open_with(open_service, tmp_path):
    """Return a function that opens a service whose home names the language model at a url."""

    def open_(url, **settings):
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        reader = {"base_url": url, "model": "tiny", **settings}
        (home / "catalog.yaml").write_text(yaml.safe_dump({"musicgen": {"reader": reader}}), "utf-8")
        return open_service(home)

    return open_


def test_the_language_model_picks_the_style_once_for_a_text(open_with):
    with serve(says(GOOD)) as server:
        service = open_with(server.url)
        made = service.find_or_make(CALM, **SHORT)
        assert (made.track.style, made.request.brief.read_by) == ("quiet_room", "language model")
        assert made.request.brief.styles["quiet_room"].fits > 0.9
        assert made.request.brief.place == "rain"
        assert not any("language model" in warning for warning in made.warnings)
        assert any("[language model]" in line for line in explanation(made))
        assert service.find_or_make(CALM, **SHORT).decision.rule == "exact"
        longer = service.find_or_make(CALM, **{**SHORT, "duration_s": 4.0})
        assert longer.request.brief == made.request.brief
        assert len(server.asked) == 1


def test_a_close_match_that_is_served_again_keeps_the_style_without_asking(open_with):
    with serve(says(GOOD)) as server:
        service = open_with(server.url)
        service.find_or_make(CALM, **SHORT)
        first = service.find_or_make(f"{CALM} Indeed.", **SHORT)
        assert first.decision.rule == "similar"
        asked = len(server.asked)
        again = service.find_or_make(f"{CALM} Indeed.", **SHORT)
        assert (again.decision.rule, again.request.style) == ("exact", "quiet_room")
        assert len(server.asked) == asked


def test_a_failure_is_a_warning_and_the_text_is_read_without_it(open_with, open_service, tmp_path):
    plain = open_service(tmp_path / "plain").explain(CALM, **SHORT)
    with serve(fails(500, "out of memory")) as server:
        service = open_with(server.url)
        result = service.find_or_make(CALM, **SHORT)
        warning = result.warnings[0]
        assert "without the language model tiny" in warning
        assert "out of memory" in warning
        assert result.request.style == plain.request.style
        assert "is not asked for another" in service.explain("Another text.", **SHORT).warnings[0]
        assert len(server.asked) == 1


def test_a_stated_brief_wins_and_nobody_is_asked(open_with):
    with serve(says(GOOD)) as server:
        service = open_with(server.url)
        result = service.find_or_make(CALM, brief=STATED, **SHORT)
        assert (result.track.style, result.request.brief.read_by) == ("synthwave", "caller")
        assert server.asked == []
        assert service.find_or_make(CALM, brief=STATED, **SHORT).decision.rule == "exact"
        assert service.key_of(CALM, brief=STATED) != service.key_of(CALM)


def test_a_preset_wins_over_a_stated_brief(service):
    assert service.explain(CALM, brief=STATED, preset="lullaby").request.style == "lullaby"


@pytest.mark.parametrize(
    ("brief", "words"),
    [
        (
            {**STATED, "fits": ["synthwafe"]},
            "brief.fits names the unknown style 'synthwafe'; did you mean synthwave",
        ),
        ({**STATED, "passable": ["x"]}, "brief.passable names the unknown style 'x'"),
        ({**STATED, "valance": 1}, "unknown option 'brief.valance'; did you mean valence"),
        ({"fits": ["synthwave"]}, "brief.valence is missing"),
        ({**STATED, "energy": 3}, "brief.energy is 3"),
    ],
)
def test_a_mistake_in_a_stated_brief_is_named(service, brief, words):
    for source, stated in ((CALM, {"brief": brief}), ({"answer": CALM, "brief": brief}, {})):
        with pytest.raises(InputError) as caught:
            service.find_or_make(source, **stated)
        assert words in str(caught.value)


def test_a_payload_may_hold_a_brief_and_other_things_of_that_name_are_passed_over(service):
    assert service.explain({"answer": CALM, "brief": STATED}).request.style == "synthwave"
    for other in ("A short summary.", {"summary": "short"}, 3):
        assert service.explain({"answer": CALM, "brief": other}).request.context.brief is None


def test_another_model_gives_other_keys_and_another_address_does_not(open_with, service):
    one = open_with("http://127.0.0.1:1/v1").key_of(CALM)
    moved = open_with("http://127.0.0.1:2/v1", timeout_s=5.0, api_key_env="READER_KEY").key_of(CALM)
    larger = open_with("http://127.0.0.1:1/v1", model="large").key_of(CALM)
    assert one == moved
    assert len({one, larger, service.key_of(CALM)}) == 3


def test_the_doctor_asks_the_language_model_and_shows_no_key(open_with, monkeypatch, tmp_path):
    monkeypatch.setenv("READER_KEY", KEY)
    with serve(says(GOOD), fails(401, f"wrong key {KEY}")) as server:
        open_with(server.url, api_key_env="READER_KEY")
        good, bad = (
            next(one for one in doctor.examine(str(tmp_path / "home")) if one.name == "reader")
            for _ in range(2)
        )
    assert good.status == "ok"
    assert "quiet_room" in good.detail
    assert bad.status == "warning"
    assert "check the key in READER_KEY" in bad.detail
    assert KEY not in good.detail + bad.detail


def test_the_doctor_does_not_make_a_home(tmp_path):
    config = tmp_path / "mine.yaml"
    config.write_text("musicgen: {reader: {base_url: 'http://127.0.0.1:1/v1', model: tiny}}", "utf-8")
    checks = {one.name: one for one in doctor.examine(str(tmp_path / "none"), config=str(config))}
    assert "cannot be reached" in checks["reader"].detail
    assert not (tmp_path / "none").exists()


def test_the_schema_of_the_service_is_that_of_its_styles(service):
    assert service.brief_schema()["properties"]["fits"]["items"]["enum"] == list(service.library.styles)
    assert json.dumps(service.brief_schema())


def test_what_the_application_is_counts_as_configured_or_as_a_request_says(open_service, tmp_path):
    (tmp_path / "home").mkdir()
    detective = {"musicgen": {"application": "a noir detective adventure in Buenos Aires in 1946"}}
    (tmp_path / "home" / "catalog.yaml").write_text(yaml.safe_dump(detective), "utf-8")
    service = open_service(tmp_path / "home", encoder=encoders.load(), min_similarity=None)
    knife = "The knife is in your own desk drawer. You didn't put it there."
    asked = service.find_or_make(knife, dry_run=True).request
    assert (asked.style, asked.brief.application) == ("mystery_noir", detective["musicgen"]["application"])
    children = service.find_or_make(
        knife, dry_run=True, application="bedtime stories for small children"
    ).request
    alone = service.find_or_make(knife, dry_run=True, application="").request
    assert len({one.key for one in (asked, children, alone)}) == 3
    first = service.find_or_make(knife, **SHORT)
    same = service.find_or_make(f"{knife} Indeed.", **SHORT)
    assert (same.action, same.track.id) == ("reused", first.track.id)
    other = service.find_or_make(knife, application="bedtime stories for small children", **SHORT)
    assert (first.track.style, other.action) == ("mystery_noir", "generated")
    assert other.track.style != "mystery_noir"
    assert (alone.brief.application, children.context.application) == (
        None,
        "bedtime stories for small children",
    )


def test_a_text_in_a_language_that_is_not_read_is_told_to_be_a_guess(open_service, tmp_path):
    service = open_service(tmp_path / "home", encoder=encoders.load())
    thai = "คุณยายเสียชีวิตเมื่อคืนนี้ ทุกคนร้องไห้"
    guesses = {
        text: [one for one in service.find_or_make(text, dry_run=True).warnings if "is a guess" in one]
        for text in (thai, "La niña lloraba en la cocina toda la noche.", "The girl wept all night.")
    }
    (told,), *others = guesses.values()
    assert "the text is in Thai" in told
    assert others == [[], []]
    stated = {"fits": ["sad_piano"], "valence": -0.8, "energy": -0.6}
    for named in ({"brief": stated}, {"preset": "sad_piano"}, {"mood_tags": ["sad"]}, {"valence": -0.8}):
        warnings = service.find_or_make(thai, dry_run=True, **named).warnings
        assert not any("is a guess" in one for one in warnings)
