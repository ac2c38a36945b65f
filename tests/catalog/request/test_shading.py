"""A context's mood bends the style: in the parameters, and in what is heard."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from renders import STYLES, centroid_hz, major_third_share, onsets_per_s, render

from music_catalog.generator import GeneratorError
from music_catalog.generator.synth.parameters import Synthesis
from music_catalog.request.synthesis import shade

MUSIC = [
    "piano_reflective", "acoustic_folk", "jazz_lounge", "corporate_upbeat", "electronic_focus", "synthwave",
    "classical_strings", "documentary_neutral", "chiptune_playful", "cinematic_epic",
]  # fmt: skip
UNIT = st.floats(-1, 1)


def shaded(name, valence, energy, time_of_day=None):
    style = STYLES[name]
    return shade(
        style["synthesis"], valence=valence, energy=energy,
        style_valence=style["valence"], style_energy=style["energy"], time_of_day=time_of_day,
    )  # fmt: skip


@pytest.mark.parametrize("name", STYLES)
def test_a_style_at_its_own_place_is_left_as_it_is(name):
    style = STYLES[name]
    values, reasons = shaded(name, style["valence"], style["energy"])
    assert values == style["synthesis"]
    assert reasons == ()


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(STYLES)), UNIT, UNIT, st.sampled_from([None, "dawn", "day", "night"]))
def test_any_mood_gives_valid_parameters_within_bounds(name, valence, energy, time_of_day):
    style = Synthesis.parse(STYLES[name]["synthesis"])
    values, reasons = shaded(name, valence, energy, time_of_day)
    result = Synthesis.parse(values)
    assert shaded(name, valence, energy, time_of_day) == (values, reasons)
    assert abs(result.tempo_bpm / style.tempo_bpm - 1) <= 0.26
    assert bool(result.model_dump() != style.model_dump()) >= bool(reasons)
    assert result.harmony == style.harmony
    # Further off, listeners take a guitar for a piano, and hear techno in loud drums.
    assert abs(result.register_shift - style.register_shift) <= 0.551
    assert abs(result.drum_level - style.drum_level) <= 0.201


@pytest.mark.parametrize("name", MUSIC)
def test_valence_and_energy_are_heard(name):
    low, high = (render(shaded(name, v, v)[0], 12, seed=3) for v in (-0.8, 0.8))
    assert onsets_per_s(high) > 1.1 * onsets_per_s(low)
    assert centroid_hz(high) > 1.1 * centroid_hz(low)
    assert major_third_share(low) < 0.5 < major_third_share(high)


def test_energy_alone_leaves_the_mode_and_valence_alone_the_tempo():
    style = STYLES["acoustic_folk"]
    livelier, _ = shaded("acoustic_folk", style["valence"], 0.9)
    darker, reasons = shaded("acoustic_folk", -0.8, style["energy"])
    assert livelier["mode"] == style["synthesis"]["mode"]
    assert livelier["tempo_bpm"] > style["synthesis"]["tempo_bpm"]
    assert darker["tempo_bpm"] == style["synthesis"]["tempo_bpm"]
    assert darker["mode"] in ("phrygian", "minor", "dorian")
    assert any("mode major" in reason for reason in reasons)


def test_a_sadder_context_is_played_lower_longer_sparser_plainer_and_in_a_larger_room():
    style = Synthesis.parse(STYLES["acoustic_folk"]["synthesis"])
    values, reasons = shaded("acoustic_folk", -0.6, STYLES["acoustic_folk"]["energy"])
    sad = Synthesis.parse(values)
    assert sad.register_shift < style.register_shift
    assert (style.articulation, sad.articulation) == ("normal", "legato")
    assert (style.comping, sad.comping) == ("strum", "block")
    assert (style.bass_line, sad.bass_line) == ("roots", "sustained")
    assert (style.colour, sad.colour) == ("triad", "seventh")
    assert sad.density < style.density
    assert sad.reverb > style.reverb
    assert sad.room_s > 2 * style.room_s
    assert {"comping strum -> block for the valence", "a wetter room"} <= set(reasons)


def test_a_small_difference_bends_fully_and_a_glad_context_softens_the_pad():
    style = STYLES["cinematic_tension"]
    near, far, glad = (
        Synthesis.parse(shaded("cinematic_tension", valence, style["energy"])[0])
        for valence in (-0.61, -1.0, 0.8)
    )
    assert near.register_shift == far.register_shift == -0.55
    assert near.room_s == far.room_s
    assert glad.pad_level < Synthesis.parse(style["synthesis"]).pad_level


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(STYLES)), st.floats(0.4, 1), UNIT)
def test_a_glad_context_is_never_played_sadder_nor_a_sad_one_gladder(name, size, energy):
    style = Synthesis.parse(STYLES[name]["synthesis"])
    glad, sad = (Synthesis.parse(shaded(name, v, energy)[0]) for v in (size, -size))
    lengths = ("legato", "normal", "staccato")
    assert sad.register_shift <= style.register_shift <= glad.register_shift
    assert (
        lengths.index(sad.articulation)
        <= lengths.index(style.articulation)
        <= lengths.index(glad.articulation)
    )


def test_reasons_name_no_playing_of_an_instrument_that_a_style_has_not():
    _, reasons = shaded("dark_ambient", 0.8, 0.0)
    assert STYLES["dark_ambient"]["synthesis"]["harmony"] == "none"
    assert not any(reason.startswith("comping") for reason in reasons)


def test_night_and_dawn_exchange_the_animals_of_a_living_place_only():
    forest = STYLES["environment_forest"]
    night, reasons = shaded("environment_forest", forest["valence"], forest["energy"], "night")
    assert "birds" not in night["textures"]
    assert {"crickets", "owl"} <= night["textures"].keys()
    assert "night" in reasons[-1]
    place = STYLES["environment_night"]
    dawn, _ = shaded("environment_night", place["valence"], place["energy"], "dawn")
    assert "birds" in dawn["textures"]
    assert "crickets" not in dawn["textures"]
    for name in ("dark_ambient", "ambient_lofi", "environment_space"):
        values, _ = shaded(name, 0, 0, "night")
        assert values["textures"] == STYLES[name]["synthesis"]["textures"]


def test_bad_parameters_are_refused():
    with pytest.raises(GeneratorError, match="tempo_bpm"):
        shade({"tempo_bpm": -3}, valence=0, energy=0, style_valence=0, style_energy=0)


def test_styles_cover_the_plane_of_affect():
    points = np.array([(s["valence"], s["energy"]) for s in STYLES.values()])
    for x, y in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        assert (((points * (x, y)) > 0.15).all(axis=1)).sum() >= 3
    grid = np.array([(v, e) for v in np.linspace(-0.8, 0.8, 5) for e in np.linspace(-0.8, 0.8, 5)])
    nearest = np.sqrt(((grid[:, None] - points[None]) ** 2).sum(axis=2)).min(axis=1)
    assert nearest.max() < 0.65
