"""Styles of the user's own: read by name, description, topics and moods, and picked where judges would have them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from music_catalog import presets
from music_catalog.brief import own
from music_catalog.brief import reader as brief
from music_catalog.brief.pools import vectors_of
from music_catalog.models import Context
from music_catalog.text import encoder as encoders
from music_catalog.text import features

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "catalog"))
from music_labels import read_labels, read_own_labels, read_own_styles

STYLES = presets.load(None).styles
LIST, TEXTS = 9, 30
"""A list that nothing was fitted to, and how many of the texts judged with it are read here."""


@pytest.fixture(scope="module")
def encoder():
    return encoders.load()


def style(description="Cello and piano.", **changes):
    said = {"valence": 0.0, "energy": 0.0, "moods": (), "topics": (), "environment": None, **changes}
    return SimpleNamespace(description=description, **said)


def read(text, encoder, styles):
    found = features.extract(Context(text=text), encoder)
    vectors = vectors_of(brief.load(encoder.identity).pools, *encoders.embed_tokens(encoder, text))
    return brief.read_brief(text, vectors, found, styles, encoder)


def test_styles_that_nothing_was_fitted_to_are_picked_far_better_than_by_the_nearest_description(encoder):
    styles = {
        row["name"]: style(
            row["description"],
            valence=row["valence"],
            energy=row["energy"],
            moods=tuple(row["moods"]),
            topics=tuple(row["topics"]),
        )
        for row in read_own_styles()
        if row["list"] == LIST
    }
    vectors = encoder.encode([one.description for one in styles.values()])
    texts = {row["id"]: row["text"] for row in read_labels(None)}
    judged = [row for row in read_own_labels()[LIST, "test", False] if row["id"] in texts][:TEXTS]
    assert len(judged) == TEXTS
    passed, passed_nearest = [], []
    for row in judged:
        chances = read(texts[row["id"]], encoder, styles).styles
        passes = {*row["fits"], *row["passable"]}
        passed.append(max(chances, key=lambda name: chances[name].passes + chances[name].fits) in passes)
        nearest = int((vectors @ encoder.encode([texts[row["id"]]])[0]).argmax())
        passed_nearest.append(list(styles)[nearest] in passes)
    assert np.mean(passed) > 0.55
    assert np.mean(passed) > 2 * np.mean(passed_nearest)


def test_fitted_styles_keep_their_chances_beside_ones_own(encoder):
    text = "The committee met on Thursday and approved the budget."
    with_own = read(text, encoder, {"my_cello": style(), **STYLES}).styles
    assert {name: with_own[name] for name in STYLES} == read(text, encoder, STYLES).styles


@pytest.mark.parametrize(
    "change",
    [
        {"description": "Drums and trumpet."},
        {"moods": ("sad",)},
        {"topics": ("budget",)},
        {"valence": -0.9},
        {"energy": 0.9},
    ],
)
def test_all_that_a_style_says_counts(encoder, change):
    text = "The committee met on Thursday and approved the budget."
    plain, changed = (read(text, encoder, {"mine": one}).styles["mine"] for one in (style(), style(**change)))
    assert plain != changed


def test_the_name_counts_as_words(encoder):
    one, other = own.inputs(["slow_cello", "angry_drums"], [style(), style()], encoder)
    assert not np.array_equal(one, other)
    assert np.array_equal(own.inputs(["slow cello"], [style()], encoder)[0], one)


def test_scores_are_kept_within_bounds():
    said = own.said(np.array([[9.0, -9.0, 1.0]]), np.array([[0.5, -0.5]]))
    assert said.tolist() == [[4.0, -4.0, 1.0, 0.5, -0.5, 1.0]]
    assert said.dtype == np.float32


def test_a_model_without_the_network_weighs_a_style_by_the_likeness_of_descriptions(encoder):
    model = brief.load(encoder.identity)
    assert model is not None
    assert model.own is not None
    older = replace(model, own=None)
    described = style(STYLES["sad_piano"].description)
    weights = brief.own_weights(older, ["mine"], [described], encoder)
    assert weights.shape == (1, len(model.names) + 3)
    assert model.names[int(weights[0].argmax())] == "sad_piano"
    assert not weights[0, -3:].any()
    assert older.compared_to_own is model.compared
