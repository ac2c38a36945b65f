"""Which checkpoint stands in for which."""

from __future__ import annotations

from typing import get_args

import pytest

from music_catalog.generator.weights import MODELS
from music_catalog.generator.weights.sizes import CHECKPOINTS, MODEL_RANKS, choices_for, melody_size
from music_catalog.presets.schema import Size


def test_every_checkpoint_has_a_rank():
    assert MODEL_RANKS.keys() - {"procedural"} == MODELS.keys()


@pytest.mark.parametrize("size", MODELS)
@pytest.mark.parametrize("melody", [False, True])
def test_nothing_larger_stands_in_and_each_is_named_once(size, melody):
    named = list(choices_for(size, melody=melody))
    assert named[0] == size
    assert len(set(named)) == len(named)
    ranks = [MODEL_RANKS[one] for one in named]
    assert ranks == sorted(ranks, reverse=True)
    assert all("melody" in one for one in named[1:]) or not melody


def test_the_nearest_kind_comes_first():
    assert list(choices_for("small")) == ["small", "stereo-small"]
    assert list(choices_for("stereo-medium")) == [
        "stereo-medium",
        "medium",
        "stereo-melody",
        "melody",
        "stereo-small",
        "small",
    ]
    assert list(choices_for("stereo-melody-large", melody=True)) == [
        "stereo-melody-large",
        "melody-large",
        "stereo-melody",
        "melody",
    ]


@pytest.mark.parametrize(
    ("size", "follows"),
    [
        ("small", "melody"),
        ("medium", "melody"),
        ("large", "melody-large"),
        ("stereo-small", "stereo-melody"),
        ("stereo-large", "stereo-melody-large"),
        ("melody", "melody"),
        ("stereo-melody-large", "stereo-melody-large"),
    ],
)
def test_the_nearest_checkpoint_that_follows_a_melody(size, follows):
    assert melody_size(size) == follows


def test_presets_name_the_same_checkpoints():
    """The presets import nothing of the generator, so their list is typed by hand."""
    assert get_args(Size) == tuple(one.name for one in CHECKPOINTS)
