from __future__ import annotations

from types import SimpleNamespace

import pytest
from builders import some_features
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog import presets
from music_catalog.brief.listed import brief_of
from music_catalog.models import Brief, Choices, Context, StatedBrief, StyleFit
from music_catalog.request.selection import pick_quality, pick_role, pick_style


def style(valence, energy, *, moods=(), topics=(), environment=None):
    return SimpleNamespace(
        valence=valence, energy=energy, moods=moods, topics=topics, environment=environment
    )


STYLES = {
    "bright": style(0.8, 0.8, moods=("joyful",)),
    "soft": style(0.4, -0.6, moods=("calm",), topics=("tea room",)),
    "grim": style(-0.8, 0.2, moods=("dark",), topics=("war",)),
    "environment_cave": style(-0.3, -0.3, environment="cave"),
}
TEXT = Context(text="Some text.")


@pytest.mark.parametrize(
    ("features", "name"),
    [
        ({"valence": 0.9, "energy": 0.7, "mood_tags": ("joyful",)}, "bright"),
        ({"valence": 0.3, "energy": -0.7, "mood_tags": ("calm",)}, "soft"),
        ({"valence": -0.7, "energy": 0.1, "mood_tags": ("dark",)}, "grim"),
    ],
)
def test_the_nearest_mood_is_picked(features, name):
    assert pick_style(TEXT, some_features(**features), Choices(), STYLES)[0] == name


def test_topic_words_in_the_text_pull_a_style_in_and_are_named():
    grim = some_features(valence=-0.3, energy=-0.2, mood_tags=())
    assert pick_style(TEXT, grim, Choices(), STYLES)[0] == "grim"
    tea = pick_style(Context(text="Two tea rooms opened."), grim, Choices(), STYLES)
    assert tea[0] == "soft"
    assert "tea room" in tea[1]


def test_topics_match_whole_words_only():
    features = some_features(valence=0.4, energy=-0.6, mood_tags=("calm",))
    assert "war" not in pick_style(Context(text="a warm software award"), features, Choices(), STYLES)[1]


def test_an_environment_is_offered_only_in_its_own_place():
    named = some_features(environment="cave", sources={"environment": "caller"})
    assert pick_style(TEXT, named, Choices(), STYLES)[0] == "environment_cave"
    near = {"valence": -0.3, "energy": -0.3, "mood_tags": ()}
    assert (
        pick_style(TEXT, some_features(environment="cave", **near), Choices(), STYLES)[0]
        == "environment_cave"
    )
    assert pick_style(TEXT, some_features(**near), Choices(), STYLES)[0] != "environment_cave"


def test_a_place_read_from_the_text_does_not_outweigh_an_opposite_mood():
    joyful = some_features(environment="cave", valence=0.9, energy=0.8, mood_tags=("joyful",))
    assert pick_style(TEXT, joyful, Choices(), STYLES)[0] == "bright"


def a_brief(*fits, **stated):
    read_by = stated.pop("read_by", "language model")
    return brief_of(StatedBrief(fits=fits, valence=0, energy=0, **stated), STYLES, read_by)


@pytest.mark.parametrize(("valence", "name"), [(-0.7, "soft"), (-0.8, "grim")])
def test_music_of_the_opposite_mood_loses_to_a_style_that_hardly_fits(valence, name):
    chances = {
        "soft": (0.97, 0.99),
        "grim": (0.5, 0.6),
        "bright": (0.01, 0.02),
        "environment_cave": (0.01, 0.02),
    }
    styles = {one: StyleFit(fits=fits, passes=passes) for one, (fits, passes) in chances.items()}
    features = some_features(valence=valence, energy=-0.2, mood_tags=())
    # "soft" lies 1.17 and 1.26 away; the rule begins at 1.2.
    brief = Brief(styles=styles, valence=0, energy=0)
    assert pick_style(TEXT, features, Choices(), STYLES, brief)[0] == name


@pytest.mark.parametrize("read_by", ["language model", "caller"])
def test_what_others_say_of_a_text_outweighs_the_mood_read_in_it(read_by):
    joyful = some_features(valence=0.9, energy=0.9, mood_tags=("joyful",))
    brief = a_brief("grim", "bright", read_by=read_by)
    name, why = pick_style(TEXT, joyful, Choices(), STYLES, brief)
    assert name == "grim"
    assert read_by in why


def test_the_callers_mood_outweighs_a_language_model_and_not_their_own_brief():
    joyful = some_features(valence=0.9, energy=0.9, sources={"valence": "caller", "energy": "caller"})
    assert pick_style(TEXT, joyful, Choices(), STYLES, a_brief("grim", "bright"))[0] == "bright"
    own = a_brief("grim", "bright", read_by="caller")
    assert pick_style(TEXT, joyful, Choices(), STYLES, own)[0] == "grim"


def test_a_language_model_offers_the_sounds_of_the_place_it_names():
    features = some_features(environment=None)
    listed = ("environment_cave", "soft")
    assert pick_style(TEXT, features, Choices(), STYLES, a_brief(*listed))[0] == "soft"
    assert pick_style(TEXT, features, Choices(), STYLES, a_brief(*listed, place="cave"))[0] == listed[0]
    elsewhere = some_features(environment="city", sources={"environment": "caller"})
    assert pick_style(TEXT, elsewhere, Choices(), STYLES, a_brief(*listed, place="cave"))[0] == "soft"
    own = a_brief(*listed, read_by="caller")
    assert pick_style(TEXT, features, Choices(), STYLES, own)[0] == listed[0]


@pytest.mark.parametrize(
    ("context", "features", "choices", "role"),
    [
        (TEXT, {}, Choices(role="transition"), "transition"),
        (TEXT, {}, Choices(loopable=True), "loop_bed"),
        (TEXT, {}, Choices(duration_s=1.5), "ui_sfx"),
        (TEXT, {}, Choices(duration_s=6), "intro_sting"),
        (TEXT, {"environment": "cave", "sources": {"environment": "caller"}}, Choices(), "loop_bed"),
        (TEXT, {"environment": "cave", "sources": {"environment": "text"}}, Choices(), "background_bed"),
        (Context(text="word " * 400), {}, Choices(), "narration_bed"),
        (TEXT, {}, Choices(), "background_bed"),
    ],
)
def test_the_role_follows_from_length_scene_and_duration(context, features, choices, role):
    name, why = pick_role(context, some_features(**features), choices)
    assert name == role
    assert why


def test_the_quality_a_caller_names_is_taken():
    assert pick_quality(Choices(quality="final"))[0] == "final"
    assert pick_quality(Choices())[0] == "standard"


@given(st.floats(-1, 1), st.floats(-1, 1), st.text(min_size=1, max_size=80))
@settings(max_examples=60, deadline=None)
def test_every_mood_and_text_gets_a_shipped_style_with_a_reason(valence, energy, text):
    library = presets.load()
    features = some_features(valence=valence, energy=energy, mood_tags=())
    context = Context(text="x" + text.replace("\x00", "").encode("utf-8", "ignore").decode())
    name, why = pick_style(context, features, Choices(), library.styles)
    assert name in library.styles
    assert library.styles[name].environment is None
    assert why


def test_the_policy_reaches_every_shipped_style():
    """Each style is what the policy picks in some place of the affect plane, or when the text speaks of its topics."""
    library = presets.load()
    for name, one in library.styles.items():
        features = some_features(
            valence=one.valence, energy=one.energy, mood_tags=one.moods[:4], environment=one.environment
        )
        context = Context(text=f"This is about {' and '.join(one.topics)}." if one.topics else "Music.")
        assert pick_style(context, features, Choices(), library.styles)[0] == name
