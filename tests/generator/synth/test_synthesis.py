"""The parameter model: bounds, clear refusals, and parameters read out of words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog.generator import GeneratorError
from music_catalog.generator.synth.grooves import DRUMS
from music_catalog.generator.synth.instruments import BASSES, INSTRUMENTS
from music_catalog.generator.synth.parameters import (
    PROGRESSIONS,
    Bass,
    BassLine,
    Comping,
    Groove,
    Instrument,
    Synthesis,
    Texture,
    names_of,
)
from music_catalog.generator.synth.patterns import BASS_LINES, COMPING
from music_catalog.generator.synth.textures import TEXTURES


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        (Instrument, INSTRUMENTS),
        (Bass, BASSES),
        (BassLine, BASS_LINES),
        (Comping, COMPING),
        (Groove, DRUMS),
        (Texture, TEXTURES),
    ],
    ids=["Instrument", "Bass", "BassLine", "Comping", "Groove", "Texture"],
)
def test_every_name_has_its_sound_and_every_sound_its_name(kind, table):
    assert set(names_of(kind)) - {"none"} == set(table)


def test_every_parameter_is_described():
    assert all(field.description for field in Synthesis.model_fields.values())


def test_flats_are_spelled_as_sharps():
    assert Synthesis(tonic="eb").tonic == "D#"
    assert Synthesis(tonic="B♭").tonic == "A#"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"tempo": 90}, ("'tempo'", "tempo_bpm")),
        ({"harmony": "pianno"}, ("'harmony'", "'pianno'", "piano")),
        ({"textures": {"rainy": 0.5}}, ("rainy", "rain")),
        ({"tempo_bpm": 500}, ("'tempo_bpm'", "500", "220")),
        ({"density": float("nan")}, ("'density'", "finite")),
        ({"progression": "1 9"}, ("'progression'", "1 5 6 4")),
        ({"mode": "locrian"}, ("'mode'", "'locrian'")),
        ({"harmony": "none"}, ("nothing would sound", "instrument")),
        ({"bars_per_chord": 3}, ("'bars_per_chord'", "0.5, 1, 2 or 4")),
    ],
)
def test_a_bad_value_is_refused_in_one_sentence_with_what_is_valid(values, words):
    with pytest.raises(GeneratorError) as raised:
        Synthesis.parse(values)
    message = str(raised.value)
    assert "\n" not in message
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (
            "dark techno, 130 bpm, minor, pads, no drums",
            {"tempo_bpm": 130, "mode": "minor", "groove": "none"},
        ),
        ("techno pads", {"pad": "warm_pad", "groove": "four_on_floor"}),
        (
            "lo-fi beat with Rhodes and vinyl",
            {"harmony": "electric_piano", "groove": "boom_bap", "kit": "lofi"},
        ),
        ("a slow waltz for solo violin, 3/4", {"tempo_bpm": 132, "meter": 3, "lead": "violin"}),
        ("cinematic orchestra with choir", {"pad": "choir", "groove": "taiko", "dynamics": "building"}),
        ("happy chiptune", {"lead": "square", "mode": "major", "kit": "chip"}),
        ("piano in Eb major", {"tonic": "D#", "mode": "major", "harmony": "piano"}),
        ("jazz without bass", {"bass": "none", "groove": "swing"}),
    ],
)
def test_words_are_taken_at_their_word(prompt, expected):
    read = Synthesis.from_words(prompt).model_dump()
    assert {key: read[key] for key in expected} == expected


def test_places_bring_their_sounds():
    assert set(Synthesis.from_words("rain and distant thunder by the fire").textures) == {
        "rain",
        "thunder",
        "fire",
    }
    assert "rain" not in Synthesis.from_words("ambient pads, no rain").textures


def test_what_words_leave_open_varies_with_the_text_and_only_with_it():
    texts = [f"a piece about number {n}" for n in range(12)]
    read = [Synthesis.from_words(text) for text in texts]
    assert read == [Synthesis.from_words(text) for text in texts]
    assert len({s.tempo_bpm for s in read}) > 4
    assert len({s.progression for s in read}) > 1


@settings(max_examples=120, deadline=None)
@given(st.text(max_size=300))
def test_any_text_gives_valid_parameters_that_make_a_sound(text):
    read = Synthesis.from_words(text)
    assert {read.harmony, read.pad, read.lead, read.bass} != {"none"}


def test_progressions_are_degrees():
    assert all(Synthesis(progression=name) for name in PROGRESSIONS)
    assert all(set(degrees) <= set("1234567 ") for degrees in PROGRESSIONS.values())
