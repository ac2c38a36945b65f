"""Follow a given melody: its strongest pitch class over time, and the key that holds most of them."""

from __future__ import annotations

import numpy as np

from ..errors import GeneratorError
from ..protocol import Audio
from .harmony import SCALES
from .parameters import Synthesis, Tonic, names_of
from .tones import Floats

__all__ = ["follow_tune"]


LOW_HZ, HIGH_HZ = 110.0, 2000.0
SILENT_DB = -40.0


def follow_tune(melody: Audio, synthesis: Synthesis) -> tuple[Synthesis, tuple[int, ...]]:
    """Return the synthesis moved to the melody's key, and a pitch class per half beat (-1 where silent).

    A synthesis without a lead gets a flute. Raises GeneratorError when nothing pitched is heard.
    """
    slot_s = 30.0 / synthesis.tempo_bpm
    chroma = _chroma(melody, slot_s)
    energy = chroma.sum(axis=1)
    if energy.size == 0 or energy.max() <= 0:
        raise GeneratorError(
            "the melody is silent or has no pitch between 110 and 2,000 Hz; pass a sung or played tune"
        )
    loud = energy > energy.max() * 10 ** (SILENT_DB / 10)
    tune = tuple(int(c) if heard else -1 for c, heard in zip(chroma.argmax(axis=1), loud, strict=True))
    tonic = _best_tonic(chroma.sum(axis=0), synthesis.mode)
    lead = "flute" if synthesis.lead == "none" else synthesis.lead
    return synthesis.model_copy(update={"tonic": names_of(Tonic)[tonic], "lead": lead}), tune


def _chroma(melody: Audio, slot_s: float) -> Floats:
    """Return power per slot and pitch class, shape (slots, 12)."""
    mono = melody.samples.mean(axis=1).astype(np.float64)
    slot = max(1, int(slot_s * melody.sample_rate))
    count = mono.shape[0] // slot
    size = max(8192, 1 << int(np.ceil(np.log2(slot))))
    freqs = np.fft.rfftfreq(size, 1 / melody.sample_rate)
    heard = (freqs > LOW_HZ) & (freqs < HIGH_HZ)
    classes = np.round(69 + 12 * np.log2(freqs[heard] / 440.0)).astype(int) % 12
    chroma = np.zeros((count, 12))
    window = np.hanning(slot)
    for index in range(count):
        power = np.abs(np.fft.rfft(mono[index * slot : (index + 1) * slot] * window, size)[heard]) ** 2
        power[power < 0.1 * power.max(initial=0.0)] = 0.0
        np.add.at(chroma[index], classes, power)
    return chroma


def _best_tonic(weights: Floats, mode: str) -> int:
    """Return the tonic whose scale in `mode` holds most of the energy, with weight on tonic and fifth."""
    scale = SCALES[mode]
    fits = [
        sum(weights[(tonic + step) % 12] for step in scale)
        + 0.5 * weights[tonic]
        + 0.3 * weights[(tonic + 7) % 12]
        for tonic in range(12)
    ]
    return int(np.argmax(fits))
