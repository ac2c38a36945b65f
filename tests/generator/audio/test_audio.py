"""Length, fades, channels, rate, loudness and files."""

from __future__ import annotations

import io
import math
import os
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from music_catalog.generator import audio
from music_catalog.generator.audio import files
from music_catalog.generator.errors import AudioError
from music_catalog.generator.protocol import Audio

RATE = 32_000
property_test = settings(max_examples=40, deadline=None)


def noise(duration_s=1.0, level=0.1, channels=2, seed=0, rate=RATE):
    samples = np.random.default_rng(seed).standard_normal((round(duration_s * rate), channels)) * level
    return Audio(samples.astype(np.float32), rate, {"seed": seed})


def sine(hertz, duration_s=1.0, level=0.5, rate=RATE, phase=0.0):
    t = np.arange(round(duration_s * rate)) / rate
    wave = level * np.sin(2 * np.pi * hertz * t + phase)
    return Audio(wave[:, None].astype(np.float32), rate)


@st.composite
def clips(draw):
    """Clips of any shape, length and level: noise with clicks, steps, silence and sines in it."""
    rate = draw(st.sampled_from([8_000, 22_050, 32_000]))
    frames = draw(st.integers(1, 12_000))
    made = noise(
        frames / rate, draw(st.sampled_from([0.0, 1e-4, 0.1, 1.0])), draw(st.integers(1, 2)), 1, rate
    )
    samples = np.resize(made.samples, (frames, made.channels))
    for at in draw(st.lists(st.integers(0, frames - 1), max_size=4)):
        samples[at : at + draw(st.integers(1, 200))] += draw(st.floats(-20, 20, width=32))
    hertz = draw(st.floats(1, rate / 2))
    samples[:, 0] += draw(st.sampled_from([0.0, 0.9, 3.0])) * np.sin(
        2 * np.pi * hertz * np.arange(frames) / rate, dtype=np.float32
    )
    return Audio(samples, rate)


# Length


def test_crop_cuts_what_is_long_without_a_click_and_leaves_what_is_short():
    loud = Audio(np.ones((3 * RATE, 2), np.float32), RATE, {"seed": 7})
    cut = audio.fit_duration(loud, 1.5, "crop")
    assert cut.samples.shape == (48_000, 2)
    assert cut.provenance == {"seed": 7}
    assert np.all(cut.samples[: 48_000 - 320] == 1)
    assert abs(cut.samples[-1, 0]) < 1e-4
    assert np.abs(np.diff(cut.samples[:, 0])).max() < 0.01
    assert audio.fit_duration(loud, 5.0, "crop") is loud


def test_pad_fills_what_is_short_with_silence():
    clip = noise(1.0)
    padded = audio.fit_duration(clip, 1.5, "pad")
    assert padded.samples.shape == (48_000, 2)
    assert np.array_equal(padded.samples[:RATE], clip.samples)
    assert not padded.samples[RATE:].any()
    assert audio.fit_duration(clip, 0.5, "pad").duration_s == 0.5


@pytest.mark.parametrize(
    ("frames", "fits"), [(0, True), (640, True), (-640, True), (641, False), (-641, False)]
)
def test_strict_allows_one_codec_frame(frames, fits):
    clip = noise((RATE + frames) / RATE)
    if fits:
        assert audio.fit_duration(clip, 1.0, "strict") is clip
    else:
        with pytest.raises(AudioError, match="normalize_duration strict"):
            audio.fit_duration(clip, 1.0, "strict")


@pytest.mark.parametrize("rule", ["crop", "pad"])
def test_exact_clips_and_loops_keep_every_sample(rule):
    clip = noise(1.0)
    assert audio.fit_duration(clip, 1.0, rule) is clip
    for duration_s in (0.7, 1.3):
        assert audio.fit_duration(clip, duration_s, rule, loopable=True) is clip


@pytest.mark.parametrize("duration_s", [0.0, -1.0, math.nan, math.inf])
def test_a_duration_that_is_none_is_refused(duration_s):
    with pytest.raises(AudioError, match="positive"):
        audio.fit_duration(noise(0.1), duration_s, "crop")


def test_an_unknown_rule_is_refused_by_name():
    with pytest.raises(AudioError, match=r"'cut'.*crop, pad and strict"):
        audio.fit_duration(noise(0.1), 1.0, "cut")


# Fades, channels, rate


def test_fades_are_raised_cosines_that_start_and_end_in_silence():
    faded = audio.fade(Audio(np.ones((RATE, 1), np.float32), RATE), 0.25, 0.5).samples[:, 0]
    assert faded[0] == 0
    assert faded[-1] < 1e-6
    assert faded[4_000] == pytest.approx(0.5, abs=1e-3)
    assert faded[24_000] == pytest.approx(0.5, abs=1e-3)
    assert np.all(faded[8_000:16_000] == 1)
    assert np.all(np.diff(faded[:8_000]) >= 0)


@property_test
@given(frames=st.integers(1, 300), fade_in=st.floats(0, 3), fade_out=st.floats(0, 3))
def test_fades_fit_any_clip(frames, fade_in, fade_out):
    faded = audio.fade(Audio(np.ones((frames, 2), np.float32), 100), fade_in, fade_out)
    assert faded.samples.shape == (frames, 2)
    assert faded.samples.min() >= 0
    assert faded.samples.max() <= 1


def test_no_fade_is_the_same_clip_and_a_negative_one_is_refused():
    clip = noise(0.1)
    assert audio.fade(clip, 0, 0) is clip
    with pytest.raises(AudioError, match="fade"):
        audio.fade(clip, -1, 0)


def test_channels():
    stereo = Audio(np.array([[1.0, 0.0], [0.5, -0.5]], np.float32), RATE)
    mono = audio.to_mono(stereo)
    assert mono.samples.tolist() == [[0.5], [0.0]]
    assert audio.to_stereo(mono).samples.tolist() == [[0.5, 0.5], [0.0, 0.0]]
    assert audio.to_mono(mono) is mono
    assert audio.to_stereo(stereo) is stereo


def test_resampling_keeps_a_tone():
    low = audio.resample(sine(440, 1.0), 22_050)
    assert low.sample_rate == 22_050
    assert low.samples.shape == (22_050, 1)
    middle = slice(2_000, 20_000)
    assert np.allclose(low.samples[middle], sine(440, 1.0, rate=22_050).samples[middle], atol=1e-3)
    assert audio.resample(low, 22_050) is low
    with pytest.raises(AudioError, match="0 Hz"):
        audio.resample(low, 0)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((0, 1)), "shape"),
        (np.zeros(5), "shape"),
        (np.zeros((5, 3)), "shape"),
        (np.array([[0.0], [np.nan]]), "not finite"),
        (np.array([[0.0], [-np.inf]]), "not finite"),
        (np.array([[1e9]]), "amplitude"),
    ],
)
@pytest.mark.parametrize(
    "step",
    [
        lambda clip: audio.fade(clip, 0.1, 0.1),
        lambda clip: audio.fit_duration(clip, 1.0, "pad"),
        lambda clip: audio.normalize_loudness(clip, -20.0),
        audio.loudness_lufs,
        audio.true_peak_db,
        audio.encode,
    ],
)
def test_what_is_no_audio_is_refused_by_every_step(samples, message, step):
    with pytest.raises(AudioError, match=message):
        step(Audio(samples.astype(np.float32), RATE))


# Loudness


def test_loudness_of_the_reference_tone():
    """A 997 Hz sine at full scale on one channel measures -3.01 LUFS (ITU-R BS.1770-4)."""
    tone = sine(997, 5.0, level=1.0, rate=48_000)
    assert audio.loudness_lufs(tone) == pytest.approx(-3.01, abs=0.05)
    assert audio.loudness_lufs(audio.to_stereo(tone)) == pytest.approx(0.0, abs=0.05)


def test_true_peak_sees_between_the_samples():
    """A sine at a quarter of the rate, sampled 45 degrees off its crests, peaks 3.01 dB over its samples."""
    hidden = sine(RATE / 4, 1.0, level=1.0, phase=np.pi / 4)
    assert np.abs(hidden.samples).max() == pytest.approx(math.sqrt(0.5), abs=1e-4)
    assert audio.true_peak_db(audio.fade(hidden, 0.2, 0.2)) == pytest.approx(0.0, abs=0.1)


def test_silence_has_no_loudness_and_stays_silent():
    silence = Audio(np.zeros((RATE, 2), np.float32), RATE)
    assert audio.loudness_lufs(silence) is None
    assert audio.true_peak_db(silence) is None
    assert not audio.normalize_loudness(silence, -14.0).samples.any()


def test_what_is_too_low_to_be_heard_is_still_held_under_the_ceiling():
    shaped = audio.normalize_loudness(Audio(np.full((RATE, 1), 2.0, np.float32), RATE), -14.0)
    assert audio.loudness_lufs(shaped) is None or audio.loudness_lufs(shaped) <= -14
    assert audio.true_peak_db(shaped) <= -1.0
    constant = Audio(np.full((60 * 8_000, 1), 0.99, np.float32), 8_000)
    slow = audio.fade(constant, 25.0, 25.0)
    assert audio.loudness_lufs(slow) is None
    assert audio.true_peak_db(audio.normalize_loudness(slow, -14.0)) == pytest.approx(-1.0, abs=0.02)


@pytest.mark.parametrize("duration_s", [0.02, 0.1, 0.39, 0.4, 0.41, 3.0])
@pytest.mark.parametrize("target", [-30.0, -18.0])
def test_normalizing_reaches_the_target_also_for_short_clips(duration_s, target):
    clip = noise(duration_s, level=0.05)
    shaped = audio.normalize_loudness(clip, target)
    assert audio.loudness_lufs(shaped) == pytest.approx(target, abs=0.1)
    assert shaped.samples.shape == clip.samples.shape
    assert shaped.provenance == clip.provenance


def test_a_moderate_overshoot_is_limited_and_still_meets_the_target():
    clip = noise(3.0, level=0.05)
    clip.samples[RATE] = 0.9
    shaped = audio.normalize_loudness(clip, -16.0)
    assert audio.loudness_lufs(shaped) == pytest.approx(-16.0, abs=0.2)
    assert audio.true_peak_db(shaped) <= -1.0
    far = slice(2 * RATE, None)
    gain = shaped.samples[far] / clip.samples[far]
    assert gain.std() < 1e-4, "the limiter acts around the peak only"


def test_a_large_overshoot_takes_the_gain_back():
    clip = noise(2.0, level=0.001)
    clip.samples[RATE] = 1.0
    shaped = audio.normalize_loudness(clip, -14.0)
    assert audio.true_peak_db(shaped) <= -1.0
    assert audio.loudness_lufs(shaped) < -20.0


def test_the_limiter_moves_smoothly_and_treats_a_loop_as_a_ring():
    t = np.arange(RATE) / RATE
    loop = Audio(
        ((0.1 + 0.8 * (np.abs(t - 0.999) < 0.002)) * np.sin(2 * np.pi * 500 * t))[:, None].astype(np.float32),
        RATE,
    )
    shaped = audio.normalize_loudness(loop, audio.loudness_lufs(loop) + 5.0)
    loud = np.abs(loop.samples[:, 0]) > 0.05
    gain = shaped.samples[loud, 0] / loop.samples[loud, 0]
    assert gain.min() < 0.9 * gain.max()
    assert np.abs(np.diff(gain)).max() < 0.05
    assert abs(gain[0] - gain[-1]) < 0.05


@property_test
@given(clip=clips(), target=st.floats(-40, -5), ceiling=st.floats(-9, 0))
def test_the_true_peak_never_passes_the_ceiling(clip, target, ceiling):
    shaped = audio.normalize_loudness(clip, target, ceiling)
    peak = audio.true_peak_db(shaped)
    assert shaped.samples.shape == clip.samples.shape
    assert shaped.samples.dtype == np.float32
    assert peak is None or peak <= ceiling
    if (reached := audio.loudness_lufs(shaped)) is not None and audio.loudness_lufs(clip) is not None:
        assert reached <= target + 0.2
    written = audio.read(audio.encode(shaped))
    assert (audio.true_peak_db(written) or -99) <= ceiling + 0.001


@pytest.mark.parametrize(("target", "ceiling"), [(math.nan, -1.0), (-14.0, 0.5), (-14.0, math.nan)])
def test_a_target_that_is_none_is_refused(target, ceiling):
    with pytest.raises(AudioError, match="cannot normalize"):
        audio.normalize_loudness(noise(0.5), target, ceiling)


# Files

grid = hnp.arrays(np.int16, st.tuples(st.integers(1, 300), st.integers(1, 2)))


@property_test
@given(quantized=grid, form=st.sampled_from(["wav", "flac"]), rate=st.sampled_from([8_000, 32_000, 44_100]))
def test_samples_on_the_grid_come_back_bit_by_bit(quantized, form, rate):
    clip = Audio(quantized.astype(np.float32) / 32_768, rate)
    back = audio.read(audio.encode(clip, form))
    assert back.sample_rate == rate
    assert np.array_equal(back.samples, clip.samples)


def test_a_file_holds_the_quantized_samples_and_is_the_same_each_time():
    clip = noise(0.5)
    first = audio.encode(clip, "wav", title="a", comment="b")
    assert first == audio.encode(clip, "wav", title="a", comment="b")
    assert audio.encode(clip, "flac") == audio.encode(clip, "flac")
    once = audio.read(first)
    assert np.abs(once.samples - clip.samples).max() <= 1.5 / 32_768
    assert np.array_equal(audio.read(audio.encode(once)).samples, once.samples)


def test_dither_keeps_what_rounding_loses_and_leaves_silence_alone():
    faint = sine(440, 2.0, level=0.4 / 32_768)
    decoded = audio.read(audio.encode(faint)).samples[:, 0]
    assert np.dot(decoded, faint.samples[:, 0]) / np.dot(
        faint.samples[:, 0], faint.samples[:, 0]
    ) == pytest.approx(1, abs=0.1)
    gap = Audio(np.concatenate([faint.samples, np.zeros((100, 1), np.float32)]), RATE)
    assert not audio.read(audio.encode(gap)).samples[-100:].any()


def test_samples_beyond_full_scale_are_clipped():
    written = audio.read(audio.encode(Audio(np.array([[2.0], [-2.0], [0.5]], np.float32), RATE))).samples
    assert written[:, 0] == pytest.approx([32_767 / 32_768, -1.0, 0.5], abs=1e-4)


def test_ogg_is_written_and_read_in_full():
    clip = audio.to_stereo(sine(440, 12.0))
    back = audio.read(audio.encode(clip, "ogg"))
    assert back.samples.shape == clip.samples.shape
    assert np.abs(back.samples[RATE:-RATE] - clip.samples[RATE:-RATE]).mean() < 0.02


marks = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=600)


@property_test
@given(title=marks, comment=marks, form=st.sampled_from(list(audio.FORMATS)))
def test_tags_come_back_from_every_format_up_to_the_limit(title, comment, form):
    clip = noise(0.02)
    if len((title + comment).encode()) > files.MAX_TAG_BYTES:
        with pytest.raises(AudioError, match="1,999"):
            audio.encode(clip, form, title=title, comment=comment)
        return
    tags = audio.read_tags(audio.encode(clip, form, title=title, comment=comment))
    assert tags.get("title", "") == title
    assert tags.get("comment", "") == comment


@pytest.mark.parametrize("form", list(audio.FORMATS))
def test_a_mark_of_the_full_size_is_kept(form):
    mark = "x" * (files.MAX_TAG_BYTES - 5)
    tags = audio.read_tags(audio.encode(noise(0.05), form, title="title", comment=mark))
    assert (tags["title"], tags["comment"]) == ("title", mark)


@pytest.mark.parametrize(
    ("text", "message"), [("a\0b", "NUL"), ("\ud800", "surrogate"), ("x" * 2_000, "2,000 bytes")]
)
def test_tags_that_a_file_cannot_hold_are_refused(text, message):
    with pytest.raises(AudioError, match=message):
        audio.encode(noise(0.05), comment=text)


def test_an_unknown_format_is_refused_by_name():
    with pytest.raises(AudioError, match="'mp3'; valid are wav, flac, ogg"):
        audio.encode(noise(0.05), "mp3")


@pytest.mark.parametrize("form", list(audio.FORMATS))
def test_converting_keeps_samples_and_tags(tmp_path, form):
    source, target = tmp_path / "a.wav", tmp_path / f"b.{form}"
    source.write_bytes(audio.encode(noise(0.5), title="Calm", comment='{"id": "é"}'))
    audio.convert(source, target, form)
    tags = audio.read_tags(target)
    assert (tags["title"], tags["comment"]) == ("Calm", '{"id": "é"}')
    if form != "ogg":
        assert np.array_equal(audio.read(target).samples, audio.read(source).samples)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({"a.wav", target.name})


def test_a_conversion_that_fails_leaves_nothing_behind(tmp_path):
    source = tmp_path / "a.wav"
    source.write_bytes(audio.encode(noise(0.1)))
    (tmp_path / "taken").mkdir()
    for target in (tmp_path / "none" / "b.wav", tmp_path / "taken"):
        with pytest.raises(AudioError, match="cannot write"):
            audio.convert(source, target, "flac")
    with pytest.raises(AudioError, match="valid are"):
        audio.convert(source, tmp_path / "b.mp3", "mp3")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "taken"]


# Files from anyone


def written(samples, rate=RATE, form="WAV", coding="PCM_16"):
    sink = io.BytesIO()
    soundfile.write(sink, samples, rate, format=form, subtype=coding)
    return sink.getvalue()


def riff(*chunks):
    body = b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body


PCM_FMT = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
ADPCM_FMT = struct.pack("<HHIIHHH", 0x11, 1, RATE, RATE, 256, 4, 0)


@pytest.mark.parametrize("coding", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
def test_plain_wav_codings_are_read(coding, form):
    clip = noise(0.1)
    back = audio.read(written(clip.samples, coding=coding, form=form))
    assert np.allclose(back.samples, clip.samples, atol=0.01)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no WAV, FLAC or OGG"),
        (b"ID3\x04 not here", "no WAV, FLAC or OGG"),
        (written(np.zeros(100), coding="IMA_ADPCM"), "another coding"),
        (written(np.zeros(100), coding="ULAW"), "another coding"),
        (riff((b"fmt ", ADPCM_FMT), (b"data", b"\0" * 256)), "another coding"),
        (riff((b"fmt ", PCM_FMT), (b"fmt ", ADPCM_FMT), (b"data", b"\0" * 256)), "another coding"),
        (riff((b"data", b"\0" * 256), (b"fmt ", ADPCM_FMT)), "another coding"),
        (riff((b"fmt ", PCM_FMT)), "without samples"),
        (riff((b"fmt ", PCM_FMT), (b"data", b"")), "no samples"),
        (riff((b"fmt ", PCM_FMT[:8]), (b"data", b"\0" * 4)), "another coding"),
        (written(np.zeros((4_000, 2)))[:-100], "cut short"),
        (written(np.zeros((4_000, 2)), form="FLAC")[:60], "given"),
        (b"fLaC" + b"\0" * 100, "cannot decode"),
        (b"OggS" + b"\xff" * 100, "cannot decode"),
        (written(np.zeros((10, 6))), "6 channels"),
        (written(np.zeros(10), rate=4_000), "4000 Hz"),
        (written(np.zeros(10), rate=192_000), "192000 Hz"),
        (written(np.array([0.0, np.nan]), coding="FLOAT"), "not finite"),
        (written(np.array([0.0, 1e30]), coding="FLOAT"), "amplitude"),
        (written(np.zeros(RATE * 700, np.int16), rate=RATE, form="FLAC"), "700 s long"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
def test_files_that_are_broken_or_beyond_the_limits_are_refused_in_one_sentence(data, message):
    with pytest.raises(AudioError, match=message) as caught:
        audio.read(data)
    assert "\n" not in str(caught.value)


def test_chunks_of_odd_length_before_the_samples_are_stepped_over():
    data = riff((b"junk", b"odd"), (b"fmt ", PCM_FMT), (b"note", b"1"), (b"data", b"\0\x40" * 4))
    assert audio.read(data).samples.tolist() == [[0.5]] * 4


def test_limits_are_the_callers_to_set(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(audio.encode(noise(2.0)))
    assert audio.read(path, max_duration_s=2.0).duration_s == 2.0
    with pytest.raises(AudioError, match="at most 1 s"):
        audio.read(path, max_duration_s=1.0)
    with pytest.raises(AudioError, match="larger than"):
        audio.read(path, max_bytes=1_000)


def test_a_path_that_cannot_be_read_is_named(tmp_path):
    for path in (tmp_path / "none.wav", tmp_path):
        with pytest.raises(AudioError, match=path.name):
            audio.read(path)
        with pytest.raises(AudioError, match=path.name):
            audio.read_tags(path)


@settings(max_examples=150, deadline=None)
@given(
    form=st.sampled_from(list(audio.FORMATS)),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6),
    keep=st.floats(0, 1),
)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(form, edits, keep):
    data = bytearray(SAMPLES[form])
    for place, value in edits:
        data[int(place * (len(data) - 1))] = value
    try:
        clip = audio.read(bytes(data[: 1 + int(keep * len(data))]))
    except AudioError:
        return
    assert np.isfinite(clip.samples).all()
    assert clip.channels in (1, 2)


SAMPLES = {form: audio.encode(noise(0.02), form, title="t", comment="c") for form in audio.FORMATS}


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_only_a_regular_file_is_read(tmp_path, kind):
    path = tmp_path / "melody.wav"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(os.devnull)
    reason = "(it is no regular file; pass a WAV|Is a directory)"
    with pytest.raises(AudioError, match=rf"^cannot read [^:]*melody\.wav: {reason}"):
        audio.read(path)
