"""What makes an instrument sound played: strokes that differ, a bent chord, beds that are not white."""

from __future__ import annotations

import numpy as np
import pytest
from renders import RATE, STYLES, centroid_hz, render

from music_catalog.generator import Audio
from music_catalog.generator.synth.drums import DRUM_NAMES, KITS, MACHINES, drum_at
from music_catalog.generator.synth.grooves import DRUMS
from music_catalog.generator.synth.parameters import Synthesis


@pytest.mark.parametrize("kit", KITS)
def test_no_two_strokes_of_a_player_are_the_same_and_those_of_a_machine_are(kit):
    for name in DRUM_NAMES:
        one, two = drum_at(kit, name, 0.9, 0), drum_at(kit, name, 0.9, 1)
        same = one.shape == two.shape and np.array_equal(one, two)
        assert same == (kit in MACHINES), name
        assert np.abs(one).max() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", ["snare", "hat", "kick"])
def test_a_soft_stroke_is_duller(name):
    hard, soft = (Audio(drum_at("acoustic", name, v, 0)[:, None], RATE) for v in (0.9, 0.3))
    assert centroid_hz(soft) < centroid_hz(hard)


@pytest.mark.parametrize("kit", ["acoustic", "orchestral"])
def test_an_open_hat_rings_until_the_next_stroke_of_a_gallop_and_a_closed_one_does_not(kit):
    assert "open_hat" in DRUMS["gallop"].four
    after_s = {}
    for name in ("hat", "open_hat"):
        level = np.abs(drum_at(kit, name, 0.9, 0))
        after_s[name] = float(np.flatnonzero(level > 0.03)[-1]) / RATE
    assert after_s["open_hat"] > 0.2
    assert after_s["open_hat"] > 1.5 * after_s["hat"]


@pytest.mark.parametrize("name", [n for n, s in STYLES.items() if s["synthesis"].get("kit") == "orchestral"])
def test_an_orchestra_is_louder_than_its_drums(name):
    """Drums that are hardly heard are drawn all the same, so the other parts play the same notes."""
    synthesis = {**STYLES[name]["synthesis"], "textures": {}, "music_level": 1.0}
    whole, rest = (
        render({**synthesis, **change}, 20).samples.mean(axis=1) for change in ({}, {"drum_level": 0.001})
    )
    assert np.corrcoef(whole, rest)[0, 1] ** 2 > 0.6


def test_the_level_of_a_pad_is_heard_and_a_silent_one_alone_is_refused():
    base = {"harmony": "piano", "comping": "pulse", "reverb": 0, "width": 0}
    without, quiet, loud = (
        render({**base, "pad": pad, "pad_level": level}, 4).samples[:, 0]
        for pad, level in (("none", 0.5), ("choir", 0.1), ("choir", 1.0))
    )
    near, far = (float(np.corrcoef(without, other)[0, 1]) for other in (quiet, loud))
    assert far < near - 0.05
    with pytest.raises(ValueError, match="nothing would sound"):
        Synthesis(harmony="none", pad="choir", pad_level=0)


def test_an_amplifier_bends_the_sum_of_the_notes():
    """The fifth of a power chord gives a tone an octave below it, which no string plays."""
    base = {
        "harmony": "none",
        "reverb": 0,
        "colour": "power",
        "tonic": "E",
        "progression": "drone",
        "humanize": 0,
    }
    shares = []
    for guitar in ("steel_guitar", "distorted_guitar"):
        samples = render(
            {**base, "harmony": guitar, "comping": "sustained", "register_shift": 0.5}, 6
        ).samples
        power = np.abs(np.fft.rfft(samples.mean(axis=1))) ** 2
        hz = np.fft.rfftfreq(samples.shape[0], 1 / RATE)
        shares.append(power[(hz > 75) & (hz < 90)].sum() / power.sum())
    clean, bent = shares
    assert bent > 10 * clean


@pytest.mark.parametrize("texture", ["rain", "waves", "stream", "wind", "crowd"])
def test_the_sound_of_a_place_falls_with_pitch(texture):
    """White noise is heard as a machine; water, wind and voices have most of their power low."""
    audio = render({"harmony": "none", "music_level": 0, "textures": {texture: 0.8}}, 6)
    power = np.abs(np.fft.rfft(audio.samples.mean(axis=1))) ** 2
    hz = np.fft.rfftfreq(audio.samples.shape[0], 1 / RATE)
    assert power[hz < 1500].sum() > 3 * power[hz > 3000].sum()
