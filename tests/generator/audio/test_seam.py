"""The seam of a loop: a circle has none, and the usual faults at seams are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from music_catalog import presets
from music_catalog.generator import Audio, AudioError
from music_catalog.generator.audio.seam import find_beat, measure_seam
from music_catalog.generator.synth.generator import ProceduralGenerator

RATE = 32_000
STYLES = {
    name: preset["synthesis"]
    for file in ("styles.yaml", "environments.yaml")
    for name, preset in yaml.safe_load((Path(presets.__file__).parent / file).read_text("utf-8"))["musicgen"][
        "presets"
    ].items()
}
PLACES = [name for name in STYLES if name.startswith("environment_")]
BEATS = ["synthwave", "corporate_upbeat", "acoustic_folk", "orchestral_triumph", "jazz_lounge"]
DURATION_S = 24


def a_loop(style, seed=1, duration_s=DURATION_S, **config):
    config = {"duration_s": duration_s, "seed": seed, "loopable": True, "synthesis": STYLES[style], **config}
    return ProceduralGenerator().generate_music("a prompt", config)


def changes(samples):
    """How much the spectrum changes from each 32 ms to the next, hop 8 ms: one number a hop."""
    mono = samples.mean(axis=1)
    frames = np.lib.stride_tricks.sliding_window_view(mono, 1024)[::256] * np.hanning(1024)
    level = np.log10(np.abs(np.fft.rfft(frames, axis=1)) + 1e-2)
    return np.abs(level[4:] - level[:-4]).mean(axis=1)


@pytest.mark.parametrize(("style", "seed"), [*((p, 3) for p in PLACES), *((s, 2) for s in BEATS)])
def test_played_three_times_over_the_seams_are_like_any_other_place(style, seed):
    """Without the meter: spectral change and sample steps at both seams against bar-long spans inside."""
    loop = a_loop(style, seed)
    assert measure_seam(loop).unusual <= 0.95
    thrice = np.tile(loop.samples, (3, 1))
    length = len(loop.samples)
    flux, step = changes(thrice), np.abs(np.diff(thrice, axis=0)).max(axis=1)
    bar = round(2.4 * RATE)
    seams = (length, 2 * length)
    spans = [at for at in range(bar, len(thrice) - bar, bar) if min(abs(at - s) for s in seams) > bar]
    inside = [flux[(at - bar // 2) // 256 : (at + bar // 2) // 256].max() for at in spans]
    steps = [step[at - bar // 2 : at + bar // 2].max() for at in spans]
    for seam in seams:
        assert flux[(seam - 3200) // 256 - 4 : (seam + 3200) // 256].max() <= 1.12 * np.quantile(inside, 0.95)
        assert step[seam - 8 : seam + 8].max() <= np.quantile(steps, 0.95)


@pytest.mark.parametrize(
    "style", ["environment_ocean", "environment_forest", "romantic_strings", "synthwave"]
)
def test_a_piece_cut_at_any_place_is_no_loop(style):
    piece = a_loop(style, loopable=False, duration_s=DURATION_S + 5)
    cut = Audio(piece.samples[: DURATION_S * RATE], RATE)
    assert measure_seam(cut).unusual > 0.95


def test_each_fault_is_told_by_its_own_figure():
    loop = a_loop("environment_ocean")
    whole = measure_seam(loop)
    clicked = loop.samples.copy()
    clicked[0] += 0.3
    click = measure_seam(Audio(clicked, RATE))
    assert (click.sample_step > 3 > whole.sample_step, click.unusual) == (True, 1.0)
    ramp = np.linspace(1, 0.2, len(loop.samples), dtype=np.float32)[:, None]
    sunk = measure_seam(Audio(loop.samples * ramp, RATE))
    assert (sunk.loudness_step > 1.5 > whole.loudness_step, sunk.unusual) == (True, 1.0)
    gap = loop.samples.copy()
    gap[-4800:] = 0
    faded = measure_seam(Audio(gap, RATE))
    assert (faded.appearing > 2 > whole.appearing, faded.unusual) == (True, 1.0)


@pytest.mark.parametrize("style", BEATS[:3])
def test_a_beat_that_comes_early_is_told(style):
    loop = a_loop(style)
    beat = 60 / loop.provenance["tempo_bpm"] * RATE
    early = measure_seam(Audio(loop.samples[: -round(0.4 * beat)], RATE))
    assert measure_seam(loop).beat_slip < 1 < early.beat_slip
    assert early.unusual > 0.95


def test_silence_and_what_is_too_short():
    assert measure_seam(Audio(np.zeros((RATE * 4, 2), np.float32), RATE)).unusual == 0.0
    assert measure_seam(Audio(np.ones((RATE, 1), np.float32), RATE)) is None
    with pytest.raises(AudioError, match="finite"):
        measure_seam(Audio(np.full((RATE * 4, 1), np.nan, np.float32), RATE))


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_any_rate_and_a_long_loop(rate):
    time_s = np.arange(rate * 130) / rate
    tone = (0.2 * np.sin(2 * np.pi * 220 * time_s)).astype(np.float32)[:, None]
    assert measure_seam(Audio(tone, rate)).unusual <= 0.95
    assert measure_seam(Audio(tone[: -rate // 880 * 2 - rate // 900], rate)).sample_step > 1


def test_the_beat_of_regular_onsets():
    strength = np.zeros(2000)
    strength[::60] = 1.0
    beat = find_beat(strength, 0.008)
    assert beat.period_s == pytest.approx(0.48, abs=0.002)
    assert find_beat(np.random.default_rng(1).random(2000), 0.008) is None
    assert find_beat(np.zeros(2000), 0.008) is None
