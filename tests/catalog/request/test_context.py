from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog.errors import InputError
from music_catalog.models import Context
from music_catalog.request.context import as_payload, own_moods, passed_over, read_bytes, read_context


def test_a_text_is_the_context():
    assert read_context("  Calm rain.\n").text == "Calm rain."


def test_a_rag_payload_passes_as_it_is():
    payload = {
        "question": "Why?",
        "answer": "Because.",
        "sources": ["a"],
        "score": 0.3,
        "mood_tags": ["calm"],
    }
    context = read_context(payload)
    assert (context.text, context.query, context.mood_tags) == ("Because.", "Why?", ("calm",))


def test_features_may_be_nested_and_the_call_wins_over_the_payload():
    payload = {"chunk": "A dark wood.", "features": {"environment": "forest", "valence": -0.2}}
    context = read_context(payload, valence=0.5)
    assert (context.environment, context.valence) == ("forest", 0.5)


def test_top_level_values_of_a_payload_that_do_not_fit_are_not_features():
    payload = {"answer": "Yes.", "environment": "production", "energy": "high", "language": 5}
    assert read_context(payload) == Context(text="Yes.")
    with pytest.raises(InputError, match="environment"):
        read_context({"answer": "Yes.", "features": {"environment": "production"}})


def test_the_name_of_a_program_in_a_payload_is_not_what_the_application_is():
    payload = {"answer": "Yes.", "application": "crm-prod"}
    assert read_context(payload) == Context(text="Yes.")
    assert read_context(payload, application="a quiz").application == "a quiz"
    stated = {"answer": "Yes.", "features": {"application": "a quiz"}}
    assert read_context(stated).application == "a quiz"


def test_a_query_is_kept_on_one_line():
    assert read_context("x", query="a\x1b[2J\n b").query == "a [2J b"


def test_unicode_forms_of_one_text_are_one_context():
    assert read_context("café").sha256 == read_context("cafe\u0301").sha256


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        ("\x1b\u200b", "control characters only"),
        ("a\x00b", "NUL"),
        ("a\ud800b", "lone surrogate"),
        ("x" * 1_000_001, "1,000,001 bytes"),
        ({"title": "no text"}, "none of text, answer"),
        (42, "int"),
    ],
)
def test_what_is_no_context_is_refused_in_one_sentence(source, message):
    with pytest.raises(InputError, match=message) as caught:
        read_context(source)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"environment": "forrest"}, "environment is 'forrest'"),
        ({"valence": 2.0}, "valence is 2.0"),
        ({"energy": float("nan")}, "energy is nan"),
        ({"colour": "red"}, "unknown option 'colour'"),
    ],
)
def test_features_that_cannot_be_used_are_refused(known, message):
    with pytest.raises(InputError, match=message):
        read_context("rain", **known)


def test_one_megabyte_is_taken():
    assert len(read_context("é" * 500_000).text) == 500_000


def test_bytes_are_text_or_a_payload():
    assert read_bytes("\ufeffnaïve".encode()) == "naïve"
    assert read_bytes(json.dumps({"answer": "Yes."}).encode()) == {"answer": "Yes."}
    assert read_bytes(b'{"no": "text here"}') == {"no": "text here"}
    assert read_bytes(b"{not json") == "{not json"
    huge = b'{"answer": ' + b"1" * 5000 + b"}"
    assert read_bytes(huge) == huge.decode()


def test_binary_is_refused_with_the_place():
    with pytest.raises(InputError, match=r"byte 0xff at position 3"):
        read_bytes(b"abc\xff\xfe")


@given(st.one_of(st.text(), st.dictionaries(st.text(), st.text()), st.binary(max_size=50)))
@settings(max_examples=200, deadline=None)
def test_anything_is_read_or_refused_with_an_input_error(source):
    try:
        given_source = read_bytes(source) if isinstance(source, bytes) else source
        context = read_context(given_source)
    except InputError:
        return
    assert isinstance(context, Context)
    assert context.text == context.text.strip() != ""


def test_a_description_of_the_application_that_is_not_read_is_told():
    payload = {"answer": "Yes.", "application": "the support chat of a bank"}
    (note,) = passed_over(payload, read_context(payload))
    assert '"features"' in note
    assert passed_over(payload, read_context(payload, application="a quiz")) == ()
    for silent in ({"answer": "Yes.", "application": "Adobe Creative Suite"}, {"answer": "Yes."}, "Yes."):
        assert passed_over(silent, read_context(silent)) == ()


def test_values_of_a_payload_that_cannot_be_used_are_told():
    payload = {"answer": "Yes.", "environment": "moonbase", "valence": "0.5", "mood_tags": 5, "energy": 0.5}
    context = read_context(payload)
    assert (context.environment, context.valence, context.energy) == (None, None, 0.5)
    (note,) = passed_over(payload, context)
    assert "environment" in note
    assert "valence" in note
    assert "mood_tags" in note
    assert "energy" not in note
    assert '"features"' in note
    (note,) = passed_over(payload, read_context(payload, environment="cave"))
    assert "environment" not in note


@pytest.mark.parametrize("language", ["en", "EN-gb", "German", "nld", "sw", "mis", "zh-Hant"])
def test_a_language_is_stated_by_a_code_or_a_name(language):
    assert read_context("Rain.", language=language).language == language


@pytest.mark.parametrize("language", ["xx", "klingon", "e", "english uk"])
def test_an_unknown_language_is_refused_and_passed_over_in_a_payload_of_others(language):
    with pytest.raises(InputError, match=f"^language is '{language}', which is no language; write its code"):
        read_context("Rain.", language=language)
    with pytest.raises(InputError, match="which is no language"):
        read_context({"text": "Rain.", "features": {"language": language}})
    payload = {"text": "Rain.", "language": language}
    context = read_context(payload)
    assert context.language is None
    assert "language of the payload cannot be used" in passed_over(payload, context)[0]


def test_a_mood_of_ones_own_is_told_with_the_nearest_known_one():
    (slip, own) = own_moods(read_context("Rain.", mood_tags=("clam", "Calm", "qwx")))
    assert slip == "'clam' is no known mood and is taken as a word of your own; did you mean calm?"
    assert own.startswith("'qwx' is no known mood and is taken as a word of your own; known are aggressive, ")
    assert own_moods(read_context("Rain.", mood_tags="calm")) == ()


@pytest.mark.parametrize(
    "source",
    [
        "Rain.",
        {
            "chunk": "Rain.",
            "question": "Weather?",
            "environment": "forest",
            "application": "weather notes for farmers in Kent",
        },
        {"text": "Rain.", "features": {"application": "a quiz", "mood_tags": ["calm"]}},
        {"text": "Rain.", "valence": {1}, "environment": "moonbase", "application": 7, "energy": 0.5},
        Context(text="Rain.", application="a quiz", environment="forest"),
    ],
)
def test_a_context_as_a_payload_reads_alike(source):
    payload = json.loads(json.dumps(as_payload(source)))
    context = read_context(payload)
    assert context == read_context(source)
    assert passed_over(payload, context) == passed_over(source, context)


def test_an_empty_text_in_a_payload_gives_way_to_the_next_one():
    assert read_context({"text": " ", "answer": "", "chunk": "Calm rain."}).text == "Calm rain."
    with pytest.raises(InputError):
        read_context({"text": " ", "answer": ""})


@pytest.mark.parametrize("source", [b'{"response": "Rain."}', b'{"answer": {"text": "Rain."}}', b"{}"])
def test_an_object_without_a_text_is_refused_from_a_file_as_from_python(source):
    with pytest.raises(InputError, match="the context has no text"):
        read_context(read_bytes(source))


def test_a_text_that_begins_like_json_and_is_cut_off_is_prose_with_a_warning():
    for data in (b'{"answer": "rain"', b' {\n "answer" : "rain'):
        source = read_bytes(data)
        assert source == data.decode()
        (warning,) = passed_over(source, read_context(source))
        assert "read as prose" in warning
    for text in ("{she sighs} Rain.", '{"Rain," she said}', '{"answer": "rain"}', "Rain."):
        assert passed_over(text, read_context(text)) == ()
