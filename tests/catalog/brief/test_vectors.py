"""Brief vectors order tracks by the chance of their style and by the mood."""

from __future__ import annotations

import numpy as np
import pytest

from music_catalog import presets
from music_catalog.brief import vectors
from music_catalog.brief.reader import load
from music_catalog.models import Brief, StyleFit
from music_catalog.text import encoder as encoders

STYLES = presets.load(None).styles


@pytest.fixture(scope="module")
def reader():
    return encoders.load()


@pytest.fixture(scope="module")
def model(reader):
    return load(reader.identity)


def of_track(model, reader, style, *, valence=0.0, energy=0.0, track_id="a"):
    preset = STYLES[style]
    return vectors.track_vector(
        model, preset, style, valence=valence, energy=energy, track_id=track_id, encoder=reader
    )


def brief_of(chances, valence=0.0, energy=0.0):
    styles = {name: StyleFit(fits=0.0, passes=chances.get(name, 0.01)) for name in STYLES}
    return Brief(styles=styles, valence=valence, energy=energy)


def test_vectors_have_one_length_and_kind(model, reader):
    for style in ("quiet_room", "dark_techno"):
        vector = of_track(model, reader, style, valence=1.0, energy=-1.0)
        assert vector.shape == (vectors.DIMENSION,)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6)
    assert vectors.kind(model).startswith("brief-1-")


def test_the_style_that_suits_better_is_nearer(model, reader):
    wanted = vectors.request_vector(model, brief_of({"quiet_room": 0.95, "jazz_lounge": 0.6}), "k")
    near, far, none = (
        float(wanted @ of_track(model, reader, style))
        for style in ("quiet_room", "jazz_lounge", "dark_techno")
    )
    assert near > far > none


def test_the_nearer_mood_wins_within_a_style(model, reader):
    wanted = vectors.request_vector(model, brief_of({"quiet_room": 0.9}, valence=0.6, energy=-0.6), "k")
    moods = {"same": (0.6, -0.6), "near": (0.2, -0.4), "opposite": (-0.6, 0.6)}
    products = {
        name: float(wanted @ of_track(model, reader, "quiet_room", valence=valence, energy=energy))
        for name, (valence, energy) in moods.items()
    }
    assert products["same"] > products["near"] > products["opposite"]


def test_alike_tracks_are_found_by_different_requests(model, reader):
    alike = np.stack([of_track(model, reader, "quiet_room", track_id=f"t{n}") for n in range(50)])
    brief = brief_of({"quiet_room": 0.9})
    nearest = {int((alike @ vectors.request_vector(model, brief, f"k{n}")).argmax()) for n in range(50)}
    assert len(nearest) > 10


def test_a_style_of_ones_own_is_made_of_the_fitted_ones(model, reader):
    own = STYLES["quiet_room"].model_copy(
        update={"description": "A hushed room with hardly any music in it."}
    )
    styles = {**STYLES, "my_room": own}
    shares = {
        name: np.asarray(vectors.track_vector(
            model, style, name, valence=0.0, energy=0.0, track_id="t", encoder=reader
        ))[: len(model.names)]
        for name, style in styles.items()
    }  # fmt: skip
    assert np.count_nonzero(shares["quiet_room"]) == 1
    assert np.count_nonzero(shares["my_room"]) > 1
    assert np.linalg.norm(shares["my_room"]) <= np.linalg.norm(shares["quiet_room"]) + 1e-6


def test_a_place_that_a_style_of_ones_own_names_later_counts(model, reader):
    own = STYLES["quiet_room"].model_copy(update={"description": "A hushed room with a window."})
    placed = own.model_copy(update={"environment": "rain"})
    plain, rainy = (
        vectors.track_vector(model, one, "my_room", valence=0.0, energy=0.0, track_id="t", encoder=reader)
        for one in (own, placed)
    )
    assert not np.array_equal(plain, rainy)
