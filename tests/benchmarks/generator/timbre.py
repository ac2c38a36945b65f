"""How often tracks that sound alike are of one style: the nearest neighbours of procedural tracks by their sound.

    python tests/benchmarks/generator/timbre.py [--seconds 10] [--seeds 4] [--fit]

Every shipped style is rendered with several seeds. For each track the others are ranked by the cosine of their sound
vectors; printed is how often the nearest is of the same style, and how many of the nearest are, beside chance and
plain mel cepstra (means and spreads), and what a vector costs. `--fit` prints the constants of
generator/audio/timbre.py,
from seeds of their own.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import yaml

from music_catalog import presets
from music_catalog.generator.audio import timbre
from music_catalog.generator.protocol import Audio
from music_catalog.generator.synth.generator import ProceduralGenerator

SHIPPED = [Path(presets.__file__).parent / name for name in ("styles.yaml", "environments.yaml")]
FITTED_FROM = 100
"""The first seed the constants are fitted on; those that are judged stay below."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--fit", action="store_true")
    options = parser.parse_args()
    first = FITTED_FROM if options.fit else 0
    labels, features, audios = [], [], []
    took = 0.0
    for name, synthesis in styles():
        for seed in range(first, first + options.seeds):
            audio = render(synthesis, options.seconds, seed)
            began = time.perf_counter()
            raw = timbre.raw_features(audio)
            took += time.perf_counter() - began
            assert raw is not None
            labels.append(name)
            features.append(raw)
            audios.append(audio)
    matrix = np.array(features)
    if options.fit:
        print_constants(matrix)
        return
    vectors = np.array([timbre.sound_vector(audio) for audio in audios])
    cepstra = (matrix - matrix.mean(axis=0))[:, :24] / matrix.std(axis=0)[:24]
    cepstra /= np.linalg.norm(cepstra, axis=1, keepdims=True)
    names = np.array(labels)
    others = options.seeds - 1
    print(
        f"{len(names)} tracks of {options.seconds:g} s, {len(set(labels))} styles; "
        f"{1000 * took / len(names):.0f} ms each"
    )
    print(f"{'':<28}nearest of its style   share of its style among the nearest {others}")
    for way, features in (("sound vector", vectors), ("mel cepstra alone", cepstra)):
        nearest, share = judged(features, names, others)
        print(f"  {way:<26}{nearest:.3f}{'':18}{share:.3f}")
    print(f"  {'by chance':<26}{others / (len(names) - 1):.3f}{'':18}{others / (len(names) - 1):.3f}")


def styles() -> list[tuple[str, dict]]:
    styles = []
    for path in SHIPPED:
        content = yaml.safe_load(path.read_text("utf-8"))
        entries = content["musicgen"]["presets"] if "musicgen" in content else content
        styles += [(name, style["synthesis"]) for name, style in entries.items() if style.get("synthesis")]
    return styles


def render(synthesis: dict, seconds: float, seed: int) -> Audio:
    config = {"duration_s": seconds, "seed": seed, "loopable": False, "synthesis": synthesis}
    return ProceduralGenerator().generate_music("", config)


def judged(vectors: np.ndarray, names: np.ndarray, others: int) -> tuple[float, float]:
    near = vectors @ vectors.T
    np.fill_diagonal(near, -2.0)
    order = np.argsort(-near, axis=1)
    same = names[order] == names[:, None]
    return float(same[:, 0].mean()), float(same[:, :others].mean())


def print_constants(matrix: np.ndarray) -> None:
    spreads = np.maximum(matrix.std(axis=0), 1e-3)
    for name, values in (("CENTRES", matrix.mean(axis=0)), ("SPREADS", spreads)):
        print(f"{name} = np.array(\n    [" + ", ".join(f"{value:.4g}" for value in values) + "]\n)")


if __name__ == "__main__":
    main()
