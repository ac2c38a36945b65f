from __future__ import annotations

from typing import get_args

import pytest
from builders import a_track
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from music_catalog.models import Context, Environment, QualityName, TimeOfDay, clean_line, clean_text
from music_catalog.presets import ENVIRONMENTS, TIMES_OF_DAY
from music_catalog.presets import load as load_presets


def test_the_words_of_the_values_are_those_of_the_presets():
    assert get_args(Environment) == ENVIRONMENTS
    assert get_args(TimeOfDay) == TIMES_OF_DAY
    assert set(get_args(QualityName)) == set(load_presets().quality)


def test_values_do_not_change_and_take_no_unknown_keys():
    context = Context(text="rain")
    with pytest.raises(ValidationError):
        context.text = "snow"
    with pytest.raises(ValidationError):
        Context(text="rain", colour="grey")


def test_a_track_comes_back_from_its_json():
    track = a_track(environment="rain", tempo_bpm=80.5, rating=4)
    assert type(track).model_validate_json(track.model_dump_json()) == track


@given(st.text(st.characters(exclude_categories=["Cs"])))
@settings(max_examples=200, deadline=None)
def test_a_line_is_one_line_and_cleaning_twice_changes_nothing(text):
    line = clean_line(text)
    assert line.splitlines() in ([line], [])
    assert clean_line(line) == line


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")).filter(clean_line))
@settings(max_examples=200, deadline=None)
def test_a_cleaned_text_is_stable_so_that_one_text_has_one_hash(text):
    cleaned = clean_text(text)
    assert clean_text(cleaned) == cleaned
    assert Context(text=text).sha256 == Context(text=cleaned).sha256
    assert "\x1b" not in cleaned
