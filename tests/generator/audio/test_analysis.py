"""Tempo, key and waveform, measured on signals whose tempo and key are known."""

from __future__ import annotations

import numpy as np
import pytest

from music_catalog.generator.audio import analysis
from music_catalog.generator.errors import AudioError
from music_catalog.generator.protocol import Audio

RATE = 32_000
CADENCES = {
    "major": [(0, "M"), (5, "M"), (7, "M"), (0, "M"), (9, "m"), (5, "M"), (7, "M"), (0, "M")],
    "minor": [(0, "m"), (5, "m"), (7, "M"), (0, "m"), (8, "M"), (5, "m"), (7, "M"), (0, "m")],
}
THIRDS = {"M": (0, 4, 7), "m": (0, 3, 7)}


def audio_of(wave, channels=1):
    return Audio(np.repeat(wave[:, None], channels, axis=1).astype(np.float32), RATE)


def clicks(tempo_bpm, duration_s=20.0, noise=0.0, jitter_s=0.0):
    random = np.random.default_rng(0)
    wave = random.standard_normal(round(duration_s * RATE)) * noise
    t = np.arange(round(0.05 * RATE)) / RATE
    click = np.exp(-80 * t) * np.sin(2 * np.pi * 1000 * t)
    for beat_s in np.arange(0.1, duration_s - 0.1, 60 / tempo_bpm):
        at = round((beat_s + jitter_s * random.standard_normal()) * RATE)
        wave[at : at + len(click)] += click[: len(wave) - at]
    return audio_of(wave)


def tone(hertz, duration_s, partials=6):
    t = np.arange(round(duration_s * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * hertz * k * t) / k for k in range(1, partials + 1))
    return wave * np.minimum(1, (duration_s - t) * 10) * np.minimum(1, t * 50)


def pitch(semitones):
    return 440.0 * 2 ** ((semitones - 69) / 12)


def cadence(tonic, mode, noise=0.0):
    chords = [
        sum(tone(pitch(60 + tonic + root + third), 0.5) for third in THIRDS[kind])
        for root, kind in CADENCES[mode]
    ]
    wave = 0.1 * np.concatenate(chords)
    return audio_of(wave + noise * np.random.default_rng(0).standard_normal(len(wave)))


def colours(duration_s=12.0):
    """Return sounds without pulse or key: white, brown and swelling noise, drops, and a glide."""
    random = np.random.default_rng(3)
    n = round(duration_s * RATE)
    white = random.standard_normal(n) * 0.1
    brown = np.cumsum(white) * 0.01
    swell = white * (1 + np.sin(2 * np.pi * 0.13 * np.arange(n) / RATE))
    drops = np.convolve((random.random(n) > 0.9997) * random.random(n), np.exp(-np.arange(400) / 40), "same")
    glide = 0.3 * np.sin(2 * np.pi * 200 * (2 ** (np.arange(n) / RATE / 3)).cumsum() / RATE)
    return {"white": white, "brown": brown - brown.mean(), "swell": swell, "drops": drops, "glide": glide}


# Tempo


@pytest.mark.parametrize("tempo", [45, 60, 72, 80, 95.5, 110, 128, 140, 152])
def test_tempo_of_a_click_track(tempo):
    assert analysis.tempo_bpm(clicks(tempo)) == pytest.approx(tempo, abs=0.3)


@pytest.mark.parametrize("tempo", [90, 120])
def test_tempo_under_noise_with_a_human_beat_and_in_a_short_clip(tempo):
    assert analysis.tempo_bpm(clicks(tempo, noise=0.05)) == pytest.approx(tempo, abs=0.5)
    assert analysis.tempo_bpm(clicks(tempo, jitter_s=0.008)) == pytest.approx(tempo, abs=2)
    assert analysis.tempo_bpm(clicks(tempo, duration_s=6.0)) == pytest.approx(tempo, abs=0.5)


@pytest.mark.parametrize(("tempo", "measured"), [(170, 85), (200, 100), (240, 120)])
def test_a_fast_tempo_is_measured_as_the_half_that_is_nearer_to_the_usual_one(tempo, measured):
    assert analysis.tempo_bpm(clicks(tempo)) == pytest.approx(measured, abs=0.5)


def test_clicks_too_far_apart_are_no_pulse():
    assert analysis.tempo_bpm(clicks(30)) is None


@pytest.mark.parametrize("kind", list(colours(0.1)))
def test_what_has_no_pulse_and_no_key_has_neither(kind):
    sound = audio_of(colours()[kind])
    assert analysis.tempo_bpm(sound) is None
    assert analysis.musical_key(sound) is None


def test_only_the_middle_of_a_long_clip_is_heard():
    middle = clicks(100, 50.0).samples
    edges = np.random.default_rng(0).standard_normal((20 * RATE, 1)).astype(np.float32)
    assert analysis.tempo_bpm(Audio(np.concatenate([edges, middle, edges]), RATE)) == pytest.approx(
        100, abs=0.3
    )


# Key


@pytest.mark.parametrize("mode", ["major", "minor"])
@pytest.mark.parametrize("tonic", range(12))
def test_key_of_a_cadence(tonic, mode):
    assert analysis.musical_key(cadence(tonic, mode)) == f"{analysis.NAMES[tonic]} {mode}"


@pytest.mark.parametrize(("tonic", "mode", "key"), [(0, "major", "C major"), (9, "minor", "A minor")])
def test_key_under_noise_with_drums_and_in_stereo(tonic, mode, key):
    music = cadence(tonic, mode, noise=0.05)
    drums = clicks(120, music.duration_s).samples
    assert analysis.musical_key(Audio(music.samples + 0.5 * drums, RATE)) == key
    assert analysis.musical_key(Audio(np.repeat(music.samples, 2, axis=1), RATE)) == key


def test_all_twelve_tones_alike_have_no_key():
    steps = np.concatenate([tone(pitch(57 + step), 0.4) for step in range(12)] * 3)
    assert analysis.musical_key(audio_of(0.2 * steps)) is None


@pytest.mark.parametrize("seed", range(12))
def test_a_chance_pattern_of_clicks_has_no_key(seed):
    spikes = np.random.default_rng(seed).random(8 * RATE) > 0.99985
    assert analysis.musical_key(audio_of(spikes.astype(float))) is None


@pytest.mark.parametrize("seed", [0, 2, 4, 5, 7])
def test_noise_that_resembles_a_key_by_chance_has_none(seed):
    assert analysis.musical_key(audio_of(0.1 * np.random.default_rng(seed).standard_normal(6 * RATE))) is None


# Both


@pytest.mark.parametrize("frames", [1, 100, RATE // 2, 10 * RATE])
@pytest.mark.parametrize("level", [0.0, 1e-6])
def test_silence_and_scraps_have_neither_tempo_nor_key(frames, level):
    quiet = audio_of(np.random.default_rng(0).standard_normal(frames) * level)
    assert analysis.tempo_bpm(quiet) is None
    assert analysis.musical_key(quiet) is None
    loud = audio_of(np.random.default_rng(0).standard_normal(min(frames, RATE // 2)))
    assert analysis.tempo_bpm(loud) is None
    assert analysis.musical_key(loud) is None


@pytest.mark.parametrize(("duration_s", "judged"), [(3.9, False), (4.0, True)])
def test_the_shortest_clip_that_is_judged(duration_s, judged):
    music = cadence(0, "major").samples[: round(duration_s * RATE)]
    drums = clicks(120, duration_s).samples
    assert (analysis.tempo_bpm(Audio(drums, RATE)) is not None) is judged
    assert (analysis.musical_key(Audio(music, RATE)) is not None) is judged


def test_samples_that_are_not_finite_are_refused():
    for measure in (analysis.tempo_bpm, analysis.musical_key, lambda clip: analysis.peaks(clip, 4)):
        with pytest.raises(AudioError, match="not finite"):
            measure(audio_of(np.full(RATE, np.nan)))


# Waveform


def test_peaks_by_hand():
    clip = Audio(np.array([[0, 1], [-2, 0], [3, 0], [0, 0.5]], np.float32), RATE)
    assert analysis.peaks(clip, 2).tolist() == [[-2, 1], [0, 3]]
    assert analysis.peaks(clip, 8).tolist() == [[0, 1]] * 2 + [[-2, 0]] * 2 + [[0, 3]] * 2 + [[0, 0.5]] * 2
    with pytest.raises(AudioError, match="bins"):
        analysis.peaks(clip, 0)


@pytest.mark.parametrize(("frames", "bins"), [(1, 1), (1, 5), (1_000, 7), (999, 1_000), (5_000, 800)])
def test_peaks_miss_nothing(frames, bins):
    clip = audio_of(np.random.default_rng(frames).standard_normal(frames), channels=2)
    outline = analysis.peaks(clip, bins)
    assert outline.shape == (bins, 2)
    assert outline.dtype == np.float32
    assert outline[:, 0].min() == clip.samples.min()
    assert outline[:, 1].max() == clip.samples.max()
