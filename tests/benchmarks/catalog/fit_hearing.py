"""Fit the brief that is heard: valence, energy and chances of the styles from what is measured in samples.

    python tests/benchmarks/catalog/fit_hearing.py [--cache FOLDER] [--workers 2] [--out FILE]

Every shipped style is rendered by the synthesizer over seeds and moods that texts ask for: the only tracks of which the
style is known. Each render is also measured with its spectrum tilted, its top cut off, its speed changed and noise
added, so that the model does not lean on what only the synthesizer sounds like. Printed: how well styles, valence and
energy are told for other seeds, and for styles that were left out of the fit, beside a constant, tempo alone and the
nearest mean; and what share of the likeliest styles is right at each level of sureness. Fitting needs torch.
"""

from __future__ import annotations

import argparse
import itertools
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hearing_renders import BENT, PLAIN, Render, as_audio, degraded, planned, signals, version
from music_labels import read_labels
from numpy.typing import NDArray

from music_catalog import presets
from music_catalog.generator.audio import analysis, timbre
from music_catalog.generator.listening.facts import sound_facts
from music_catalog.hearing.mixture import hearing_of
from music_catalog.hearing.model import FACTS, FEATURES, LARGEST, MODEL_FILE, features, load
from music_catalog.models import Measured
from tests.builders import a_track

Array = NDArray[np.float64]

HIDDEN, WEIGHT_DECAY, EPOCHS, RATE = 48, 3e-3, 300, 4e-3
RIDGE = 100.0
"""Penalty on the weights of the mood."""
FOLDS = 6
TEST = {PLAIN - 1, *range(PLAIN + BENT - 4, PLAIN + BENT)}
"""Seeds that are judged: nothing is fitted to them."""
CALIBRATE = {PLAIN - 2, *range(PLAIN + BENT - 6, PLAIN + BENT - 4)}
"""Seeds by which the sureness is set."""
TEMPO = (FEATURES - 4, FEATURES - 3)
"""The places of tempo, and of whether there is one, among the features."""


@dataclass(frozen=True)
class Heard:
    """Renders as the model gets them."""

    inputs: Array
    """Shape (renders, FEATURES)."""
    style: NDArray[np.int64]
    seed: NDArray[np.int64]
    mood: Array
    """Valence and energy that should be heard, shape (renders, 2)."""

    def of(self, chosen: Any) -> Heard:
        return Heard(self.inputs[chosen], self.style[chosen], self.seed[chosen], self.mood[chosen])


def measure(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the features of a signal."""
    audio = as_audio(signal)
    raw, facts = timbre.raw_features(audio), sound_facts(audio)
    assert raw is not None
    assert facts is not None
    return features(raw, facts, analysis.tempo_bpm(audio), analysis.musical_key(audio))


def measured(pair: tuple[int, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the features of a signal as it is, and degraded; shape (2, FEATURES)."""
    number, signal = pair
    return np.stack([measure(signal), measure(degraded(signal, number))])


def gather(renders: list[Render], names: list[str], cache: Path | None, workers: int) -> tuple[Heard, Heard]:
    """Return the renders as they are, and degraded."""
    path = None if cache is None else cache / f"features-{version()}-{FEATURES}.npy"
    if path is not None and path.is_file():
        inputs = np.load(path)
    else:
        with ProcessPoolExecutor(workers) as pool:
            sounds = enumerate(signals(renders, cache, workers))
            inputs = np.stack([*pool.map(measured, sounds, chunksize=8)])
        if path is not None:
            np.save(path, inputs)
    style = np.array([names.index(one.style) for one in renders])
    seed = np.array([one.seed for one in renders])
    mood = np.array([one.wanted for one in renders])
    clean, rough = (Heard(inputs[:, way].astype(np.float64), style, seed, mood) for way in (0, 1))
    return clean, rough


@dataclass(frozen=True)
class Fitted:
    """A fitted model."""

    centres: Array
    spreads: Array
    hidden: Array
    styles: Array
    affect: Array

    def standard(self, inputs: Array) -> Array:
        return np.clip((inputs - self.centres) / self.spreads, -LARGEST, LARGEST)

    def mood(self, inputs: Array) -> Array:
        facts = self.standard(inputs)[:, -FACTS:]
        return np.clip(facts @ self.affect[:, :-1].T + self.affect[:, -1], -1, 1)

    def chances(self, inputs: Array, heat: float = 1.0) -> Array:
        standard = self.standard(inputs)
        units = np.maximum(standard @ self.hidden[:, :-1].T + self.hidden[:, -1], 0)
        scores = (
            np.concatenate([standard, units], axis=1) @ self.styles[:, :-1].T + self.styles[:, -1]
        ) / heat
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)


def fit(heard: Heard, count: int, seed: int = 1) -> Fitted:
    """Fit a model to renders by cross entropy of the styles, and the moods by least squares with a penalty."""
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    centres, spreads = heard.inputs.mean(axis=0), np.maximum(heard.inputs.std(axis=0), 1e-3)
    standard = np.clip((heard.inputs - centres) / spreads, -LARGEST, LARGEST)
    x, style = torch.tensor(standard, dtype=torch.float32), torch.tensor(heard.style)
    hidden = torch.nn.Linear(FEATURES, HIDDEN)
    to_styles = torch.nn.Linear(FEATURES + HIDDEN, count)
    parts = [*hidden.parameters(), *to_styles.parameters()]
    steps = torch.optim.AdamW(parts, lr=RATE, weight_decay=WEIGHT_DECAY / RATE)
    plan = torch.optim.lr_scheduler.CosineAnnealingLR(steps, EPOCHS)
    for _ in range(EPOCHS):
        noisy = x + 0.25 * torch.randn_like(x)
        read = torch.cat([noisy, torch.relu(hidden(noisy))], dim=1)
        loss = torch.nn.functional.cross_entropy(to_styles(read), style, label_smoothing=0.05)
        steps.zero_grad()
        loss.backward()
        steps.step()
        plan.step()

    def weights(layer: Any) -> Array:
        both = torch.cat([layer.weight, layer.bias[:, None]], dim=1)
        return np.asarray(both.detach().numpy(), dtype=np.float64)

    return Fitted(centres, spreads, weights(hidden), weights(to_styles), affect_of(standard, heard.mood))


def affect_of(standard: Array, mood: Array) -> Array:
    """Return the weights of valence and energy, shape (2, FACTS + 1)."""
    facts = standard[:, -FACTS:]
    apart = facts - facts.mean(axis=0)
    weights = np.linalg.solve(apart.T @ apart + RIDGE * np.eye(FACTS), apart.T @ (mood - mood.mean(axis=0)))
    constant = mood.mean(axis=0) - facts.mean(axis=0) @ weights
    return np.column_stack([weights.T, constant])


def heat_of(model: Fitted, heard: Heard) -> float:
    """Return by what the scores are divided so that the chances are right on average (Guo and others 2017)."""
    heats = np.geomspace(0.3, 5.0, 60)
    rows = np.arange(len(heard.style))
    losses = [-np.log(model.chances(heard.inputs, heat)[rows, heard.style] + 1e-12).mean() for heat in heats]
    return float(heats[int(np.argmin(losses))])


def serves(names: list[str]) -> Array:
    """Return how often a style serves a text that another fits, by the labels of texts; shape (styles, styles)."""
    place = {name: number for number, name in enumerate(names)}
    both, each = np.zeros((len(names), len(names))), np.zeros(len(names))
    for row in read_labels(None):
        fits = [place[name] for name in row["fits"] if name in place]
        passing = [*fits, *(place[name] for name in row["passable"] if name in place)]
        for one in fits:
            each[one] += 1
            both[one, passing] += 1
    return both / np.maximum(each, 1)[:, None]


def tempo_alone(fitted_to: Heard, judged: Heard) -> tuple[Array, NDArray[np.int64]]:
    """Return the moods that tempo alone tells by least squares, and the style with the nearest mean tempo."""

    def inputs(heard: Heard) -> Array:
        beat = heard.inputs[:, TEMPO]
        return np.column_stack([beat, beat[:, 0] ** 2, np.ones(len(beat))])

    weights, *_ = np.linalg.lstsq(inputs(fitted_to), fitted_to.mood, rcond=None)
    kinds = np.unique(fitted_to.style)
    means = np.stack([fitted_to.inputs[fitted_to.style == kind][:, TEMPO].mean(axis=0) for kind in kinds])
    apart = np.abs(judged.inputs[:, None, TEMPO] - means).sum(axis=-1)
    return inputs(judged) @ weights, kinds[apart.argmin(axis=1)]


def print_moods(title: str, judged: Heard, ways: dict[str, Array]) -> None:
    print(f"\n{title}: {len(judged.style)} renders{'':12}valence: r, off by    energy: r, off by")
    for name, found in ways.items():
        cells = []
        for axis in (0, 1):
            wanted, told = judged.mood[:, axis], found[:, axis]
            r = float(np.corrcoef(wanted, told)[0, 1]) if told.std() > 1e-9 else 0.0
            cells.append(f"{r:.2f}, {np.abs(wanted - told).mean():.2f}")
        print(f"  {name:32}{cells[0]:>22}{cells[1]:>22}")


def print_styles(title: str, judged: Heard, ways: dict[str, NDArray[np.int64]], serving: Array) -> None:
    print(f"\n{title}: {len(judged.style)} renders{'':8}right    serves what the true style fits")
    for name, found in ways.items():
        right = float((found == judged.style).mean())
        print(f"  {name:32}{right:12.1%}{float(serving[judged.style, found].mean()):20.1%}")


def print_sureness(title: str, chances: Array, judged: Heard, serving: Array) -> None:
    best, sure = chances.argmax(axis=1), chances.max(axis=1)
    print(f"\n{title}\n  {'sure':14}{'renders':>8}{'mean':>8}{'right':>8}{'serves':>8}")
    edges = (0.0, 0.3, 0.5, 0.7, 0.85, 0.95, 1.001)
    for low, high in itertools.pairwise(edges):
        some = (sure >= low) & (sure < high)
        if some.any():
            right = float((best == judged.style)[some].mean())
            also = float(serving[judged.style, best][some].mean())
            print(
                f"  {low:.2f} to {min(high, 1):.2f}  {some.sum():8}{sure[some].mean():8.2f}{right:8.2f}{also:8.2f}"
            )


def print_drawn(title: str, judged: Heard, ways: dict[str, Array], serving: Array) -> None:
    """Print how often a style that is drawn by its chance serves what the true style fits, and how sure that was."""
    print(f"\n{title}{'':16}serves, of those 10% where that is likeliest")
    for name, chances in ways.items():
        likely = (chances @ serving.T)[np.arange(len(chances)), judged.style]
        expected = (chances @ serving.T).max(axis=1)
        sure = expected >= np.quantile(expected, 0.9)
        print(f"  {name:32}{likely.mean():8.1%}{likely[sure].mean():12.1%}")


def by_mood(moods: Array, own: Array, errors: tuple[float, float]) -> Array:
    """Return chances of the styles by how near their moods are; a style is never its own, as in a fit without it."""
    apart = (moods[:, None, :] - own[None]) / np.hypot(np.array(errors), 0.2)
    odds = np.exp(-0.5 * (apart**2).sum(axis=-1))
    return odds / odds.sum(axis=1, keepdims=True)


def left_out(clean: Heard, rough: Heard, names: list[str]) -> tuple[Array, Array, Array]:
    """Return moods, chances and the moods by tempo alone of all renders, each by a model without that style."""
    moods, chances = np.zeros((len(clean.style), 2)), np.zeros((len(clean.style), len(names)))
    by_tempo = np.zeros((len(clean.style), 2))
    group = np.random.default_rng(5).permutation(len(names)) % FOLDS
    for fold in range(FOLDS):
        out = group[clean.style] == fold
        held = np.isin(clean.seed, [*CALIBRATE])
        model = fit(joined(clean.of(~out & ~held), rough.of(~out & ~held)), len(names))
        moods[out] = model.mood(clean.inputs[out])
        chances[out] = model.chances(clean.inputs[out], heat_of(model, clean.of(~out & held)))
        by_tempo[out], _ = tempo_alone(clean.of(~out), clean.of(out))
    return moods, chances, by_tempo


def joined(*parts: Heard) -> Heard:
    return Heard(*(np.concatenate([getattr(part, name) for part in parts]) for name in Heard.__annotations__))


def figures(clean: Heard, rough: Heard, names: list[str], own: Array) -> tuple[tuple[float, float], float]:
    """Print how well the model tells; return the errors in valence and energy for styles left out, and the heat."""
    serving = serves(names)
    test, held = np.isin(clean.seed, [*TEST]), np.isin(clean.seed, [*CALIBRATE])
    fitting = clean.of(~test & ~held)
    model = fit(joined(fitting, rough.of(~test & ~held)), len(names))
    heat = heat_of(model, clean.of(held))
    judged, judged_rough = clean.of(test), rough.of(test)
    chances = model.chances(judged.inputs, heat)
    by_tempo, tempo_style = tempo_alone(fitting, judged)
    constant = np.repeat(fitting.mood.mean(axis=0)[None], len(judged.style), axis=0)
    usual = int(np.argmax(serving[judged.style].mean(axis=0)))
    ways = {
        "this model": chances.argmax(axis=1),
        "this model, degraded sound": model.chances(judged_rough.inputs, heat).argmax(axis=1),
        "tempo alone": tempo_style,
        f"always {names[usual]}": np.full(len(judged.style), usual),
    }
    print_styles("Other seeds, styles", judged, ways, serving)
    found = {
        "this model": model.mood(judged.inputs),
        "this model, degraded sound": model.mood(judged_rough.inputs),
        "tempo alone": by_tempo,
        "a constant": constant,
    }
    print_moods("Other seeds, moods", judged, found)
    print_sureness("Other seeds, sureness", chances, judged, serving)
    print_sureness(
        "Other seeds, degraded sound, sureness", model.chances(judged_rough.inputs, heat), judged, serving
    )
    moods, others, alone = left_out(clean, rough, names)
    mean = np.repeat(clean.mood.mean(axis=0)[None], len(clean.style), axis=0)
    print_moods(
        "Styles left out, moods", clean, {"this model": moods, "tempo alone": alone, "a constant": mean}
    )
    best = others.argmax(axis=1)
    always = {"this model": best, f"always {names[usual]}": np.full(len(best), usual)}
    print_styles("Styles left out, styles", clean, always, serving)
    print_sureness("Styles left out, sureness", others, clean, serving)
    spread = np.sqrt(((moods - clean.mood) ** 2).mean(axis=0))
    errors = float(spread[0]), float(spread[1])
    near = by_mood(moods, own, errors)
    near[np.arange(len(near)), clean.style] = 0.0
    near /= near.sum(axis=1, keepdims=True)
    alike = np.full_like(near, 1.0 / len(names))
    drawn = {"by the mood that is heard": near, "by timbre": others, "all alike": alike}
    print_drawn("Styles left out, styles drawn by chance", clean, drawn, serving)
    print("\nStyles left out: share within the error that is stated")
    for axis, name in enumerate(("valence", "energy")):
        off = np.abs(moods - clean.mood)[:, axis] / errors[axis]
        told = ", ".join(
            f"{np.mean(off < times):.2f} within {times:g} x {errors[axis]:.2f}" for times in (1, 1.5, 2)
        )
        print(f"  {name}: {told}")
    return errors, heat


def print_taken(clean: Heard, rough: Heard, library: presets.Library) -> None:
    """Print how often the shipped model has a track taken for what is heard: asked as it is, and as something else."""
    names, model, draw = [*library.styles], load(), np.random.default_rng(0)
    own = np.array([[style.valence, style.energy] for style in library.styles.values()])

    def otherwise(inputs: Array, asked: int, backend: str) -> bool:
        facts = Measured(
            brightness_hz=1.0,
            density_per_s=0.0,
            percussiveness=0.0,
            suggests=model.suggest(inputs.astype(np.float32)),
        )
        track = a_track(style=names[asked], backend=backend, measured=facts)
        return hearing_of(track, library.styles) is not None

    print("\nTaken for what is heard, by the shipped model")
    for backend in ("procedural", "mlx"):
        for way, heard in (("as asked", clean), ("as asked, degraded", rough)):
            taken = [
                otherwise(one, asked, backend) for one, asked in zip(heard.inputs, heard.style, strict=True)
            ]
            print(f"  {backend:12}{way:28}{np.mean(taken):8.1%} of {len(taken)}")
        apart: dict[int, list[bool]] = {}
        for inputs, style in zip(clean.inputs, clean.style, strict=True):
            for other in draw.choice(len(names), 4, replace=False):
                step = int(np.linalg.norm(own[other] - own[style]) / 0.4)
                apart.setdefault(min(step, 4), []).append(otherwise(inputs, int(other), backend))
        for step, taken in sorted(apart.items()):
            print(f"  {backend:12}{f'moods {0.4 * step:.1f} apart':28}{np.mean(taken):8.1%} of {len(taken)}")


def write(path: Path, model: Fitted, heat: float, names: list[str], errors: tuple[float, float]) -> None:
    """Write the model."""
    from safetensors.numpy import save_file

    about = {
        "styles": names,
        "errors": [round(one, 3) for one in errors],
        "fitted_to": "renders of the synthesizer, by tests/benchmarks/catalog/fit_hearing.py",
    }
    large = {"hidden": model.hidden, "styles": model.styles / heat, "affect": model.affect}
    arrays = {name: np.ascontiguousarray(value, dtype=np.float16) for name, value in large.items()}
    small = {"centres": model.centres, "spreads": model.spreads}
    arrays |= {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in small.items()}
    save_file(arrays, str(path), metadata={"about": json.dumps(about)})
    print(f"\nwrote {path}: {path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, help="keep the renders and what is measured of them here")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help=f"write the model here, such as {MODEL_FILE.name}")
    options = parser.parse_args()
    library = presets.load(None)
    names = [*library.styles]
    renders = planned(library)
    clean, rough = gather(renders, names, options.cache, options.workers)
    print(f"{len(renders)} renders of {len(names)} styles, each also degraded")
    own = np.array([[style.valence, style.energy] for style in library.styles.values()])
    errors, heat = figures(clean, rough, names, own)
    print(f"\nerrors for styles left out: valence {errors[0]:.2f}, energy {errors[1]:.2f}; heat {heat:.2f}")
    if options.out:
        write(options.out, fit(joined(clean, rough), len(names)), heat, names, errors)
    print_taken(clean, rough, library)


if __name__ == "__main__":
    main()
