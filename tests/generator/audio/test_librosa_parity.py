"""Onset strength, chroma, tempo and key equal librosa's, with which the tracks of earlier versions were measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog.generator.audio import analysis, constant_q, onsets
from music_catalog.generator.audio.beat import refine_peak
from music_catalog.generator.audio.measured_signal import SIGNAL_RATE, measured_signal
from music_catalog.generator.protocol import Audio
from music_catalog.generator.synth.generator import ProceduralGenerator

librosa = pytest.importorskip("librosa")
# Its helpers are compiled when these are first imported, which takes longer than a test may on a busy machine.
pytest.importorskip("librosa.feature")
pytest.importorskip("librosa.onset")

PIECES = {
    "lofi": {"tempo_bpm": 76, "mode": "dorian", "groove": "boom_bap"},
    "waltz": {"tempo_bpm": 132, "meter": 3, "harmony": "piano", "comping": "waltz", "groove": "none"},
    "house": {"tempo_bpm": 126, "mode": "minor", "groove": "four_on_floor"},
    "drone": {"tempo_bpm": 62, "harmony": "none", "pad": "warm_pad", "groove": "none"},
}


def reference_strength(signal):
    return librosa.onset.onset_strength(y=signal, sr=SIGNAL_RATE, hop_length=256, lag=2, max_size=3)


def reference_chroma(signal):
    return librosa.feature.chroma_cens(
        y=signal, sr=SIGNAL_RATE, hop_length=2048, tuning=0.0, win_len_smooth=None
    ).T


def reference_tempo(audio):
    signal = measured_signal(audio, analysis.MIN_S)
    if signal is None:
        return None
    per_minute = 60.0 * SIGNAL_RATE / 256
    strength = reference_strength(signal)
    lags = math.ceil(per_minute / 40.0) + 1
    raw = librosa.autocorrelate(strength - strength.mean(), max_size=lags + 1)
    repeats = raw / max(float(raw[0]), 1e-12)
    chosen = librosa.feature.tempo(
        tg=np.maximum(repeats[:lags, None], 0.0),
        sr=SIGNAL_RATE,
        hop_length=256,
        start_bpm=115.0,
        std_bpm=0.7,
        max_tempo=180.0,
    )
    lag = round(per_minute / float(chosen[0]))
    return round(per_minute / refine_peak(repeats, lag), 1) if repeats[lag] >= 0.2 else None


def reference_key(audio):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analysis, "cens_chroma", reference_chroma)
        return analysis.musical_key(audio)


def signal(seed, frames):
    """Return notes that come and go over noise, float32 of shape (frames,)."""
    random = np.random.default_rng(seed)
    t = np.arange(frames) / SIGNAL_RATE
    notes = sum(
        np.sin(2 * np.pi * hz * t + random.uniform(0, 6)) * (np.sin(2 * np.pi * beat * t) > 0)
        for hz, beat in zip(random.uniform(40, 4000, 6), random.uniform(0.3, 4, 6), strict=True)
    )
    noise = random.standard_normal(frames) * random.choice([0.001, 0.01, 0.3])
    return (random.uniform(0.01, 0.3) * notes + noise).astype(np.float32)


@settings(max_examples=8, deadline=None)
@given(st.integers(4 * SIGNAL_RATE, 10 * SIGNAL_RATE), st.integers(0, 2**16))
def test_onset_strength_equals_librosas(frames, seed):
    wave = signal(seed, frames)
    ours, theirs = onsets.onset_strength(wave), reference_strength(wave)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 1e-3  # dB


@settings(max_examples=8, deadline=None)
@given(st.integers(4 * SIGNAL_RATE, 10 * SIGNAL_RATE), st.integers(0, 2**16))
def test_chroma_equals_librosas(frames, seed):
    wave = signal(seed, frames)
    ours, theirs = constant_q.cens_chroma(wave), reference_chroma(wave)
    assert ours.shape == theirs.shape
    # Shares of a frame are counted in steps: where one lies on a step, rounding decides. It also decides what is in
    # frames between sounds, which hold nothing else; these signals have noise there.
    assert (np.abs(ours - theirs).max(axis=1) > 1e-5).mean() < 0.01
    assert np.abs(ours.mean(axis=0) - theirs.mean(axis=0)).max() < 1e-3


def test_silence_has_no_onsets_and_no_tones():
    silence = np.zeros(5 * SIGNAL_RATE, np.float32)
    assert not onsets.onset_strength(silence).any()
    assert not constant_q.cens_chroma(silence).any()


@pytest.mark.parametrize("name", PIECES)
def test_tempo_and_key_of_a_piece_are_those_that_librosa_gives(name):
    config = {"duration_s": 20.0, "seed": 3, "synthesis": PIECES[name]}
    audio = ProceduralGenerator().generate_music("a prompt", config)
    theirs = reference_tempo(audio)
    assert analysis.tempo_bpm(audio) == (None if theirs is None else pytest.approx(theirs, abs=0.1))
    assert analysis.musical_key(audio) == reference_key(audio)


@pytest.mark.parametrize("tempo", [45, 72, 95.5, 128, 170])
def test_tempo_of_clicks_is_that_of_librosa(tempo):
    random = np.random.default_rng(0)
    wave = 0.02 * random.standard_normal(12 * SIGNAL_RATE)
    for beat in np.arange(0.1, 11.8, 60 / tempo):
        wave[round(beat * SIGNAL_RATE) :][:400] += np.exp(-np.arange(400) / 80)
    audio = Audio(wave[:, None].astype(np.float32), SIGNAL_RATE)
    assert analysis.tempo_bpm(audio) == pytest.approx(reference_tempo(audio), abs=0.1)
