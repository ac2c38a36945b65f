"""Loops cut from music that is none: on arbitrary audio, and from a small random MusicGen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog.generator import Audio, AudioError
from music_catalog.generator.audio.loop import cut_loop, extra_s, find_cuts, turned
from music_catalog.generator.audio.seam import measure_seam
from music_catalog.generator.synth.generator import ProceduralGenerator

RATE = 32_000


def a_piece(tempo_bpm, duration_s, **synthesis):
    config = {"duration_s": duration_s, "seed": 4, "synthesis": {"tempo_bpm": tempo_bpm, **synthesis}}
    return ProceduralGenerator().generate_music("x", config)


GROOVE = {
    "groove": "four_on_floor",
    "kit": "electronic",
    "bass": "synth",
    "bass_line": "roots",
    "harmony": "piano",
}
PAD = {"harmony": "harp", "comping": "rolled", "pad": "strings", "textures": {"rain": 0.4}}


@pytest.mark.parametrize(("tempo_bpm", "synthesis"), [(112, GROOVE), (90, GROOVE), (60, PAD)])
def test_a_piece_becomes_a_loop_where_a_plain_cut_does_not(tempo_bpm, synthesis):
    piece = a_piece(tempo_bpm, 20 + extra_s(20), **synthesis)
    loop = cut_loop(piece, 20.0)
    assert abs(loop.duration_s - 20) <= 0.06 * 20 + 0.05
    assert measure_seam(loop).unusual <= 0.95
    assert loop.provenance["loop"]["unusual"] == measure_seam(loop).unusual
    plain = piece.samples[RATE : RATE + round(19.37 * RATE)]
    assert measure_seam(Audio(plain, RATE)).worst > measure_seam(loop).worst


@pytest.mark.parametrize("tempo_bpm", [112, 90])
def test_the_cut_falls_on_the_beat(tempo_bpm):
    piece = a_piece(tempo_bpm, 20 + extra_s(20), **GROOVE)
    loop = cut_loop(piece, 20.0)
    beats = loop.duration_s * piece.provenance["tempo_bpm"] / 60
    assert abs(beats - round(beats)) < 0.05


def test_exactly_as_long_where_that_is_asked():
    piece = a_piece(100, 14, **GROOVE)
    assert len(cut_loop(piece, 10.0, exact=True).samples) == 10 * RATE


@settings(max_examples=25, deadline=None)
@given(
    seconds=st.floats(0.05, 9.0),
    wanted=st.floats(0.05, 9.0),
    rate=st.sampled_from([3200, 16_000]),
    channels=st.sampled_from([1, 2]),
    silent=st.booleans(),
    grid=st.sampled_from([1, 64]),
)
def test_any_audio_gives_a_loop(seconds, wanted, rate, channels, silent, grid):
    noise = np.random.default_rng(1).standard_normal((max(grid, round(seconds * rate)), channels))
    audio = Audio((0.0 if silent else 0.2) * noise.astype(np.float32), rate)
    loop = cut_loop(audio, wanted, grid=grid)
    assert 1 <= len(loop.samples) <= len(audio.samples)
    assert loop.channels == channels
    assert np.isfinite(loop.samples).all()
    for cut in find_cuts(audio, wanted, grid=grid):
        assert (cut.start % grid, cut.length % grid) == (0, 0)
        assert cut.start + cut.length <= len(audio.samples)


def test_an_equal_power_fade_keeps_the_level_of_like_and_unlike():
    time_s = np.arange(8 * RATE) / RATE
    like = Audio((0.3 * np.sin(2 * np.pi * 100 * time_s)).astype(np.float32)[:, None], RATE)
    unlike = Audio((0.1 * np.random.default_rng(2).standard_normal((8 * RATE, 1))).astype(np.float32), RATE)
    for audio in (like, unlike):
        loop = cut_loop(audio, 5.0)
        size = RATE // 10
        level = np.sqrt(
            (loop.samples[: len(loop.samples) // size * size].reshape(-1, size) ** 2).mean(axis=1)
        )
        assert level.max() / level.min() < 1.12


def test_a_way_that_measures_best_is_taken():
    piece = a_piece(112, 14, **GROOVE)
    smooth = ProceduralGenerator().generate_music(
        "x", {"duration_s": 10, "seed": 4, "loopable": True, "synthesis": {"tempo_bpm": 112, **GROOVE}}
    )

    def louder(start, length):  # so that the level falls at the seam
        return (
            piece.samples[start : start + length] * np.linspace(0.02, 1.0, length, dtype=np.float32)[:, None]
        )

    rough = cut_loop(piece, 10.0, wrap=louder)
    assert rough.provenance["loop"]["way"] != "wrapped codec context"
    silent = Audio(np.zeros_like(piece.samples), RATE)
    taken = cut_loop(silent, 10.0, wrap=lambda start, length: smooth.samples)
    assert taken.duration_s == pytest.approx(10, rel=0.07)


@pytest.mark.parametrize("bad", [0, -2, float("nan"), float("inf")])
def test_odd_lengths_are_refused(bad):
    with pytest.raises(AudioError, match="loop of"):
        cut_loop(Audio(np.zeros((RATE, 1), np.float32), RATE), bad)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    pytest.importorskip("mlx.core")
    pytest.importorskip("transformers")
    from tiny_musicgen import write_checkpoint

    from music_catalog.generator.musicgen.adapter import MusicgenAdapter

    folder = tmp_path_factory.mktemp("loop") / "tiny-mono"
    write_checkpoint(folder, "mono")
    return MusicgenAdapter.from_pretrained(folder)


def test_musicgen_makes_loops_alone_in_batches_and_streamed(adapter):
    config = {"duration_s": 3.0, "seed": 1, "loopable": True, "max_steps": 150}
    (streamed,) = adapter.stream_music("calm piano", config)
    made = adapter.generate_music("calm piano", config)
    assert np.array_equal(made.samples, streamed.samples)
    batch = adapter.generate_batch(["calm piano", "fast drums"], [config, {**config, "seed": 2}])
    assert np.abs(batch[0].samples - made.samples).max() < 1e-3
    for loop in (made, *batch):
        assert abs(loop.duration_s - 3.0) <= 0.06 * 3 + 0.02
        assert loop.provenance["loop"]["way"]
    exact = adapter.generate_music("calm piano", {**config, "normalize_duration": "strict"})
    assert len(exact.samples) == 3 * adapter.sample_rate


def test_codes_decoded_round_are_the_middle_of_themselves_repeated(adapter):
    import mlx.core as mx

    from music_catalog.generator.musicgen.codes import decode_round
    from music_catalog.generator.musicgen.progress import Repeated

    codes = mx.random.randint(0, 64, (1, 4, 150), key=mx.random.key(1))
    loop = decode_round(adapter.networks, codes, Repeated(None))
    thrice = np.array(adapter.networks.codec.decode(mx.concatenate([codes] * 3, axis=-1)))[0]
    length = len(loop)
    assert length == 150 * adapter.sample_rate // adapter.frame_rate
    assert np.abs(loop - thrice[length : 2 * length]).max() < 1e-3
    # Played over and over it is what the codec makes of the codes over and over, also at the seam.
    plain = np.array(adapter.networks.codec.decode(codes))[0]
    edge = adapter.sample_rate // 50
    around = thrice[2 * length - edge : 2 * length + edge]
    wrapped = np.concatenate([loop[-edge:], loop[:edge]])
    assert (
        np.abs(wrapped - around).max()
        < 1e-3
        < np.abs(np.concatenate([plain[-edge:], plain[:edge]]) - around).max()
    )


def test_a_circle_begins_where_nothing_stands_out():
    time_s = np.arange(16 * RATE) / RATE
    rng = np.random.default_rng(5)
    calm = 0.02 * rng.standard_normal(len(time_s)) * (1.2 + np.sin(2 * np.pi * time_s / 4))
    clap = 0.5 * rng.standard_normal(len(time_s)) * np.exp(-3 * time_s)
    loud = Audio((calm + clap).astype(np.float32)[:, None], RATE)
    assert measure_seam(loud).unusual > 0.95
    begun = turned(loud, 0.5)
    assert measure_seam(begun).unusual <= 0.95
    start = next(
        s
        for s in range(0, 16 * RATE, RATE // 2)
        if np.array_equal(np.roll(loud.samples, -s, 0), begun.samples)
    )
    assert start > 0
    assert turned(begun, 0.5) is begun
