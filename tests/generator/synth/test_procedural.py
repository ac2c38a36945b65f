"""Rendered audio: every shipped style and place, and what a listener would notice in it."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from renders import (
    PLACES,
    RATE,
    STYLES,
    centroid_hz,
    major_third_share,
    onset_flux,
    onsets_per_s,
    render,
    rms,
    spectrogram,
)

from music_catalog.generator import Audio, Cancelled, Generator, GeneratorError
from music_catalog.generator.synth.generator import ProceduralGenerator
from music_catalog.generator.synth.parameters import (
    Bass,
    ChordColour,
    Comping,
    Groove,
    Instrument,
    Kit,
    Mode,
    Synthesis,
    Texture,
    names_of,
)


def features(audio):
    """Brightness, onset rate, tempo, balance of six bands and pulsation, for telling styles apart."""
    power = (spectrogram(audio) ** 2).sum(axis=0)
    hz = np.fft.rfftfreq(2048, 1 / RATE)
    edges = (0, 120, 300, 800, 2500, 6000, 16000)
    bands = [power[(hz >= low) & (hz < high)].sum() / power.sum() for low, high in pairwise(edges)]
    flux = onset_flux(audio)
    return np.array(
        [np.log(centroid_hz(audio)), onsets_per_s(audio), np.log(audio.provenance["tempo_bpm"]),
         *np.log10(np.array(bands) + 1e-4), flux.std() / flux.mean()]
    )  # fmt: skip


LENGTH_S = 4


@cache
def rendered(name, seed=1):
    """Return a style or place, rendered once for all tests that listen to it."""
    return render(STYLES[name]["synthesis"], LENGTH_S, seed)


def test_it_fits_the_protocol():
    generator: Generator = ProceduralGenerator()
    audio = generator.generate_music("calm piano", {"duration_s": 1.0, "seed": 4})
    assert {"backend", "model", "weights_license", "seed", "versions"} <= audio.provenance.keys()
    assert audio.provenance["backend"] == "procedural"
    assert audio.provenance["seed"] == 4


@pytest.mark.parametrize("name", STYLES)
def test_every_style_and_place_is_rendered_whole(name):
    audio = rendered(name)
    assert audio.samples.dtype == np.float32
    assert audio.samples.shape == (LENGTH_S * RATE, 2)
    assert np.isfinite(audio.samples).all()
    assert 0.2 < np.abs(audio.samples).max() < 0.95
    assert all(rms(second) > 0.003 for second in np.split(audio.samples, LENGTH_S)), "a second of silence"
    assert np.abs(audio.samples.mean(axis=0)).max() < 0.01, "a constant offset"
    mono = audio.samples.mean(axis=1)
    assert rms(mono) > 0.6 * rms(audio.samples), "the channels cancel in mono"
    assert 8 < 20 * np.log10(np.abs(mono).max() / rms(mono)) < 25, "crest factor"


@pytest.mark.parametrize(
    "name", ["ambient_lofi", "cinematic_epic", "chiptune_playful", "environment_storm", "dark_ambient"]
)
@pytest.mark.parametrize("duration_s", [0.3, 0.7, 2.0, 5.0])
@pytest.mark.parametrize("loopable", [False, True])
def test_short_signals_sound_and_end(name, duration_s, loopable):
    audio = render(STYLES[name]["synthesis"], duration_s, loopable=loopable, channels=1)
    assert audio.samples.shape == (round(duration_s * RATE), 1)
    assert rms(audio.samples) > 0.05
    if not loopable:
        assert np.abs(audio.samples[0]).max() < 0.01
        assert np.abs(audio.samples[-32:]).max() < 0.01


def test_a_piece_ends_by_itself_not_by_a_fade():
    audio = render({"harmony": "piano", "bass": "electric", "groove": "backbeat", "tempo_bpm": 120}, 24)
    seconds = [rms(part) for part in np.split(audio.samples, 24)]
    assert min(seconds[4:20]) > 0.5 * max(seconds[4:20]), "level holds to the final chord"
    assert seconds[-1] < 0.25 * max(seconds), "and then rings out"
    assert np.abs(audio.samples[-1]).max() < 1e-3


def test_the_same_seed_gives_the_same_samples_and_another_does_not():
    for name in ("jazz_lounge", "environment_forest", "dark_ambient"):
        synthesis = STYLES[name]["synthesis"]
        one, again, other = render(synthesis, 5), render(synthesis, 5), render(synthesis, 5, seed=2)
        assert np.array_equal(one.samples, again.samples)
        assert abs(np.corrcoef(one.samples[:, 0], other.samples[:, 0])[0, 1]) < 0.6


def test_styles_are_told_apart_by_ear():
    """The nearest other rendering of a style is the same style with another seed, for nearly all."""
    names = [name for name in STYLES for _ in (1, 2)]
    rows = np.array([features(rendered(name, seed)) for name in STYLES for seed in (1, 2)])
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    distance = np.sqrt(((rows[:, None] - rows[None]) ** 2).mean(axis=2))
    np.fill_diagonal(distance, np.inf)
    right = [names[nearest] == name for name, nearest in zip(names, distance.argmin(axis=1), strict=True)]
    assert np.mean(right) > 0.8
    same = np.array([[a == b for b in names] for a in names])
    assert np.median(distance[~same]) > 3 * np.median(distance[same & np.isfinite(distance)])
    centres = np.array([rows[[n == name for n in names]].mean(axis=0) for name in STYLES])
    between = np.sqrt(((centres[:, None] - centres[None]) ** 2).mean(axis=2))
    assert between[~np.eye(len(STYLES), dtype=bool)].min() > 0.15


@pytest.mark.parametrize(
    "name", ["jazz_lounge", "sad_piano", "environment_ocean", "electronic_focus", "ambient_lofi"]
)
def test_a_loop_has_no_seam(name):
    """At the wrap nothing is more unusual than at the bar lines inside, one of which begins a phrase."""
    style = Synthesis.parse(STYLES[name]["synthesis"])
    length_s = max(16, 8 * style.meter * 60 / style.tempo_bpm)
    audio = render(STYLES[name]["synthesis"], length_s, loopable=True)
    beat_s = 60 / audio.provenance["tempo_bpm"]
    looped = np.concatenate([audio.samples, audio.samples]).mean(axis=1)
    step = np.abs(np.diff(looped))
    seam = audio.samples.shape[0]
    beats = (np.arange(1, round(length_s / beat_s)) * beat_s * RATE).astype(int)
    inside = np.concatenate([step[beat - 160 : beat + 160] for beat in beats])
    assert step[seam - 1] <= np.quantile(inside, 0.95)
    flux = onset_flux(Audio(looped[:, None], RATE))
    at = seam // 512
    beat_flux = [flux[beat // 512 - 4 : beat // 512 + 2].max() for beat in beats]
    assert flux[at - 4 : at + 2].max() <= 1.05 * np.quantile(np.concatenate([flux[: at - 6], beat_flux]), 1.0)
    cut = render(STYLES[name]["synthesis"], length_s, loopable=False)
    wrapped, open_ended = (rms(a.samples[-1600:]) / rms(a.samples) for a in (audio, cut))
    assert wrapped > 4 * open_ended, "the loop is still sounding where a piece would have ended"


def test_tails_come_round_to_the_start():
    """A slow pad is silent in its first moments, unless the end of the loop still rings there."""
    synthesis = {"harmony": "none", "pad": "warm_pad", "reverb": 0.8, "room_s": 4}
    looped, piece = (rms(render(synthesis, 8, loopable=loop).samples[:640]) for loop in (True, False))
    assert looped > 20 * piece


def test_mono_is_the_mean_of_the_channels():
    stereo, mono = (render(STYLES["romantic_strings"]["synthesis"], 3, channels=n).samples for n in (2, 1))
    assert mono.shape == (3 * RATE, 1)
    assert np.allclose(mono[:, 0], stereo.mean(axis=1), atol=1e-6)


def test_width_zero_is_mono():
    wide, narrow = (render({"pad": "strings", "width": w}, 3).samples for w in (1.0, 0.0))
    assert rms(narrow[:, 0] - narrow[:, 1]) < 1e-6
    assert rms(wide[:, 0] - wide[:, 1]) > 0.01


def test_brightness_density_and_mode_are_heard():
    base = {"harmony": "piano", "comping": "arpeggio", "lead": "flute", "tonic": "C"}
    dark, bright = (render({**base, "brightness": b}, 8) for b in (0.1, 0.9))
    assert centroid_hz(bright) > 1.3 * centroid_hz(dark)
    thin, busy = (render({**base, "density": d}, 8) for d in (0.1, 0.9))
    assert onsets_per_s(busy) > 1.3 * onsets_per_s(thin)
    minor, major = (render({**base, "mode": m}, 8) for m in ("minor", "major"))
    assert major_third_share(minor) < 0.3 < 0.7 < major_third_share(major)


@pytest.mark.parametrize("texture", names_of(Texture))
def test_every_texture_is_audible_and_alone_when_there_is_no_music(texture):
    audio = render({"harmony": "none", "music_level": 0, "textures": {texture: 0.8}}, 8)
    assert rms(audio.samples) > 0.01
    assert np.isfinite(audio.samples).all()


def music_share(name):
    """How much of a rendering's power is its music, from its correlation with the same notes alone."""
    alone = render({**STYLES[name]["synthesis"], "textures": {}}, LENGTH_S, channels=1)
    whole = rendered(name).samples.mean(axis=1)
    return float(np.corrcoef(whole, alone.samples[:, 0])[0, 1] ** 2)


@pytest.mark.parametrize("name", PLACES)
def test_a_place_comes_first_with_music_over_it_that_can_be_heard(name):
    assert 0.04 < music_share(name) < 0.75


@pytest.mark.parametrize(
    "name", [n for n, s in STYLES.items() if n not in PLACES and s["synthesis"].get("textures")]
)
def test_textures_stay_below_the_music_of_a_style(name):
    assert 0.85 < music_share(name) < 0.9999


def test_what_would_be_silent_is_refused():
    for synthesis in ({"harmony": "none"}, {"music_level": 0}, {"harmony": "none", "textures": {"rain": 0}}):
        with pytest.raises(GeneratorError, match="nothing would sound"):
            render(synthesis, 1)


def test_repetition_and_dynamics_of_the_role_win():
    audio = render({"dynamics": "flat", "repetition": "none"}, 2, dynamics="impact", repetition="high")
    assert audio.provenance["synthesis"]["dynamics"] == "impact"
    assert audio.provenance["synthesis"]["repetition"] == "high"


def test_the_words_of_the_prompt_do_without_a_synthesis():
    generator = ProceduralGenerator()
    calm = generator.generate_music("ambient drone, no drums", {"duration_s": 6, "seed": 1, "top_k": 250})
    fast = generator.generate_music("energetic chiptune, 160 bpm", {"duration_s": 6, "seed": 1})
    assert onsets_per_s(fast) > onsets_per_s(calm) + 1
    assert fast.provenance["tempo_bpm"] == pytest.approx(160, rel=0.09)


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"duration_s": -1}, "duration_s"),
        ({"duration_s": float("nan")}, "duration_s"),
        ({"duration_s": "long"}, "duration_s"),
        ({"channels": 3}, "channels"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "whole number"),
        ({"synthesis": {"groov": "none"}}, "groove"),
        ({"synthesis": [1]}, "mapping"),
        ({"dynamics": "loud"}, "building"),
    ],
)
def test_a_bad_configuration_is_refused_clearly(config, word):
    with pytest.raises(GeneratorError, match=word):
        ProceduralGenerator().generate_music("x", {"duration_s": 1, **config})


def test_progress_is_reported_and_stops_the_work():
    seen = []
    ProceduralGenerator().generate_music(
        "jazz", {"duration_s": 4}, on_progress=lambda *step: seen.append(step)
    )
    done, totals = zip(*seen, strict=True)
    assert len(seen) >= 20
    assert list(done) == sorted(done)
    assert len(set(totals)) == 1
    assert done[-1] == totals[0]

    def stop(done, total):
        if done == 3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        ProceduralGenerator().generate_music("jazz", {"duration_s": 4}, on_progress=stop)


def test_a_melody_is_followed():
    pitches = [67, 69, 71, 67, 72, 71, 69, 67]
    time_s = np.arange(RATE // 2) / RATE
    hertz = [440 * 2 ** ((p - 69) / 12) for p in pitches]
    tune = np.concatenate([np.sin(2 * np.pi * hz * time_s) for hz in hertz]).astype(np.float32)
    config = {
        "duration_s": 5,
        "seed": 1,
        "synthesis": {"tempo_bpm": 60, "harmony": "none", "lead": "flute", "humanize": 0, "reverb": 0},
    }
    audio = ProceduralGenerator().generate_music("x", config, melody=Audio(tune[:, None], RATE))
    measured = []
    slot = audio.samples.shape[0] / 5 * 30 / audio.provenance["tempo_bpm"]
    for index in range(8):
        part = audio.samples[int((index + 0.2) * slot) : int((index + 0.9) * slot), 0]
        power = np.abs(np.fft.rfft(part * np.hanning(part.size), 1 << 16))
        measured.append(round(69 + 12 * np.log2(power.argmax() * RATE / (1 << 16) / 440)) % 12)
    assert measured == [p % 12 for p in pitches]
    with pytest.raises(GeneratorError, match="silent"):
        ProceduralGenerator().generate_music("x", config, melody=Audio(np.zeros((RATE, 1), np.float32), RATE))


def test_continuing_is_refused():
    with pytest.raises(GeneratorError, match="continue"):
        ProceduralGenerator().generate_music("x", {}, continue_from=Audio(np.zeros((9, 1), np.float32), RATE))


LEVEL = st.floats(0, 1)
PARAMETERS = st.fixed_dictionaries(
    {
        "tempo_bpm": st.floats(30, 220), "meter": st.sampled_from([3, 4, 6]),
        "mode": st.sampled_from(names_of(Mode)),
        "progression": st.sampled_from(["pop", "drone", "2 5 1", "blues"]),
        "colour": st.sampled_from(names_of(ChordColour)),
        "bars_per_chord": st.sampled_from([0.5, 1, 2, 4]), "register_shift": st.floats(-1, 1),
        "harmony": st.sampled_from(names_of(Instrument)), "pad": st.sampled_from(names_of(Instrument)),
        "lead": st.sampled_from(names_of(Instrument)), "bass": st.sampled_from(names_of(Bass)),
        "comping": st.sampled_from(names_of(Comping)), "groove": st.sampled_from(names_of(Groove)),
        "kit": st.sampled_from(names_of(Kit)), "dynamics": st.sampled_from(["flat", "wide", "impact"]),
        "articulation": st.sampled_from(["staccato", "normal", "legato"]), "room_s": st.floats(0.2, 9),
        "textures": st.dictionaries(st.sampled_from(names_of(Texture)), LEVEL, max_size=2),
        **dict.fromkeys(("swing", "humanize", "density", "brightness", "reverb", "echo"), LEVEL),
        **dict.fromkeys(("width", "tape", "pump", "drum_level", "lead_level", "pad_level", "music_level"), LEVEL),
    }
)  # fmt: skip


def sounds(values):
    try:
        return bool(Synthesis.parse(values))
    except GeneratorError:
        return False


@settings(max_examples=40, deadline=None)
@given(PARAMETERS, st.floats(0.05, 3), st.booleans(), st.integers(0, 2**32 - 1))
def test_any_parameters_give_finite_sound_of_the_right_length(values, duration_s, loopable, seed):
    assume(sounds(values))
    samples = render(values, duration_s, seed, loopable=loopable).samples
    assert samples.shape == (round(duration_s * RATE), 2)
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 0.95
    assert rms(samples) > 1e-4
