"""Melody chroma against transformers' extractor and against notes whose names are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog.generator.errors import AudioError
from music_catalog.generator.musicgen.chroma import (
    ChromaConfig,
    chroma_filters,
    extract_chroma,
    fit_frames,
    null_chroma,
)
from music_catalog.generator.protocol import Audio

RATE = 32_000
C4_HZ = 261.6256


def mono(samples) -> Audio:
    return Audio(np.asarray(samples, np.float32)[:, None], RATE)


def note(semitones: float, seconds: float) -> np.ndarray:
    t = np.arange(int(RATE * seconds)) / RATE
    return 0.4 * np.sin(2 * np.pi * C4_HZ * 2 ** (semitones / 12) * t)


def noise(seed: int, samples: int) -> np.ndarray:
    """Noise with a drifting colour, so that the loudest pitch class changes from frame to frame."""
    rng = np.random.default_rng(seed)
    t = np.arange(samples) / RATE
    tones = sum(np.sin(2 * np.pi * f * t + rng.uniform(0, 6)) for f in rng.uniform(60, 4000, 5))
    return (0.1 * tones * rng.uniform(0.2, 1.0) + rng.normal(0, 0.3, samples)).astype(np.float32)


@pytest.mark.parametrize("pitch_class", range(12))
def test_a_note_lights_its_pitch_class(pitch_class):
    chroma = extract_chroma(mono(note(pitch_class, 2.0)))
    assert chroma.argmax(axis=1).tolist() == [pitch_class] * (2 * RATE // 4096 + 1)


def test_thirty_seconds_give_235_frames_and_more_is_cut():
    samples = np.concatenate([note(k % 12, 1.0) for k in range(40)])
    whole, cut = extract_chroma(mono(samples)), extract_chroma(mono(samples[: 30 * RATE]))
    assert whole.shape == (235, 12)
    # The last frame looks 0.25 s past its centre, so it may be reflected at the cut; all of it is the same.
    assert np.array_equal(whole, cut)


def test_bank_equals_librosa():
    librosa = pytest.importorskip("librosa")
    want = librosa.filters.chroma(sr=RATE, n_fft=16_384, tuning=0, n_chroma=12, dtype=np.float64)
    assert np.abs(chroma_filters(RATE, 16_384, 12) - want).max() < 1e-12


@settings(max_examples=10, deadline=None)
@given(samples=st.integers(1, 5 * RATE), seed=st.integers(0, 2**16))
def test_chroma_equals_the_definition_in_torch(samples, seed):
    """The extractor's arithmetic written with torch.stft, for machines without torchaudio."""
    torch = pytest.importorskip("torch")
    audio_utils = pytest.importorskip("transformers.audio_utils")
    wave = torch.tensor(noise(seed, samples))
    missing = max(0, 16_384 - samples)
    wave = torch.nn.functional.pad(wave, (missing // 2, missing // 2 + missing % 2))
    stft = torch.stft(wave, 16_384, 4_096, window=torch.hann_window(16_384), return_complex=True)
    bank = audio_utils.chroma_filter_bank(sampling_rate=RATE, num_frequency_bins=16_384, num_chroma=12)
    energy = torch.tensor(bank).float() @ stft.abs() ** 2
    want = energy.argmax(0).tolist()
    assert extract_chroma(mono(noise(seed, samples))).argmax(axis=1).tolist() == want


@settings(max_examples=10, deadline=None)
@given(samples=st.integers(1, 33 * RATE), seed=st.integers(0, 2**16), channels=st.integers(1, 2))
def test_chroma_equals_the_reference_extractor(samples, seed, channels):
    pytest.importorskip("torchaudio")
    transformers = pytest.importorskip("transformers")
    extractor = transformers.MusicgenMelodyFeatureExtractor()
    wave = np.stack([noise(seed + c, samples) for c in range(channels)])
    want = extractor(wave.mean(axis=0), sampling_rate=RATE, return_tensors="np")["input_features"]
    assert np.array_equal(extract_chroma(Audio(wave.T, RATE)), want[0])


def test_golden_of_the_reference_extractor():
    """Pitch classes that `MusicgenMelodyFeatureExtractor` of transformers 5.23 gives for this noise."""
    golden = [
        10,
        10,
        10,
        3,
        3,
        3,
        3,
        10,
        10,
        3,
        3,
        10,
        10,
        10,
        10,
        3,
        10,
        10,
        10,
        3,
        3,
        3,
        3,
        10,
        10,
        3,
        3,
        3,
        10,
        10,
        10,
        10,
        10,
        10,
        10,
        3,
        3,
        3,
        10,
        10,
    ]
    assert extract_chroma(mono(noise(7, 5 * RATE))).argmax(axis=1).tolist() == golden


def test_other_rates_give_the_same_melody():
    melody = np.concatenate([note(k, 1.0) for k in (0, 4, 7, 11)])
    at_32k = extract_chroma(mono(melody)).argmax(axis=1)
    t = np.arange(4 * 44_100) / 44_100
    steps = np.array([0, 4, 7, 11])[np.minimum(t.astype(int), 3)]
    other = 0.4 * np.sin(2 * np.pi * C4_HZ * 2 ** (steps / 12) * (t % 1.0))
    at_44k = extract_chroma(Audio(other.astype(np.float32)[:, None], 44_100)).argmax(axis=1)
    assert np.array_equal(at_32k, at_44k)


def test_offset_reads_on_and_starts_over():
    samples = np.concatenate([note(0, 10.0), note(7, 10.0)])
    chroma = extract_chroma(mono(samples), offset_s=12.0).argmax(axis=1)
    seconds = np.arange(235) * 4096 / RATE
    assert set(chroma[seconds < 7.5]) == {7}
    assert set(chroma[(seconds > 8.5) & (seconds < 17.5)]) == {0}
    assert set(chroma[(seconds > 18.5) & (seconds < 27.5)]) == {7}


def test_too_few_frames_repeat_from_the_start():
    chroma = np.eye(12, dtype=np.float32)[:5]
    assert fit_frames(chroma, 12).argmax(axis=1).tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
    assert fit_frames(chroma, 3).argmax(axis=1).tolist() == [0, 1, 2]


def test_null_chroma_is_c_throughout():
    assert null_chroma(235).shape == (235, 12)
    assert null_chroma(235).argmax(axis=1).tolist() == [0] * 235
    assert null_chroma(235).sum() == 235


def test_other_analysis_is_read_from_the_configuration():
    config = ChromaConfig(sample_rate=16_000, n_fft=4096, hop_length=1024, chunk_length_s=2)
    chroma = extract_chroma(mono(note(9, 5.0)), config)
    assert chroma.shape == (2 * 16_000 // 1024 + 1, 12)
    assert chroma.argmax(axis=1).tolist() == [9] * len(chroma)


@pytest.mark.parametrize(
    ("samples", "problem"),
    [
        (np.zeros(0), "shape"),
        (np.zeros(1000), "silent"),
        (np.full(1000, 5e-5), "silent"),
        (np.array([0.1, np.nan, 0.1]), "not finite"),
        (np.full(601 * RATE, 0.1), "601 s"),
    ],
)
def test_what_holds_no_melody_is_refused(samples, problem):
    with pytest.raises(AudioError, match=problem):
        extract_chroma(mono(samples))
