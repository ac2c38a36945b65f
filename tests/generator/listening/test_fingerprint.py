"""The fingerprint of a recording: copies are found, other recordings are not."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile as sf

from music_catalog.generator.audio import resample
from music_catalog.generator.errors import AudioError
from music_catalog.generator.listening.copies import KnownRecordings
from music_catalog.generator.listening.fingerprint import fingerprint, sparse
from music_catalog.generator.protocol import Audio

RATE = 32_000


def tune(seed: int, seconds: float = 12.0, rate: int = RATE) -> Audio:
    """Return notes that a seed draws: a piece of its own for each."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    notes = random.integers(0, 24, 4 * round(seconds) + 4)[(time * 4).astype(int)]
    hz = 220.0 * 2.0 ** (notes / 12)
    phase = 2 * np.pi * np.cumsum(hz) / rate
    sound = sum(np.sin(k * phase) / k for k in (1, 2, 3)) * np.exp(-3 * (time * 4 % 1))
    sound = sound + 0.02 * random.standard_normal(len(time))
    return Audio(np.stack([sound, 0.7 * sound], axis=1).astype(np.float32) * 0.2, rate)


def coded(audio: Audio, form: str, subtype: str, **options) -> Audio:
    sink = io.BytesIO()
    sf.write(sink, audio.samples, audio.sample_rate, format=form, subtype=subtype, **options)
    samples, rate = sf.read(io.BytesIO(sink.getvalue()), dtype="float32", always_2d=True)
    return Audio(samples, rate)


@pytest.fixture(scope="module")
def known():
    recordings = KnownRecordings()
    for seed in range(12):
        recordings.add(sparse(fingerprint(tune(seed))), 12.0)
    return recordings


COPIES = {
    "mp3 of 64 kb/s": lambda audio: coded(
        audio, "MP3", "MPEG_LAYER_III", bitrate_mode="CONSTANT", compression_level=0.875
    ),
    "ogg": lambda audio: coded(audio, "OGG", "VORBIS"),
    "another rate": lambda audio: resample(audio, 22_050),
    "quiet and mono": lambda audio: Audio(0.1 * audio.samples[:, :1], audio.sample_rate),
    "2 s cut at the start": lambda audio: Audio(audio.samples[2 * RATE + 91 :], RATE),
    "2 s cut at the end": lambda audio: Audio(audio.samples[: -2 * RATE], RATE),
}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_found(known, kind):
    copy = COPIES[kind](tune(3))
    found = known.find(fingerprint(copy), copy.duration_s)
    assert found is not None
    assert found.number == 3
    assert found.apart < 0.25
    assert found.offset_s == pytest.approx(-2.0 if "start" in kind else 0.0, abs=0.05)


def test_other_recordings_are_not_taken_for_copies(known):
    for seed in range(100, 112):
        assert known.find(fingerprint(tune(seed)), 12.0) is None


@pytest.mark.parametrize("sounding_s", [5, 8])
def test_recordings_that_share_silence_alone_are_no_copies(sounding_s):
    def padded(seed: int) -> Audio:
        samples = tune(seed).samples
        samples[sounding_s * RATE :] = 0.0
        return Audio(samples, RATE)

    recordings = KnownRecordings([sparse(fingerprint(padded(1)))], [12.0])
    copy = coded(padded(1), "MP3", "MPEG_LAYER_III")
    assert recordings.find(fingerprint(copy), copy.duration_s) is not None
    for seed in (2, 3):
        assert recordings.find(fingerprint(padded(seed)), 12.0) is None


@pytest.mark.parametrize("hz", [(440,), (50,), (660, 440), (660, 440, 880, 550)])
def test_bare_tones_have_no_fingerprint(hz):
    time = np.arange(12 * RATE) / RATE
    phase = 2 * np.pi * np.cumsum(np.array(hz)[(time / 2).astype(int) % len(hz)]) / RATE
    bare = Audio(0.3 * np.sin(phase)[:, None].astype(np.float32), RATE)
    # As a file of 16 bits: two of these in another order passed for copies.
    for audio in (bare, coded(bare, "WAV", "PCM_16"), coded(bare, "OGG", "VORBIS")):
        assert fingerprint(audio) is None


def test_a_part_of_a_piece_is_no_copy(known):
    part = Audio(tune(3).samples[: 6 * RATE], RATE)
    assert known.find(fingerprint(part), part.duration_s) is None


def test_recordings_are_found_among_many_before_and_after_they_are_sorted():
    random = np.random.default_rng(0)
    others = [random.integers(0, 2**32, 30, dtype=np.uint32) for _ in range(600)]
    recordings = KnownRecordings(others, [12.0] * 600)
    number = recordings.add(sparse(fingerprint(tune(5))), 12.0)
    heard = fingerprint(tune(5))
    assert recordings.find(heard, 12.0).number == number
    for kept in others[:300]:
        recordings.add(kept, 12.0)
    assert recordings.find(heard, 12.0).number == number
    assert len(recordings) == 901


def test_what_is_short_or_silent_has_no_fingerprint():
    assert fingerprint(tune(1, seconds=4.0)) is None
    assert fingerprint(Audio(np.zeros((8 * RATE, 2), np.float32), RATE)) is None
    assert KnownRecordings().find(fingerprint(tune(1)), 12.0) is None
    with pytest.raises(AudioError, match="not finite"):
        fingerprint(Audio(np.full((8 * RATE, 1), np.nan, np.float32), RATE))
