"""The brief: chances a style, bound to an encoder, also for styles that the model never saw."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from fakes import WordHashEncoder
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from music_catalog import presets
from music_catalog.brief import reader as brief
from music_catalog.brief.pools import vectors_of
from music_catalog.models import Choices, Context
from music_catalog.request.selection import pick_style
from music_catalog.text import encoder as encoders
from music_catalog.text import features

STYLES = presets.load(None).styles
ABSTRACT = (
    "In a randomised trial of 412 adults with mild hypertension, a daily dose of the drug lowered systolic pressure by "
    "6 mmHg against placebo. Adverse events were rare and did not differ between the groups."
)
GRIEF = "My father died on Tuesday. The house is full of his coats, and I cannot bring myself to open the wardrobe."
BATTLE = (
    "The riders broke through the gate, swords raised, and the courtyard became a storm of screams and steel."
)


@pytest.fixture(scope="module")
def encoder():
    return encoders.load()


def read(text, encoder, styles=STYLES, **stated):
    context = Context(text=text, **stated)
    found = features.extract(context, encoder)
    model = brief.load(encoder.identity)
    vectors = vectors_of(model and model.pools, *encoders.embed_tokens(encoder, text))
    return context, found, brief.read_brief(text, vectors, found, styles, encoder)


def picked(text, encoder, styles=STYLES, **stated):
    context, found, one = read(text, encoder, styles, **stated)
    return pick_style(context, found, Choices(), styles, one)


def test_every_style_has_chances_in_order(encoder):
    _, _, one = read(ABSTRACT, encoder)
    assert one.styles.keys() == STYLES.keys()
    assert all(0 <= fit.fits <= fit.passes <= 1 for fit in one.styles.values())


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (ABSTRACT, {"horror_drone", "cinematic_tension", "sad_piano", "action_drums", "world_percussion"}),
        (GRIEF, {"children_playful", "summer_pop", "funk_groove", "corporate_upbeat", "horror_drone"}),
        (BATTLE, {"meditation", "lullaby", "ambient_lofi", "children_playful", "acoustic_folk"}),
    ],
)
def test_what_a_listener_would_object_to_has_the_lower_chance(encoder, text, wrong):
    _, _, one = read(text, encoder)
    best = max(fit.passes for fit in one.styles.values())
    assert all(one.styles[name].passes < best / 2 for name in wrong)
    assert picked(text, encoder)[0] not in wrong


def test_the_music_for_grief_is_less_pleasant_and_calmer_than_that_for_a_battle(encoder):
    grief, battle = (read(text, encoder)[2] for text in (GRIEF, BATTLE))
    assert grief.valence < 0
    assert grief.energy < battle.energy


def test_the_same_scene_in_another_mood_gets_another_style(encoder):
    calm = "Soft rain taps on the library windows while students read in calm, peaceful silence."
    panic = "Hard rain hammers on the library windows while students scream in terrifying, angry chaos."
    assert picked(calm, encoder)[0] != picked(panic, encoder)[0]


def test_a_style_of_the_opposite_mood_is_not_picked(encoder):
    panic = (
        "Rain hammers on the library windows while students run in panic. It is a terrifying, chaotic evening, and "
        "everybody fears the worst."
    )
    style = STYLES[picked(panic, encoder)[0]]
    assert style.valence < 0
    assert style.energy > -0.3


@given(
    read=hnp.arrays(float, 2, elements=st.floats(-3, 3)),
    chances=hnp.arrays(float, 4, elements=st.floats(1e-9, 2)),
    moods=hnp.arrays(float, (4, 2), elements=st.floats(-1, 1)),
)
def test_the_mood_lies_between_what_is_read_and_that_of_the_styles_that_serve(read, chances, moods):
    mood = brief.mood_of(read, chances, moods)
    low, high = (end(moods, axis=0) for end in (np.min, np.max))
    assert np.all(mood >= np.clip((read + low) / 2, -1, 1) - 1e-9)
    assert np.all(mood <= np.clip((read + high) / 2, -1, 1) + 1e-9)
    sure = brief.mood_of(read, np.array([2.0, 1e-9, 1e-9, 1e-9]), moods)
    assert sure == pytest.approx(np.clip((read + moods[0]) / 2, -1, 1), abs=1e-6)


def test_a_mood_that_the_caller_states_counts(encoder):
    plain = "The committee met on Thursday."
    assert STYLES[picked(plain, encoder, valence=0.9, energy=0.9)[0]].valence > 0.3
    assert STYLES[picked(plain, encoder, valence=-0.8, energy=-0.7)[0]].valence < 0


def test_a_style_of_ones_own_is_read_by_its_description(encoder):
    own = SimpleNamespace(
        description="Slow minor piano and cello for mourning, funerals and farewell.",
        valence=-0.7,
        energy=-0.6,
        moods=("sad", "grieving"),
        topics=("death", "funeral"),
        environment=None,
    )
    styles = {**STYLES, "my_mourning": own}
    _, _, grief = read(GRIEF, encoder, styles)
    _, _, abstract = read(ABSTRACT, encoder, styles)
    assert grief.styles["my_mourning"].passes > abstract.styles["my_mourning"].passes
    assert grief.styles["sad_piano"] == read(GRIEF, encoder)[2].styles["sad_piano"].model_copy()


def test_the_topics_of_a_style_of_ones_own_call_for_it(encoder):
    own = SimpleNamespace(
        description="Brushed drums and a muted trumpet for late-night radio.",
        valence=0.1,
        energy=-0.2,
        moods=("calm",),
        topics=("night radio", "jingle"),
        environment=None,
    )
    text = "The night radio host read the weather."
    with_topics = read(text, encoder, {**STYLES, "my_radio": own})[2].styles["my_radio"]
    own.topics = ()
    assert with_topics.passes > read(text, encoder, {**STYLES, "my_radio": own})[2].styles["my_radio"].passes


def test_a_known_style_under_another_description_is_read_anew(encoder):
    other = STYLES["horror_drone"].model_copy(update={"description": "Gentle guitar for quiet mornings."})
    changed = read(ABSTRACT, encoder, {**STYLES, "horror_drone": other})[2].styles["horror_drone"]
    assert changed.passes > read(ABSTRACT, encoder)[2].styles["horror_drone"].passes


def test_the_model_belongs_to_one_encoder(encoder, monkeypatch, tmp_path):
    assert brief.load(encoder.identity) is not None
    assert read(ABSTRACT, WordHashEncoder())[2] is None
    monkeypatch.setattr(brief, "MODEL_FILE", tmp_path / "left-out.safetensors")
    assert brief.load(encoder.identity) is None


def test_a_fitted_style_is_most_like_itself():
    described = np.random.default_rng(0).normal(size=(6, 8))
    assert np.allclose(brief.likeness(described, described, 1e-9), np.eye(6), atol=1e-4)
    assert np.allclose(brief.likeness(described, -described, 1.0).sum(axis=1), 1, atol=1e-4)


def test_kind_of_text_seriousness_and_culture_are_read(encoder):
    abstract, grief = (read(text, encoder)[2] for text in (ABSTRACT, GRIEF))
    joke = read(
        "Why did the chicken join a band? Because it had the drumsticks! Ha, sorry, one more.", encoder
    )[2]
    assert abstract.text_kind == "facts"
    shame = "I was so ashamed when my boss read my message aloud in the meeting."
    assert read(shame, encoder)[2].text_kind == "personal"
    recipe = "Preheat the oven to 200 C. Mix flour and butter, add the eggs one by one, and bake for an hour."
    assert read(recipe, encoder)[2].text_kind == "instructions"
    assert joke.serious < abstract.serious < grief.serious + 0.5
    assert grief.serious > joke.serious + 1
    samurai = "The samurai knelt before the daimyo of Edo while the koto was played behind paper screens."
    assert read(samurai, encoder)[2].culture == "east_asian"
    assert abstract.culture is None
    assert (
        read("A calm night by the ocean: waves roll onto the beach, gulls cry.", encoder)[2].place == "ocean"
    )


def test_a_style_of_ones_own_far_from_the_wanted_mood_has_the_lower_chance(encoder):
    def own(valence, energy):
        return SimpleNamespace(
            description="Cello and piano.",
            valence=valence,
            energy=energy,
            moods=(),
            topics=(),
            environment=None,
        )

    near, far = (read(GRIEF, encoder, {**STYLES, "mine": one})[2] for one in (own(-0.6, -0.6), own(0.8, 0.8)))
    assert near.styles["mine"].passes > far.styles["mine"].passes
