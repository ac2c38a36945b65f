"""Music under a voice, measured on the stems by plain means of its own: levels in windows, slopes, peaks."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog import presets
from music_catalog.generator import Audio, AudioError, audio
from music_catalog.generator.audio.ducking import Ducking
from music_catalog.generator.audio.levels import Levels, clipped_share, level_bed
from music_catalog.generator.audio.timeline import Bed, Timeline, cues, mix
from music_catalog.generator.synth.generator import ProceduralGenerator

RATE = 32_000
SPOKEN = Path(__file__).resolve().parents[2] / "data" / "speechlike.flac"
DUCKING = {name: Ducking(**role.ducking.model_dump()) for name, role in presets.load().roles.items()}
WORDS = "The forest was quiet that morning. Only the brook could be heard, far away."


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """Two sentences with four seconds of silence between: by espeak-ng, else a generated signal like speech."""
    if shutil.which("espeak-ng"):
        path = tmp_path_factory.mktemp("speech") / "spoken.wav"
        subprocess.run(["espeak-ng", "-w", path, WORDS], check=True, timeout=60)
        spoken, rate = soundfile.read(path, dtype="float32", always_2d=True)
    else:
        spoken, rate = soundfile.read(SPOKEN, dtype="float32", always_2d=True)
    pause = np.zeros((4 * rate, 1), np.float32)
    return Audio(np.concatenate([spoken, pause, spoken]), rate)


@pytest.fixture(scope="module")
def loop():
    config = {"duration_s": 8, "seed": 1, "loopable": True}
    return ProceduralGenerator().generate_music("calm forest with piano", config)


def stems(timeline):
    parts = list(timeline.render(timeline.safety_gain()))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def window_db(samples, rate=RATE, length_s=0.1):
    """Level in dB of consecutive windows, both channels together."""
    size = round(length_s * rate)
    cut = samples[: len(samples) // size * size].astype(np.float64).reshape(-1, size, 2)
    return 10 * np.log10((cut**2).mean(axis=(1, 2)) + 1e-12)


def test_the_bed_lies_twelve_lu_under_the_voice_and_comes_back_in_pauses(speech, loop):
    timeline = mix(loop, speech, loop=True, ducking=DUCKING["narration_bed"])
    made = stems(timeline)
    assert timeline.sample_rate == RATE
    spoken = np.repeat(window_db(made["voice"]) > -45, RATE // 10)
    voice = audio.loudness_lufs(Audio(made["voice"][: len(spoken)][spoken], RATE))
    under = audio.loudness_lufs(Audio(made["music"][: len(spoken)][spoken], RATE))
    assert voice == pytest.approx(Levels().voice_lufs, abs=1.5)
    assert under <= voice - 12
    # The loop against itself without ducking: how much lower it is, window by window.
    alone = stems(Timeline(timeline.beds, [], timeline.duration_s, RATE))
    gain = window_db(made["music"]) - window_db(alone["music"])
    spoken_s = (speech.duration_s - 4) / 2
    middle_of_pause = round((2 + spoken_s + 3.6) * 10)
    assert gain[middle_of_pause] == pytest.approx(0, abs=0.1)
    assert gain[round((2 + spoken_s / 2) * 10)] == pytest.approx(-timeline.beds[0].ducking.depth_db, abs=0.3)


@pytest.mark.parametrize("role", DUCKING)
def test_no_gain_moves_faster_than_the_role_allows(speech, loop, role):
    timeline = mix(loop, speech, loop=True, ducking=DUCKING[role])
    alone = stems(Timeline(timeline.beds, [], timeline.duration_s, RATE))["music"]
    audible = np.abs(alone) > 1e-3
    gain = 20 * np.log10(np.abs(stems(timeline)["music"][audible]) / np.abs(alone[audible]))
    at_s = np.nonzero(audible)[0] / RATE
    knots = np.arange(0, timeline.duration_s, 0.05)
    slope = np.diff(np.interp(knots, at_s, gain)) / 0.05
    duck = timeline.beds[0].ducking
    assert slope.max() <= 1.05 * duck.depth_db / duck.release_s
    assert slope.min() >= -1.05 * duck.depth_db / max(duck.attack_s, 0.05)


def test_the_music_is_down_before_the_first_word(speech, loop):
    timeline = mix(loop, speech, loop=True, pre_roll_s=2.0)
    gain = timeline.gain_db(timeline.beds[0])
    first = np.flatnonzero(timeline.speaking)[0]
    assert gain[first] == pytest.approx(-timeline.beds[0].ducking.depth_db)
    assert gain[first - 200] == 0


def test_loudness_peaks_and_the_sum(speech, loop):
    made = stems(mix(loop, speech, loop=True, levels=Levels(voice_lufs=-12, bed_lufs=-12)))
    assert np.allclose(made["mix"], made["voice"] + made["music"], atol=1e-6)
    dense = soxr.resample(made["mix"], RATE, 8 * RATE)
    assert 20 * np.log10(np.abs(dense).max()) <= -0.95


@settings(max_examples=12, deadline=None)
@given(
    rate=st.sampled_from([8_000, 11_025, 22_050, 44_100, 48_000, 96_000]),
    channels=st.sampled_from([1, 2]),
    gain=st.floats(0.01, 30.0),
    seconds=st.floats(0.2, 3.0),
    pre=st.floats(0, 2),
    post=st.floats(0, 2),
    repeat=st.booleans(),
)
def test_any_voice_over_any_bed_never_clips(rate, channels, gain, seconds, pre, post, repeat):
    rng = np.random.default_rng(3)
    voice = Audio((gain * rng.standard_normal((round(seconds * rate), channels))).astype(np.float32), rate)
    bed = Audio((rng.standard_normal((8_000, 2))).astype(np.float32), 8_000)
    timeline = mix(bed, voice, loop=repeat, pre_roll_s=pre, post_roll_s=post)
    made = stems(timeline)
    assert len(made["mix"]) == timeline.frames
    assert timeline.duration_s == pytest.approx(pre + voice.duration_s + post)
    assert np.abs(made["mix"]).max() <= 0.9


def test_a_bed_repeats_without_a_gap_or_ends_with_a_fade(loop):
    tone = Audio(np.full((RATE // 4, 2), 0.1, np.float32), RATE)
    bed = Bed("x", lambda: tone, 0.5, 9.0, fade_in_s=0.5, fade_out_s=1.0, loop=True)
    music = stems(Timeline([bed], [], 10.0, RATE))["music"]
    assert np.all(music[: RATE // 2] == 0)
    assert np.allclose(music[round(1.1 * RATE) : round(7.9 * RATE)], 0.1)
    assert np.all(music[9 * RATE :] == 0)
    assert np.abs(np.diff(music, axis=0)).max() < 1e-4
    once = Bed("x", lambda: tone, 0.0, 9.0, fade_out_s=0.1)
    assert np.all(stems(Timeline([once], [], 10.0, RATE))["music"][RATE // 4 :] == 0)


def test_only_what_sounds_is_held():
    reads = []

    def read():
        reads.append(1)
        return Audio(np.full((RATE, 2), 0.1, np.float32), RATE)

    beds = [Bed(str(n), read, 10.0 * n, 10.0 * n + 9, loop=True) for n in range(6)]
    timeline = Timeline(beds, [], 60.0, RATE)
    most = 0
    for _ in timeline.blocks():
        most = max(most, len(timeline._held))
    assert (len(reads), most) == (6, 2)


def test_the_louder_the_bed_the_deeper_it_is_ducked(loop):
    quiet, loud = (level_bed(loop, Ducking(), Levels(bed_lufs=level))[1] for level in (-40, -16))
    assert quiet.depth_db == 10
    assert loud.depth_db > 15


def test_what_plays_when(speech, loop):
    sheet = cues(mix(loop, speech, loop=True, name="forest"))
    assert [cue["kind"] for cue in sheet] == ["music", "voice"]
    assert sheet[1]["start_s"] == 2.0
    assert sheet[0]["end_s"] == pytest.approx(2 + speech.duration_s + 3, abs=0.001)


def test_a_voice_with_one_channel_the_wrong_way_round_is_heard(speech, loop):
    wave = speech.samples[:, :1]
    timeline = mix(loop, Audio(np.concatenate([wave, -0.9 * wave], axis=1), speech.sample_rate))
    voice = np.concatenate([part["voice"] for part in timeline.render()])
    assert audio.loudness_lufs(Audio(voice, timeline.sample_rate)) == pytest.approx(-18.0, abs=1.0)


def test_clipping_is_heard():
    tone = np.sin(np.arange(RATE) / 20).astype(np.float32)[:, None]
    assert clipped_share(Audio(0.9 * tone, RATE)) == 0
    assert clipped_share(Audio(np.clip(3 * tone, -1, 1), RATE)) > 0.3


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda a: mix(a, Audio(np.zeros((RATE, 1), np.float32), RATE)), "silent"),
        (lambda a: mix(Audio(np.zeros((RATE, 1), np.float32), RATE), a), "bed is silent"),
        (lambda a: mix(a, a, pre_roll_s=-1), "roll"),
        (lambda a: mix(a, a, levels=Levels(voice_lufs=3)), "LUFS"),
        (lambda a: Ducking(depth_db=-1), "depth"),
        (lambda a: mix(a, Audio(np.zeros((0, 1), np.float32), RATE)), "shape"),
    ],
)
def test_what_cannot_be_mixed_is_refused_in_a_sentence(loop, make, word):
    with pytest.raises(AudioError, match=word):
        make(loop)
