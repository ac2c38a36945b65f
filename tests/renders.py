"""Renders of the synthesizer, and measures of their sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from music_catalog import presets
from music_catalog.generator.synth.generator import ProceduralGenerator
from music_catalog.generator.synth.parameters import Tonic, names_of

RATE = 32_000
STYLES = {
    name: preset
    for file in ("styles.yaml", "environments.yaml")
    for name, preset in yaml.safe_load((Path(presets.__file__).parent / file).read_text("utf-8"))["musicgen"][
        "presets"
    ].items()
}
PLACES = {name: preset for name, preset in STYLES.items() if "environment" in preset}


def render(synthesis, duration_s=4.0, seed=1, **config):
    config = {"duration_s": duration_s, "seed": seed, "synthesis": synthesis, **config}
    return ProceduralGenerator().generate_music("a prompt", config)


def rms(samples):
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


WINDOW = np.hanning(2048).astype(np.float32)


def spectrogram(audio, hop=512):
    mono = audio.samples.mean(axis=1)
    frames = np.lib.stride_tricks.sliding_window_view(mono, WINDOW.size)[::hop]
    return np.abs(np.fft.rfft(frames * WINDOW, axis=1))


def centroid_hz(audio):
    power = spectrogram(audio)
    return float((power.sum(axis=0) * np.fft.rfftfreq(2048, 1 / RATE)).sum() / power.sum())


def onset_flux(audio):
    level = np.log1p(100 * spectrogram(audio))
    return np.maximum(0, np.diff(level, axis=0)).sum(axis=1) / level.sum(axis=1).mean()


def onsets_per_s(audio):
    flux = onset_flux(audio)
    inner = flux[1:-1]
    peaks = (inner > flux[:-2]) & (inner >= flux[2:]) & (inner > 1.6 * np.median(flux) + 0.01)
    return peaks.sum() / audio.duration_s


def major_third_share(audio):
    """Energy of the major third over that of both thirds of the key it says it is in."""
    mono = audio.samples.mean(axis=1)
    power = np.abs(np.fft.rfft(mono * np.hanning(mono.size))) ** 2
    hz = np.fft.rfftfreq(mono.size, 1 / RATE)
    pitched = (hz > 130) & (hz < 1100)
    chroma = np.bincount(np.round(69 + 12 * np.log2(hz[pitched] / 440)).astype(int) % 12, power[pitched], 12)
    tonic = names_of(Tonic).index(audio.provenance["musical_key"].split()[0])
    minor, major = chroma[(tonic + 3) % 12], chroma[(tonic + 4) % 12]
    return major / (minor + major)
