"""What style and mood the words of a piece say."""

from __future__ import annotations

import pytest

import presets
from music_catalog.intake.impressions import OTHER_GENRES, UNSORTED, Impression, impression
from music_catalog.intake.words import Words
from music_catalog.models import Context
from music_catalog.text import encoder
from music_catalog.text.features import extract

STYLES = presets.load(None).styles


def said_of(words: Words, styles=STYLES) -> Impression:
    reader = encoder.load()
    return impression(
        words, features=extract(Context(text=words.about_music), reader), styles=styles, encoder=reader
    )


@pytest.mark.parametrize(
    ("genre", "style"),
    [
        ("Ambient", "meditation"),
        ("Folk", "acoustic_folk"),
        ("new age", "meditation"),
        ("Drum & Bass", "sport_drive"),
        ("Drum'n'Bass", "sport_drive"),
        ("Drum And Bass", "sport_drive"),
        ("Lo-Fi", "ambient_lofi"),
        ("LOFI", "ambient_lofi"),
        ("Childrens Music", "children_playful"),
        ("Piano", "piano_reflective"),
        ("Space Music", "environment_space"),
    ],
)
def test_a_genre_is_of_the_style_that_names_it(genre, style):
    assert said_of(Words(genres=(genre,))).style == style


@pytest.mark.parametrize("genre", ["Blues", "Rock", "Hip-Hop", "R&B", "Spoken Word"])
def test_a_genre_that_no_style_plays_says_no_style_whatever_the_title_is(genre):
    alone, titled = (
        said_of(Words(genres=(genre,))),
        said_of(Words(genres=(genre,), title="Ocean Rain", folder="Piano")),
    )
    assert alone.style == titled.style == UNSORTED
    described = said_of(Words(genres=(genre,), description="Solo felt piano, intimate and reflective"))
    assert described.style == "piano_reflective"


def test_of_two_genres_the_one_that_a_style_plays_decides_and_titles_count_again():
    assert said_of(Words(genres=("Rock", "Jazz"))).style == "jazz_lounge"
    assert said_of(Words(genres=("Orchestral",), title="Triumph of the brass")).style == "orchestral_triumph"


def test_a_genre_that_four_styles_play_is_far_from_sure():
    assert said_of(Words(genres=("Orchestral",))).sure < 0.5


def test_a_style_of_the_users_own_is_found_by_its_genres():
    own = STYLES["jazz_lounge"].model_copy(
        update={"genres": ("Gypsy Jazz",), "description": "Fast acoustic guitars."}
    )
    assert said_of(Words(genres=("gypsy jazz",)), {**STYLES, "manouche": own}).style == "manouche"


@pytest.mark.parametrize(
    ("name", "topics", "genre"),
    [("heavy_rock", (), "Rock"), ("loud", ("metal", "rage"), "Metal"), ("delta", ("delta blues",), "Blues")],
)
def test_a_style_of_the_users_own_plays_a_genre_that_no_shipped_one_does(name, topics, genre):
    own = STYLES["action_drums"].model_copy(
        update={"genres": (), "topics": topics, "description": "Guitars, loud."}
    )
    assert said_of(Words(genres=(genre,)), {**STYLES, name: own}).style == name


def test_no_style_names_a_genre_that_says_none():
    named = {genre.lower() for style in STYLES.values() for genre in style.genres}
    assert named
    assert not named & OTHER_GENRES
