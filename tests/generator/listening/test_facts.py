"""Brightness, density, percussiveness and loudness range, measured on sounds of which they are known."""

from __future__ import annotations

import numpy as np
import pytest
from renders import STYLES, render
from scipy.ndimage import median_filter

from music_catalog.generator.listening import facts as measurements
from music_catalog.generator.listening.facts import loudness_range_lu, range_of_steps_lu, sound_facts
from music_catalog.generator.protocol import Audio

RATE = 32_000


def noise(seconds=8.0, level=0.1, seed=1):
    return Audio(
        (np.random.default_rng(seed).standard_normal((round(seconds * RATE), 1)) * level).astype("f4"), RATE
    )


def tone(hz, seconds=8.0, level=0.2):
    time = np.arange(round(seconds * RATE)) / RATE
    return Audio((level * np.sin(2 * np.pi * hz * time)).astype(np.float32)[:, None], RATE)


def hits(per_s, seconds=10.0):
    samples, draw = np.zeros(round(seconds * RATE), np.float32), np.random.default_rng(2)
    decay = np.exp(-np.arange(2000) / 400).astype(np.float32)
    for number in range(1, round(per_s * seconds)):
        at = round(number / per_s * RATE)
        samples[at : at + 2000] += (draw.standard_normal(2000) * decay * 0.3)[: len(samples) - at].astype(
            "f4"
        )
    return Audio(samples[:, None], RATE)


@pytest.mark.parametrize("hz", [220.0, 1000.0, 4000.0])
def test_the_brightness_of_a_tone_is_its_pitch(hz):
    assert sound_facts(tone(hz)).brightness_hz == pytest.approx(hz, rel=0.02)


@pytest.mark.parametrize("per_s", [1, 2, 5])
def test_hits_are_counted_and_strike(per_s):
    facts = sound_facts(hits(per_s))
    assert facts.density_per_s == pytest.approx(per_s, abs=0.25)
    assert facts.percussiveness > 0.8


def test_what_lasts_has_no_density_and_does_not_strike():
    for lasting in (tone(440.0), noise()):
        facts = sound_facts(lasting)
        assert facts.density_per_s < 0.5
        assert facts.percussiveness < 0.05


def test_the_level_changes_nothing():
    loud, soft = sound_facts(hits(2)), sound_facts(Audio(hits(2).samples * np.float32(0.05), RATE))
    assert soft.density_per_s == loud.density_per_s
    assert soft.brightness_hz == pytest.approx(loud.brightness_hz, rel=1e-3)


def test_styles_differ_as_their_parameters_say():
    """A beat strikes and begins more sounds than a meditation; rain is brighter than a cave."""
    facts = {
        name: sound_facts(render(STYLES[name]["synthesis"], duration_s=8.0))
        for name in ("dark_techno", "meditation", "environment_rain", "environment_cave")
    }
    assert facts["dark_techno"].density_per_s > facts["meditation"].density_per_s + 1
    assert facts["dark_techno"].percussiveness > facts["meditation"].percussiveness
    assert facts["environment_rain"].brightness_hz > 2 * facts["environment_cave"].brightness_hz


def test_the_loudness_range_is_that_between_a_soft_and_a_loud_half():
    halves = Audio(np.concatenate([noise(20.0).samples, noise(20.0, 0.025).samples]), RATE)
    assert loudness_range_lu(halves) == pytest.approx(12.0, abs=0.5)
    assert loudness_range_lu(noise(20.0)) < 0.3


def test_the_loudness_range_is_that_of_pyloudnorm():
    from pyloudnorm import Meter

    piece = render(STYLES["orchestral_triumph"]["synthesis"], duration_s=12.0)
    with np.errstate(divide="ignore"):
        reference = Meter(piece.sample_rate).loudness_range(piece.samples)
    # Theirs lets 1.5 s of silence follow the piece.
    silence = np.zeros((round(1.5 * piece.sample_rate), piece.channels), np.float32)
    followed = Audio(np.concatenate([piece.samples, silence]), piece.sample_rate)
    assert loudness_range_lu(followed) == pytest.approx(reference, abs=0.3)


def test_silence_and_a_blink_have_no_facts():
    silence = Audio(np.zeros((4 * RATE, 1), np.float32), RATE)
    assert sound_facts(silence) is None
    assert sound_facts(noise(0.5)) is None
    assert loudness_range_lu(silence) is None
    assert loudness_range_lu(noise(2.0)) is None
    assert range_of_steps_lu(np.zeros(100)) is None


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (9, 17), (40, 128)])
def test_medians_of_rows_are_those_of_the_table(shape):
    table = np.random.default_rng(5).standard_normal(shape).astype(np.float32)
    assert np.array_equal(measurements._medians(table, 17), median_filter(table, size=(1, 17)))
