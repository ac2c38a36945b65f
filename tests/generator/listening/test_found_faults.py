"""Faults in samples are found, and music is not blamed for being music."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog.generator import Audio, AudioError
from music_catalog.generator.audio import fade
from music_catalog.generator.listening.expected import Expected
from music_catalog.generator.listening.faults import find_faults
from tests.renders import STYLES, render

RATE = 32_000


@pytest.fixture(scope="module")
def piece():
    """A pop piece of 16 s with its fades."""
    return fade(render(STYLES["summer_pop"]["synthesis"], 16.0, seed=3), 1.0, 2.0)


FADES = Expected(fade_in_s=1.0, fade_out_s=2.0)


def kinds(audio, expected=FADES):
    return {fault.kind for fault in find_faults(audio, expected)}


def changed(audio, change):
    samples = audio.samples.copy()
    change(samples)
    return Audio(samples, audio.sample_rate)


def at(seconds):
    return round(seconds * RATE)


def silent(start_s, end_s):
    def change(samples):
        samples[at(start_s) : at(end_s)] = 0.0

    return change


def test_a_sound_piece_has_no_faults(piece):
    assert find_faults(piece, FADES) == []


@pytest.mark.parametrize(
    ("start_s", "end_s", "words"),
    [
        (0, 16, "all of it is silent"),
        (0, 4, "the first 4.0 s of 16.0 s are silent"),
        (11, 16, "the last 5.0 s of 16.0 s are silent"),
        (6, 9, "a pause of 3.0 s inside"),
    ],
)
def test_silence_is_found_and_placed(piece, start_s, end_s, words):
    first = find_faults(changed(piece, silent(start_s, end_s)), FADES)
    assert words in {fault.words for fault in first if fault.kind == "silence"} or any(
        fault.words.startswith(words) for fault in first
    )


def test_a_sting_may_ring_out_and_a_fade_may_end_in_silence():
    sting = changed(
        Audio(np.random.default_rng(1).normal(0, 0.1, (at(4), 2)).astype(np.float32), RATE), silent(2, 4)
    )
    assert "silence" in kinds(sting, Expected())
    assert "silence" not in kinds(sting, Expected(one_shot=True))


@pytest.mark.parametrize("level", [0.99, 0.2])
def test_cut_tops_are_found_at_any_level(piece, level):
    limit = 0.5 * float(np.abs(piece.samples).max())
    clipped = np.clip(piece.samples, -limit, limit) * np.float32(level / limit)
    assert "clipping" in kinds(Audio(clipped, RATE))


def test_loud_music_is_not_clipped(piece):
    assert kinds(Audio(piece.samples / np.abs(piece.samples).max(), RATE)) == set()


@pytest.mark.parametrize("gap_s", [0.005, 0.05, 0.3])
def test_a_gap_is_found(piece, gap_s):
    faults = find_faults(changed(piece, silent(8, 8 + gap_s)), FADES)
    assert [fault.kind for fault in faults] == ["drop-outs"]
    assert "1 gap" in faults[0].words
    assert "at 8.0 s" in faults[0].words


def test_samples_cut_out_of_a_tone_click():
    seconds = np.arange(at(8)) / RATE
    tone = (0.3 * np.sin(2 * np.pi * 220 * seconds) * (1 + 0.2 * np.sin(2 * np.pi * seconds)))[:, None]
    whole = Audio(tone.astype(np.float32), RATE)
    cut = Audio(np.delete(whole.samples, slice(at(4), at(4) + 63), axis=0), RATE)
    assert "drop-outs" not in kinds(whole)
    (fault,) = [one for one in find_faults(cut, Expected()) if one.kind == "drop-outs"]
    assert fault.words == "1 click, the first at 4.0 s"
    assert "drop-outs" not in kinds(cut, Expected(may_crackle=True))


@pytest.mark.parametrize("period_s", [0.7, 1.0, 2.0])
@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_a_stuck_loop_is_found_unless_the_music_may_repeat(piece, period_s, noise):
    def hang(samples):
        period, start = at(period_s), at(6)
        length = len(samples) - start
        times = -(-length // period)
        samples[start:] = np.tile(samples[start - period : start], (times, 1))[:length]
        samples += np.random.default_rng(0).normal(0, noise, samples.shape).astype(np.float32)

    hanging = changed(piece, hang)
    (fault,) = [one for one in find_faults(hanging, FADES) if one.kind == "stuck"]
    assert fault.words.startswith(f"the same {period_s:.1f} s are repeated")
    assert "stuck" not in kinds(hanging, Expected(fade_in_s=1.0, fade_out_s=2.0, may_repeat=True))


def test_a_drone_that_stands_still_is_not_stuck():
    drone = sum(np.sin(2 * np.pi * hertz * np.arange(at(16)) / RATE) for hertz in (110.0, 165.0, 220.0))
    noise = np.random.default_rng(2).normal(0, 0.01, at(16))
    assert "stuck" not in kinds(Audio((0.1 * drone + noise).astype(np.float32)[:, None], RATE))


@pytest.mark.parametrize("eighth_level", [0.0, 0.6])
def test_a_far_tempo_is_found_and_an_octave_is_not(eighth_level):
    clicks = np.random.default_rng(4).normal(0, 0.003, (at(16), 1))
    burst = np.random.default_rng(3).normal(0, 0.3, (at(0.03), 1))
    # 120 beats a minute, and eighths between them.
    for number, start_s in enumerate(np.arange(0, 15.5, 0.25)):
        clicks[at(start_s) : at(start_s) + len(burst)] += (eighth_level if number % 2 else 1.0) * burst
    music = Audio(clicks.astype(np.float32), RATE)
    for asked in (60.0, 119.0, 120.0, 121.0, 240.0):
        assert "tempo" not in kinds(music, Expected(tempo_bpm=asked, may_repeat=True))
    # Two beats of 96, 156 and 160 are about two and a half and one and a half of 120.
    for asked in (88.0, 96.0, 105.0, 108.0, 140.0, 156.0, 160.0):
        (fault,) = [one for one in find_faults(music, Expected(tempo_bpm=asked)) if one.kind == "tempo"]
        assert fault.words.endswith(f" a minute and {asked:.0f} was asked for")
        assert fault.words.startswith(("its pulse is 120 ", "its pulse is 60 "))


@settings(max_examples=40, deadline=None)
@given(
    samples=st.integers(1, 40_000),
    channels=st.integers(1, 2),
    rate=st.sampled_from([8_000, 22_050, 44_100]),
    level=st.sampled_from([0.0, 1e-6, 0.1, 900.0]),
)
def test_any_audio_can_be_checked(samples, channels, rate, level):
    noise = np.random.default_rng(samples).normal(0, 0.3, (samples, channels)).clip(-1, 1) * level
    for fault in find_faults(Audio(noise.astype(np.float32), rate), Expected(tempo_bpm=90.0)):
        assert 0.0 <= fault.severity <= 1.0


def test_samples_that_are_not_numbers_are_refused():
    with pytest.raises(AudioError):
        find_faults(Audio(np.full((1000, 1), np.nan, np.float32), RATE))
