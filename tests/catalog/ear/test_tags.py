"""What an ear hears as tags: shares over all names, by an ear whose vectors are known."""

from __future__ import annotations

import numpy as np
import pytest

from music_catalog.ear import prompts as texts
from music_catalog.ear.tags import LEAST, MOST, Tagger
from music_catalog.models import Heard
from music_catalog.models.ear import TAG_KINDS
from music_catalog.presets import load
from music_catalog.presets.vocabulary import ENVIRONMENTS, INSTRUMENTS, MOODS

STYLES = load().styles


class EarOfNames:
    """Reads each text as the axes of the names in it."""

    identity, scale = "names@1", 30.0

    def __init__(self):
        self.read_texts = 0
        names = [
            *MOODS,
            *INSTRUMENTS,
            *texts.PLACES.values(),
            "alone",
            *(one.prompt_tags[0] for one in STYLES.values()),
        ]
        self.axes = {name: place for place, name in enumerate(dict.fromkeys(names))}

    def read(self, some):
        self.read_texts += len(some)
        vectors = np.full((len(some), 512), 0.01, np.float32)
        vectors[:, -1] = 0.0
        for row, text in zip(vectors, some, strict=True):
            for name, place in self.axes.items():
                row[place] += name in text
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def track_of(self, **names):
        vector = np.zeros(512, np.float32)
        for name, weight in names.items():
            vector[self.axes[name.replace("_", " ")]] = weight
        return vector / np.linalg.norm(vector)


@pytest.fixture
def ear():
    return EarOfNames()


def test_shares_of_a_kind_sum_to_1_and_cover_every_name(ear):
    tagger, vector = Tagger(ear, STYLES), ear.track_of(calm=1.0, harp=0.7)
    names = {
        "style": {*STYLES},
        "mood": {*MOODS},
        "instrument": {*INSTRUMENTS},
        "place": {*ENVIRONMENTS, texts.ALONE},
    }
    for kind in TAG_KINDS:
        shares = tagger.shares(kind, vector)
        assert set(shares) == names[kind]
        assert sum(shares.values()) == pytest.approx(1.0)
    once = ear.read_texts
    tagger.tags(vector)
    assert ear.read_texts == once  # the texts are read once


def test_what_is_heard_is_kept_best_first_with_the_mood_it_makes(ear):
    heard = Tagger(ear, STYLES).tags(ear.track_of(joyful=1.0, harp=0.8, flute=0.7))
    assert next(iter(heard.of("mood"))) == "joyful"
    assert [*heard.of("instrument")][:2] == ["harp", "flute"]
    assert heard.of("instrument")["harp"] > heard.of("instrument")["flute"] >= LEAST / len(INSTRUMENTS)
    assert heard.valence > 0.5
    assert heard.energy > 0.3
    assert heard.of("place") == {}  # music alone is no place
    assert all(len(heard.of(kind)) <= MOST[kind] for kind in TAG_KINDS)
    assert "mood joyful " in str(heard)
    assert str(heard).endswith(f"valence {heard.valence:.2f}, energy {heard.energy:.2f}")
    assert Heard.model_validate_json(heard.model_dump_json()) == heard


def test_a_place_is_heard_where_it_is_nearer_than_music_alone(ear):
    vector = np.zeros(512, np.float32)
    vector[ear.axes["falling rain"]] = 1.0
    assert [*Tagger(ear, STYLES).tags(vector).of("place")] == ["rain"]


def test_where_all_is_alike_nothing_is_kept(ear):
    vector = np.zeros(512, np.float32)
    vector[511] = 1.0
    heard = Tagger(ear, STYLES).tags(vector)
    assert heard.tags == ()
    assert abs(heard.valence) < 0.2  # that of all moods together


def test_the_identity_changes_with_the_texts(ear):
    some = {name: STYLES[name] for name in [*STYLES][:5]}
    assert Tagger(ear, STYLES).identity == Tagger(EarOfNames(), STYLES).identity
    assert Tagger(ear, STYLES).identity != Tagger(ear, some).identity
    assert Tagger(ear, STYLES).identity.startswith("names@1/")


def test_every_place_of_the_vocabulary_has_a_sound_and_every_style_a_text_of_its_own():
    assert set(texts.PLACES) == set(ENVIRONMENTS)
    of_styles = texts.prompts(STYLES)["style"]
    assert len(set(of_styles.values())) == len(STYLES)
    assert all("For " not in sound and sound for sound, _ in of_styles.values())
