"""What a caller may state about a request is the same over HTTP, for a language model, and on the command line."""

from __future__ import annotations

import inspect
from typing import get_type_hints

import pytest
from pydantic import TypeAdapter

from music_catalog.commands.music import find_or_make
from music_catalog.integrations.arguments import FindOrMakeArguments, FixedArguments
from music_catalog.integrations.mcp_tools import WaitS
from music_catalog.models import (
    Audience,
    Choices,
    Context,
    Filter,
    FilterArguments,
    LogArguments,
    RequestArguments,
    StatedBrief,
    Takes,
)
from music_catalog.reuse.terms import TermArguments
from music_catalog.service.call import StockOptions
from music_catalog.service.service import MusicService
from music_catalog.service.stock_plan import OPTIONS
from music_catalog.store.requests import FORMAT
from music_catalog.web.schemas import FindOrMakeBody, SearchBody

MODELS = (Context, Choices, Audience, Takes)
FIELDS = {name: model for model in MODELS for name in model.model_fields}
TERMS = {"reuse", "max_false_reuse", "reach", "fit", "variety"}


def missing_and_new(names):
    """Return the fields of a request that `names` lacks, and the names that are no such field."""
    return FIELDS.keys() - names, names - FIELDS.keys()


def json_types(model, name):
    """Return the JSON types that the schema of `model` allows for a field, null not counted."""
    whole = model.model_json_schema()
    return json_types_of({**whole["properties"][name], "$defs": whole.get("$defs", {})}) - {"null"}


def json_types_of(schema):
    """Return the JSON types that a schema allows."""
    choices = schema.get("anyOf", [schema])
    named = [schema["$defs"][each["$ref"].rpartition("/")[2]] if "$ref" in each else each for each in choices]
    return {each.get("type", "string") for each in named}


def test_the_schemas_have_the_limits_of_numbers_as_such():
    for model in (Choices, Takes, StatedBrief, SearchBody):
        for name, field in model.model_json_schema()["properties"].items():
            shown = [field, *field.get("anyOf", ())]
            assert not any({"ge", "gt", "le", "lt"} & part.keys() for part in shown), (model, name)
    assert SearchBody.model_json_schema()["properties"]["limit"]["maximum"] == 1000
    assert TypeAdapter(WaitS).json_schema()["maximum"] == 30


def test_a_field_belongs_to_one_model():
    assert len(FIELDS) == sum(len(model.model_fields) for model in MODELS)


def test_a_body_over_http_has_every_field_but_the_file_of_a_melody():
    missing, new = missing_and_new(FindOrMakeBody.model_fields.keys())
    assert missing == {"text", "melody"}
    assert new == TERMS | {"context", "as_read", "min_similarity", "explain", "dry_run"}


def test_a_language_model_fills_in_what_neither_the_text_nor_the_application_states():
    missing, new = missing_and_new(FindOrMakeArguments.model_fields.keys())
    read_from_text = {"summary_of_topic", "emotional_tone_description", "valence", "energy", "language"}
    assert missing == {"text", "melody", "generation"} | read_from_text
    assert new == TERMS | {"context"}
    assert get_type_hints(FixedArguments).keys() == FindOrMakeArguments.model_fields.keys() - {"context"}


def test_the_command_line_has_every_field_but_those_that_a_payload_states():
    names = {"generation" if each.name == "settings" else each.name for each in find_or_make.params}
    missing, new = missing_and_new(names)
    assert missing == {"summary_of_topic", "emotional_tone_description", "language"}
    assert new >= TERMS | {"context_file", "min_similarity", "explain", "dry_run"}


@pytest.mark.parametrize("stated", [FindOrMakeBody, FindOrMakeArguments])
def test_a_field_has_the_same_json_type_wherever_it_is_stated(stated):
    for name in FIELDS.keys() & stated.model_fields.keys():
        assert json_types(stated, name) == json_types(FIELDS[name], name), name


def test_python_callers_may_state_every_field_but_the_text():
    assert get_type_hints(RequestArguments).keys() == FIELDS.keys() - {"text"}
    assert get_type_hints(TermArguments).keys() == TERMS | {"min_similarity"}
    own = {"text_context", "dry_run", "explain", "on_progress", "on_audio", "arguments"}
    signature = inspect.signature(MusicService.find_or_make).parameters.keys() - {"self"}
    assert signature == get_type_hints(TermArguments).keys() | own


def test_python_callers_may_narrow_by_every_field_of_a_filter_and_every_column_of_the_log():
    assert get_type_hints(FilterArguments).keys() == Filter.model_fields.keys()
    assert get_type_hints(LogArguments).keys() == {*FORMAT.facts}
    assert get_type_hints(StockOptions).keys() == {*OPTIONS}


@pytest.mark.parametrize(
    ("arguments", "model", "name"),
    [
        *((RequestArguments, model, name) for name, model in FIELDS.items() if name != "text"),
        *((FilterArguments, Filter, name) for name in Filter.model_fields),
    ],
)
def test_a_keyword_takes_what_its_field_takes(arguments, model, name):
    field, hint = model.model_fields[name], get_type_hints(arguments)[name]
    allowed = json_types_of(TypeAdapter(hint).json_schema())
    needed = json_types_of(TypeAdapter(field.annotation).json_schema())
    # One word may stand for a tuple of one, a path for its text, and no listener for the empty name.
    extra = {"string"} if "array" in needed else {"null"} if model is not Choices else set()
    assert needed <= allowed <= needed | extra
