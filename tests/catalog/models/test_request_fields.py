"""What a caller may state about a request is the same over HTTP, for a language model, and on the command line."""

from __future__ import annotations

import pytest

from music_catalog.commands.music import find_or_make
from music_catalog.integrations.arguments import FindOrMakeArguments
from music_catalog.models import Audience, Choices, Context
from music_catalog.web.schemas import FindOrMakeBody

MODELS = (Context, Choices, Audience)
FIELDS = {name: model for model in MODELS for name in model.model_fields}
TERMS = {"reuse", "max_false_reuse", "reach", "fit", "variety"}


def missing_and_new(names):
    """Return the fields of a request that `names` lacks, and the names that are no such field."""
    return FIELDS.keys() - names, names - FIELDS.keys()


def json_types(model, name):
    """Return the JSON types that the schema of `model` allows for a field, null not counted."""
    whole = model.model_json_schema()
    schema = whole["properties"][name]
    choices = schema.get("anyOf", [schema])
    named = [whole["$defs"][each["$ref"].rpartition("/")[2]] if "$ref" in each else each for each in choices]
    return {each["type"] for each in named} - {"null"}


def test_a_field_belongs_to_one_model():
    assert len(FIELDS) == sum(len(model.model_fields) for model in MODELS)


def test_a_body_over_http_has_every_field_but_the_file_of_a_melody():
    missing, new = missing_and_new(FindOrMakeBody.model_fields.keys())
    assert missing == {"text", "melody"}
    assert new == TERMS | {"context", "as_read", "min_similarity", "explain", "dry_run"}


def test_a_language_model_fills_in_what_neither_the_text_nor_the_application_states():
    missing, new = missing_and_new(FindOrMakeArguments.model_fields.keys())
    read_from_text = {"summary_of_topic", "emotional_tone_description", "valence", "energy", "language"}
    assert missing == {"text", "backend", "melody", "generation"} | read_from_text
    assert new == TERMS | {"context"}


def test_the_command_line_has_every_field_but_those_that_a_payload_states():
    names = {"generation" if each.name == "settings" else each.name for each in find_or_make.params}
    missing, new = missing_and_new(names)
    assert missing == {"summary_of_topic", "emotional_tone_description", "language"}
    assert new >= TERMS | {"context_file", "min_similarity", "explain", "dry_run"}


@pytest.mark.parametrize("stated", [FindOrMakeBody, FindOrMakeArguments])
def test_a_field_has_the_same_json_type_wherever_it_is_stated(stated):
    for name in FIELDS.keys() & stated.model_fields.keys():
        assert json_types(stated, name) == json_types(FIELDS[name], name), name
