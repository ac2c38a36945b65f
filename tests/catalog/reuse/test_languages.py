"""A certificate holds for the languages of its labels, and in others only the same request is reused."""

from __future__ import annotations

import json

import pytest
from builders import a_request, a_track, some_features
from homes import a_record
from test_certificate import a_certificate
from test_decision import CERTIFICATE, CERTIFIED

from music_catalog.errors import InputError
from music_catalog.models import Context
from music_catalog.report import certificate_lines
from music_catalog.reuse.calibration import calibrate
from music_catalog.reuse.certificate import CERTIFICATE as FILE
from music_catalog.reuse.certificate import identified, save, standing
from music_catalog.reuse.decision import decide, like
from music_catalog.reuse.labels import LabelledScene, Labels, Pair
from music_catalog.reuse.languages import covers, languages_of, uncovered
from music_catalog.reuse.terms import Terms
from music_catalog.text import encoder as encoders
from music_catalog.text.features import extract
from tests.fakes import WordHashEncoder

THAI = a_request(features=some_features(language="th"))


@pytest.mark.parametrize("spoken", ["en", "en-GB", "EN_us", "English", "eng", "und"])
def test_english_and_what_cannot_be_told_are_covered_by_english_labels(spoken):
    assert covers(("en",), spoken)
    assert uncovered(("en",), spoken) == ""


@pytest.mark.parametrize("spoken", ["th", "de", "mis", "pt-BR", "Thai", "xx"])
def test_any_other_language_is_not(spoken):
    assert not covers(("en",), spoken)
    assert "the certificate holds for English" in uncovered(("en",), spoken)


def test_labels_in_another_language_cover_that_one():
    assert covers(("de", "fr"), "fr-CA")
    assert not covers(("de", "fr"), "und")
    assert "holds for German and French" in uncovered(("de", "fr"), "en")


def test_a_text_in_another_language_gets_no_close_match_and_the_reason_names_the_language():
    decision = decide(THAI, [(a_track(), 1.0)], CERTIFIED)
    assert (decision.action, decision.rule, decision.certificate) == ("make", "uncertified", "")
    assert decision.threshold == 1.0
    assert not decision.candidates[0].admissible
    assert "the text is in Thai and the certificate holds for English" in decision.reason
    for way in ("min_similarity", "reuse='always'", "catalog calibrate --labels"):
        assert way in decision.reason
    assert decide(a_request(), [(a_track(), 1.0)], CERTIFIED).rule == "similar"


def test_the_caller_may_still_have_a_score_decide_or_anything_served():
    assert decide(THAI, [(a_track(), 0.99)], Terms(min_similarity=0.5)).rule == "similar"
    always = decide(THAI, [(a_track(), 0.99)], Terms("always", certificate=CERTIFICATE))
    assert (always.action, always.rule) == ("reuse", "always")


def test_two_calls_of_a_batch_share_no_track_either():
    assert like(a_request(), a_request(), 1.0, CERTIFIED)
    assert not like(THAI, a_request(), 1.0, CERTIFIED)


def test_a_close_match_served_before_does_not_stand_in_another_language():
    served = {"rule": "similar", "probability": 0.99, "created_at": CERTIFICATE.made_at}
    assert CERTIFIED.stands(a_record("a", features=some_features(), **served))
    assert not CERTIFIED.stands(a_record("a", features=some_features(language="th"), **served))


def test_a_certificate_without_languages_is_english_and_keeps_its_id(tmp_path):
    made = a_certificate()
    assert made.languages == ("en",)
    content = json.loads(made.model_dump_json(exclude={"languages"}))
    (tmp_path / FILE).write_text(json.dumps(content), "utf-8")
    assert standing(tmp_path, "word-hash@1").certificate == made
    german = identified(made.model_copy(update={"languages": ("de",)}))
    assert german.id != made.id
    save(german, tmp_path / FILE)
    changed = {**json.loads((tmp_path / FILE).read_text("utf-8")), "languages": ["de", "th"]}
    (tmp_path / FILE).write_text(json.dumps(changed), "utf-8")
    assert "its id does not follow from its content" in standing(tmp_path, "word-hash@1").note


GERMAN, ENGLISH = (
    "Der Regen fällt auf das Dach und es ist still.",
    "The rain falls on the roof and it is quiet.",
)


def test_a_certificate_is_shown_with_its_languages():
    german = a_certificate(languages=("de", "th"), bounds=())
    assert "languages: German, Thai; in others only exact repeats are reused" in [*certificate_lines(german)]


def test_the_languages_of_labels_are_those_with_enough_scenes():
    units = [[GERMAN, GERMAN, ENGLISH]] * 3 + [[ENGLISH]] * 2 + [["Ok"]]
    assert languages_of(units, 3) == ("de", "en")
    assert languages_of(units, 4) == ()


def test_labels_that_are_enough_in_no_language_are_refused_and_german_ones_certify_german():
    scenes = tuple(
        LabelledScene(scene=f"s{n}", fits=(f"{GERMAN} {n}", f"Es regnet, und das Dach {n} ist nass."))
        for n in range(20)
    )
    english = tuple(Pair(asked=f"{ENGLISH} {n}", track=f"{ENGLISH} {n}!", fits=True) for n in range(20))
    mixed = Labels(source="mine", sha256="", scenes=scenes, pairs=english)
    with pytest.raises(InputError, match="languages with at least 40 scenes, and mine has as many in none"):
        calibrate(WordHashEncoder(), labels=mixed)
    alone = Labels(source="mine", sha256="", scenes=scenes)
    assert calibrate(WordHashEncoder(), labels=alone, rates=[0.3]).languages == ("de",)


def test_the_service_warns_and_reuses_the_same_request_alone(open_service):
    service = open_service(min_similarity=None)
    save(a_certificate(encoder=service.encoder.identity), service.store.home / FILE)
    asked = {"quality": "preview", "duration_s": 1.0, "role": "background_bed"}
    first = service.find_or_make("ฝนตกเบา ๆ บนหลังคาบ้านริมทะเล", **asked)
    other = service.find_or_make("เด็ก ๆ เล่นอยู่บนหลังคาบ้านริมทะเล", dry_run=True, **asked)
    assert (other.track, other.decision.rule) == (None, "uncertified")
    assert "the text is in Thai" in other.warnings[-1]
    again = service.find_or_make("ฝนตกเบา ๆ บนหลังคาบ้านริมทะเล", **asked)
    assert (again.decision.rule, again.track.id) == ("exact", first.track.id)
    stated = service.find_or_make("ฝนตกเบา ๆ ที่ริมทะเล", dry_run=True, language="en", **asked)
    assert stated.decision.rule != "uncertified"


@pytest.mark.parametrize(
    ("language", "beach", "bomb"),
    [
        ("th", "เด็ก ๆ วิ่งหัวเราะไปตามชายหาดและก่อปราสาททราย", "เช้านี้พบระเบิดในโรงเรียน ตำรวจพาทุกคนออกจากอาคาร"),
        (
            "pl",
            "Dzieci ze śmiechem biegną po plaży i budują zamek z piasku.",
            "Dziś rano w szkole znaleziono bombę i policja wyprowadziła wszystkich.",
        ),
    ],
)
def test_a_bomb_at_a_school_does_not_get_the_music_of_children_on_a_beach(tmp_path, language, beach, bomb):
    encoder = encoders.load()
    made, asked = (
        (
            a_request(context=(context := Context(text=text)), features=extract(context, encoder)),
            encoder.encode([text])[0],
        )
        for text in (beach, bomb)
    )
    shipped = standing(tmp_path, encoder.identity).certificate
    cosine = float(made[1] @ asked[1])
    anywhere = shipped.model_copy(update={"languages": (language,)})
    assert like(asked[0], made[0], cosine, Terms(certificate=anywhere)), "nothing to guard against"
    assert not like(asked[0], made[0], cosine, Terms(certificate=shipped))
