"""Which checkpoint stands in for which."""

from __future__ import annotations

from typing import get_args

import pytest

from music_catalog.generator.weights import MODELS
from music_catalog.generator.weights.sizes import (
    CHECKPOINTS,
    MODEL_RANKS,
    choices_for,
    melody_size,
    needed_bytes,
)
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


def test_what_thirty_seconds_need_follows_the_form():
    small, medium, large = (needed_bytes(size) for size in ("small", "medium", "large"))
    # Decoder in float16, 0.67 GB of other weights, keys and values for two rows of 30 s; see docs/MODELS.md.
    assert small == pytest.approx(0.84e9 + 0.67e9 + 0.3e9, rel=0.03)
    assert medium == pytest.approx(3.68e9 + 0.67e9 + 0.9e9, rel=0.03)
    assert large == pytest.approx(6.51e9 + 0.67e9 + 1.2e9, rel=0.03)
    assert needed_bytes("large", bits=4) < needed_bytes("large", bits=8) < large
    assert needed_bytes("small", gpu=False) > small
    assert all(needed_bytes(size) > 10**9 for size in MODELS)
