"""Renders of every shipped style by the synthesizer, over seeds and moods: tracks of which the style is known."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from music_catalog import presets
from music_catalog.generator import synth
from music_catalog.generator.audio.measured_signal import SIGNAL_RATE, measured_signal
from music_catalog.generator.protocol import Audio
from music_catalog.generator.synth.generator import ProceduralGenerator
from music_catalog.request import synthesis
from music_catalog.request.synthesis import shade

SECONDS = 12.0
PLAIN, BENT = 5, 11
"""Renders of a style in its own mood, and in moods that texts ask for."""
SPREAD = 0.4
"""Standard deviation of the moods that texts ask for around that of the style."""
HEARD = 0.5
"""What of a change of mood is heard: the synthesizer bends a style, and does not leave it."""


@dataclass(frozen=True)
class Render:
    """One track to render: its style, its seed, the mood asked for, and what mood should be heard."""

    style: str
    seed: int
    asked: tuple[float, float]
    wanted: tuple[float, float]


def planned(styles: presets.Library, per_style: int = PLAIN + BENT) -> list[Render]:
    """Return the renders of every style, the same in each run."""
    renders = []
    for name, style in styles.styles.items():
        draw = np.random.default_rng(int(hashlib.sha256(name.encode()).hexdigest()[:8], 16))
        own = np.array([style.valence, style.energy])
        for seed in range(per_style):
            asked = np.clip(own + (SPREAD * draw.standard_normal(2) if seed >= PLAIN else 0.0), -1.0, 1.0)
            wanted = own + HEARD * (asked - own)
            renders.append(
                Render(name, seed, (float(asked[0]), float(asked[1])), (float(wanted[0]), float(wanted[1])))
            )
    return renders


def signals(renders: list[Render], cache: Path | None, workers: int) -> Iterator[NDArray[np.float32]]:
    """Yield the sound of each render: mono at the rate of the measurements, shape (frames,)."""
    folder = None if cache is None else cache / version()
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(_signal, renders, [folder] * len(renders), chunksize=8)


def _signal(one: Render, folder: Path | None) -> NDArray[np.float32]:
    name = hashlib.sha256(repr(one).encode()).hexdigest()[:24]
    path = None if folder is None else folder / f"{name}.npy"
    if path is not None and path.is_file():
        return np.load(path).astype(np.float32) / 32_767.0
    signal = measured_signal(_rendered(one), 1.0)
    assert signal is not None, f"{one} is silent"
    if path is not None:
        stored = np.round(signal / max(1.0, float(np.abs(signal).max())) * 32_767.0).astype(np.int16)
        np.save(path, stored)
    return signal


def _rendered(one: Render) -> Audio:
    style = presets.load(None).styles[one.style]
    shaded, _ = shade(
        style.synthesis,
        valence=one.asked[0],
        energy=one.asked[1],
        style_valence=style.valence,
        style_energy=style.energy,
    )
    config = {"duration_s": SECONDS, "seed": 1000 + one.seed, "loopable": False, "synthesis": shaded}
    return ProceduralGenerator().generate_music("", config)


def version() -> str:
    """Return a digest of the synthesizer, the styles and how moods bend them, which the sounds follow from."""
    files = [
        *Path(synth.__file__).parent.rglob("*.py"),
        *Path(presets.__file__).parent.glob("*.yaml"),
        Path(synthesis.__file__),
    ]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def as_audio(signal: NDArray[np.float32]) -> Audio:
    """Return a signal as audio of one channel."""
    return Audio(signal[:, None], SIGNAL_RATE)


def degraded(signal: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Return a signal as another room, another file or another deck would have it; the same for the same seed."""
    draw = np.random.default_rng(seed)
    speed, tilt_db, top_hz = draw.uniform(0.94, 1.06), draw.uniform(-3.0, 3.0), draw.uniform(5_000, 11_000)
    places = np.arange(0, len(signal) - 1, speed)
    played = np.interp(places, np.arange(len(signal)), signal)
    spectrum = np.fft.rfft(played)
    hz = np.fft.rfftfreq(len(played), 1.0 / SIGNAL_RATE)
    octaves = np.log2(np.maximum(hz, 30.0) / 1_000.0)
    spectrum *= 10.0 ** (tilt_db * octaves / 20.0) / (1.0 + (hz / top_hz) ** 8)
    made = np.fft.irfft(spectrum, len(played))
    noise = (
        draw.standard_normal(len(made)) * np.sqrt(np.mean(made**2)) * 10.0 ** (draw.uniform(-60, -35) / 20.0)
    )
    return np.asarray(made + noise, dtype=np.float32)
