"""A brief in names: its schema, what is accepted as one, and the chances that it stands for."""

from __future__ import annotations

import json

import pytest
from chat_server import GOOD
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog import presets
from music_catalog.brief.asked import Unusable, instructions, parse, schema
from music_catalog.brief.listed import brief_of, unknown_style
from music_catalog.errors import InputError
from music_catalog.models import StatedBrief
from music_catalog.request.context import read_context

STYLES = presets.load().styles
SCHEMA = schema(STYLES)


def test_the_schema_has_every_key_and_the_names_on_offer():
    assert list(SCHEMA["properties"]) == SCHEMA["required"] == list(StatedBrief.model_fields)
    assert SCHEMA["additionalProperties"] is False
    for name in ("fits", "passable"):
        assert SCHEMA["properties"][name]["items"]["enum"] == list(STYLES)
    assert all(part["description"] for part in SCHEMA["properties"].values())
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def choices(part):
    """Return values that a part of the schema allows."""
    if "anyOf" in part:
        return st.one_of([choices(one) for one in part["anyOf"]])
    if part.get("type") == "array":
        return st.lists(choices(part["items"]), min_size=part.get("minItems", 0), max_size=part["maxItems"])
    if "enum" in part:
        return st.sampled_from(part["enum"])
    if part["type"] == "null":
        return st.none()
    return st.floats(part["minimum"], part["maximum"])


@settings(max_examples=100, deadline=None)
@given(st.fixed_dictionaries({name: choices(part) for name, part in SCHEMA["properties"].items()}))
def test_what_the_schema_allows_is_a_brief_with_chances_in_order(values):
    stated = parse(json.dumps(values), STYLES)
    assert unknown_style(stated, STYLES) == ""
    brief = brief_of(stated, STYLES, "caller")
    assert brief.styles.keys() == STYLES.keys()
    assert all(fit.fits <= fit.passes for fit in brief.styles.values())
    order = sorted(STYLES, key=lambda name: -(brief.styles[name].fits + brief.styles[name].passes))
    fits = list(dict.fromkeys(values["fits"]))
    assert order[: len(fits)] == fits
    passable = set(values["passable"]) - set(fits)
    assert set(order[len(fits) : len(fits) + len(passable)]) == passable
    assert (brief.place, brief.culture, brief.text_kind) == (
        values["place"],
        values["culture"],
        values["text_kind"],
    )


@settings(max_examples=200, deadline=None)
@given(
    st.text()
    | st.recursive(st.none() | st.text(), lambda inner: st.lists(inner), max_leaves=5).map(json.dumps)
)
def test_no_other_answer_is_one(answer):
    with pytest.raises(Unusable):
        parse(answer, STYLES)


@pytest.mark.parametrize("answer", ['{"fits":' * 5_000, "{" * 100_000, '{"fits": ' + "[" * 100_000])
def test_an_answer_that_nests_without_end_is_refused_quickly(answer):
    with pytest.raises(Unusable):
        parse(answer, STYLES)


@pytest.mark.parametrize("name", ["valence", "energy", "serious"])
def test_a_number_in_quotes_is_read_of_a_model_and_refused_of_a_caller(name):
    assert getattr(parse(json.dumps({**GOOD, name: "0.5"}), STYLES), name) == 0.5
    with pytest.raises(Unusable):
        parse(json.dumps({**GOOD, name: True}), STYLES)
    for value in ("0.5", True):
        with pytest.raises(InputError, match=f"^brief.{name} is .*: pass a number$"):
            read_context("Rain.", brief={**GOOD, name: value})


@pytest.mark.parametrize("word", ["-", "none", "null", "", None])
def test_the_words_for_no_place_count_as_none(word):
    stated = parse(json.dumps({**GOOD, "place": word, "culture": word}), STYLES)
    assert (stated.place, stated.culture) == (None, None)


def test_the_instructions_name_every_style_and_every_key():
    text = instructions(STYLES)
    for name in (*STYLES, *StatedBrief.model_fields):
        assert f"- {name}: " in text
    assert len(text) < 12_000
