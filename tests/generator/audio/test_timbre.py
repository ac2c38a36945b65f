from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from music_catalog import presets
from music_catalog.generator import Audio, AudioError
from music_catalog.generator.audio import timbre
from music_catalog.generator.synth.generator import ProceduralGenerator

STYLES = yaml.safe_load((Path(presets.__file__).parent / "styles.yaml").read_text("utf-8"))["musicgen"][
    "presets"
]
SOME = ("ambient_lofi", "dark_techno", "sad_piano", "orchestral_triumph", "acoustic_folk", "chiptune_playful")


def render(style, seed, seconds=6.0):
    config = {"duration_s": seconds, "seed": seed, "loopable": False, "synthesis": STYLES[style]["synthesis"]}
    return ProceduralGenerator().generate_music("", config)


@pytest.fixture(scope="module")
def rendered():
    return {(style, seed): render(style, seed) for style in SOME for seed in (11, 12)}


def test_tracks_of_one_style_sound_nearer_than_others(rendered):
    names = [style for style, _ in rendered]
    vectors = np.array([timbre.sound_vector(audio) for audio in rendered.values()])
    near = vectors @ vectors.T
    np.fill_diagonal(near, -2.0)
    nearest = [names[place] for place in near.argmax(axis=1)]
    assert (
        sum(own == other for own, other in zip(names, nearest, strict=True)) >= 11
    )  # of 12; 1 of 11 by chance
    same = np.equal.outer(names, names) & ~np.eye(len(names), dtype=bool)
    assert near[same].mean() > near[~same & (near > -2)].mean() + 0.4


def test_it_is_a_unit_vector_of_fixed_length(rendered):
    for audio in rendered.values():
        vector = timbre.sound_vector(audio)
        assert vector.shape == (timbre.DIMENSION,)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


def test_loudness_rate_and_channels_hardly_matter(rendered):
    from music_catalog.generator.audio import resample, to_mono

    audio = rendered["ambient_lofi", 11]
    vector = timbre.sound_vector(audio)
    quieter = Audio(audio.samples * np.float32(0.1), audio.sample_rate)
    assert timbre.sound_vector(quieter) @ vector > 0.99
    assert timbre.sound_vector(to_mono(audio)) @ vector > 0.999
    assert timbre.sound_vector(resample(audio, 44_100)) @ vector > 0.97


@pytest.mark.parametrize(
    "samples",
    [np.zeros((32_000, 2)), np.full((32_000, 1), 1e-6), np.ones((100, 1)) * 0.5],
    ids=["silence", "near silence", "too short"],
)
def test_nothing_to_hear_is_none(samples):
    assert timbre.sound_vector(Audio(samples.astype(np.float32), 32_000)) is None


@pytest.mark.parametrize("kind", ["constant", "click", "noise", "tone", "half a second"])
def test_odd_sounds_give_finite_vectors(kind):
    draw = np.random.default_rng(0)
    samples = {
        "constant": np.full((32_000, 1), 0.5),
        "click": np.eye(32_000, 1),
        "noise": draw.normal(size=(64_000, 2)) * 0.1,
        "tone": np.sin(np.arange(64_000) * 0.1)[:, None],
        "half a second": draw.normal(size=(16_000, 1)) * 0.1,
    }[kind]
    vector = timbre.sound_vector(Audio(samples.astype(np.float32), 32_000))
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


def test_samples_that_are_no_numbers_are_refused():
    with pytest.raises(AudioError, match="not finite"):
        timbre.sound_vector(Audio(np.full((32_000, 1), np.nan, np.float32), 32_000))
