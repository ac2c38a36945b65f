"""Beats and sections on sounds whose beats and joins are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog.generator.listening.beats import beat_times
from music_catalog.generator.listening.structure import structure_of
from music_catalog.generator.protocol import Audio

RATE = 22_050


def clicks(times, duration_s):
    signal = np.zeros(round(duration_s * RATE), np.float32)
    time = np.arange(RATE // 20) / RATE
    click = np.exp(-80 * time) * np.sin(2 * np.pi * 1000 * time)
    for at in np.round(np.asarray(times) * RATE).astype(int):
        signal[at : at + len(click)] += click[: len(signal) - at]
    return signal


def audio_of(signal):
    return Audio(np.asarray(signal, np.float32)[:, None], RATE)


@settings(max_examples=10, deadline=None)
@given(st.floats(50.0, 170.0), st.floats(0.0, 0.3))
def test_beats_are_on_the_clicks(tempo, first_s):
    times = np.arange(first_s, 11.8, 60 / tempo)
    beats = beat_times(clicks(times, 12.0), tempo)
    assert len(times) - 2 <= len(beats) <= len(times)
    assert np.abs(beats[:, None] - times).min(axis=1).max() < 0.03


def test_beats_follow_a_tempo_that_drifts():
    times = np.cumsum(np.linspace(0.48, 0.54, 40))
    beats = beat_times(clicks(times, times[-1] + 0.3), 60 / 0.51)
    assert np.abs(beats[:, None] - times).min(axis=1).max() < 0.04
    assert len(beats) >= 38


def test_the_bass_is_on_the_beat_where_a_hat_plays_between():
    beats = np.arange(0.4, 15.8, 0.5)
    random = np.random.default_rng(0)
    hat = clicks([], 16.0)
    for at in np.round((beats[:-1] + 0.25) * RATE).astype(int):
        hat[at : at + 2000] += 0.1 * np.diff(random.standard_normal(2001)) * np.exp(-np.arange(2000) / 400)
    time = np.arange(6000) / RATE
    for at in np.round(beats * RATE).astype(int):
        hat[at : at + 6000] += 0.6 * (np.sin(2 * np.pi * 60 * time) * np.exp(-time * 20))[: len(hat) - at]
    found = beat_times(hat, 120.0)
    assert np.abs(found[:, None] - beats).min(axis=1).max() < 0.05


@pytest.mark.parametrize("kind", ["white", "brown", "silence", "tone"])
def test_what_has_no_pulse_has_no_beats(kind):
    white = np.random.default_rng(2).standard_normal(12 * RATE) * 0.1
    signal = {
        "white": white,
        "brown": np.cumsum(white) * 0.01 - (np.cumsum(white) * 0.01).mean(),
        "silence": 0 * white,
        "tone": 0.3 * np.sin(2 * np.pi * 220 * np.arange(12 * RATE) / RATE),
    }[kind]
    assert structure_of(audio_of(signal), 100.0).beats == ()


def chord(hertz, duration_s, loud=0.1):
    time = np.arange(round(duration_s * RATE)) / RATE
    return loud * sum(np.sin(2 * np.pi * one * time) for one in hertz)


def test_a_piece_that_changes_and_comes_back_is_a_b_a():
    low, high = (110.0, 165.0, 220.0), (1480.0, 1976.0, 2637.0, 5274.0)
    signal = np.concatenate([chord(low, 14.0), chord(high, 11.0), chord(low, 13.0)])
    sections = structure_of(audio_of(signal), None).sections
    assert [one.label for one in sections] == ["A", "B", "A"]
    assert [one.start_s for one in sections] == pytest.approx([0.0, 14.0, 25.0], abs=0.5)
    assert [one.end_s for one in sections[:-1]] == [one.start_s for one in sections[1:]]
    assert sections[-1].end_s == 38.0


def test_a_piece_that_stays_is_one_section():
    sections = structure_of(audio_of(chord((220.0, 277.2, 329.6), 40.0)), None).sections
    assert [(one.start_s, one.end_s, one.label) for one in sections] == [(0.0, 40.0, "A")]


@pytest.mark.parametrize("duration_s", [0.5, 3.9])
def test_what_is_short_has_no_structure(duration_s):
    structure = structure_of(audio_of(chord((220.0,), duration_s)), 120.0)
    assert (structure.beats, structure.sections) == ((), ())


@settings(max_examples=12, deadline=None)
@given(st.floats(4.0, 20.0), st.integers(0, 5), st.sampled_from([None, 40.0, 97.3, 180.0]))
def test_any_sound_has_sections_from_start_to_end_and_beats_in_order(duration_s, seed, tempo):
    random = np.random.default_rng(seed)
    steps = np.repeat(random.standard_normal(40), round(duration_s * RATE) // 40 + 1)
    signal = (steps * random.standard_normal(len(steps)))[: round(duration_s * RATE)]
    structure = structure_of(audio_of(0.1 * signal), tempo)
    beats = np.array(structure.beats)
    assert (np.diff(beats) > 0).all()
    assert ((beats >= 0) & (beats < duration_s)).all()
    assert structure.sections[0].start_s == 0.0
    assert structure.sections[-1].end_s == pytest.approx(duration_s, abs=0.01)
    assert structure.sections[0].label == "A"
    assert all(one.start_s < one.end_s for one in structure.sections)
