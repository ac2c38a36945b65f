"""What independent taggers hear in the synthesizer's styles: musicnn's networks, and tags fixed beforehand.

    python -m tests.benchmarks.generator.ears --musicnn FOLDER [--seconds 30] [--seeds 2] [--first-seed 1]
        [--only STYLE ...] [--models MTT_musicnn MSD_musicnn] [--grid [--ratings FOLDER]]
        [--soundfont FILE.sf2]

FOLDER is an unpacked package of musicnn: `pip download --no-deps musicnn`, then `unzip musicnn-*.whl -d FOLDER`.

Each shipped style is rendered with some seeds, and the chances of the tags are averaged. `expected_tags.yaml` states
what should be among the first five; places are judged by their music alone, and their sounds are judged alone beside
it. Printed too: instruments that a style names and the model trained on MagnaTagATune recognises, first answers that
name another genre, and a dumb rival that gives every style the same five tags, those that serve most styles.

`--grid` renders the styles nearest to a grid of valence and energy, shaded to it as a request is, and prints the rank
correlation of what was asked with what the tags weigh: over the grid, and its mean over the parts of the grid where the
other quality is asked for alike. `--ratings` does the same by models fitted to what people rated (`taggers.Rater`).
`--soundfont` plays the same notes on samples (`sampled.py`).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

import numpy as np
import scipy.stats
import taggers
import torch
import yaml
from sampled import sampled

from music_catalog import presets
from music_catalog.generator.synth.generator import ProceduralGenerator
from music_catalog.request.synthesis import shade

SHIPPED = [Path(presets.__file__).parent / name for name in ("styles.yaml", "environments.yaml")]
TABLE: Mapping[str, Any] = yaml.safe_load(Path(__file__).with_name("expected_tags.yaml").read_text("utf-8"))
LATER = (
    "medieval_folk", "east_asian_garden", "middle_eastern_oud", "south_asian_raga", "sacred_choir", "quiet_room",
    "gentle_science", "sober_reportage", "lullaby", "children_mischief", "restless_quirk", "simmering_anger",
    "uneasy_shame", "sport_drive",
)  # fmt: skip
"""Styles that came after the 39 of the first measurement."""
FIRST = 5
GRID = (-0.8, -0.4, 0.0, 0.4, 0.8)
GRID_STYLES = 3
"""How many of the nearest styles are rendered at each point of the grid."""


@dataclass(frozen=True)
class Heard:
    """The tags that one model heard in one style, the likeliest first, and what the style should be heard as."""

    style: str
    ranked: tuple[str, ...]
    expected: tuple[str, ...]
    wrong_genres: frozenset[str]
    instruments: tuple[str, ...]

    @property
    def recognised(self) -> bool:
        return bool(set(self.ranked[:FIRST]) & set(self.expected))

    @property
    def first_fits(self) -> bool:
        return self.ranked[0] in self.expected

    @property
    def misnamed(self) -> bool:
        return self.ranked[0] in self.wrong_genres

    def instruments_heard(self) -> list[bool]:
        return [bool(set(self.ranked[:FIRST]) & set(TABLE["instruments"][name])) for name in self.instruments]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--musicnn", type=Path, help="the unpacked package")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=1, help="others than those that were listened to")
    parser.add_argument("--only", nargs="+", metavar="STYLE")
    parser.add_argument("--models", nargs="+", choices=taggers.MODELS, default=["MTT_musicnn", "MSD_musicnn"])
    parser.add_argument("--grid", action="store_true", help="valence and energy, not the styles")
    parser.add_argument("--ratings", type=Path, help="the folder of Essentia's models of valence and energy")
    parser.add_argument("--soundfont", type=Path, help="play the notes on the samples of this file")
    options = parser.parse_args()
    if options.musicnn is None:
        print(f"nothing measured: get musicnn's weights with {taggers.HOW_TO_GET} and pass --musicnn FOLDER")
        return
    torch.set_num_threads(1)
    with sampled(options.soundfont) if options.soundfont else nullcontext():
        listen(options)


def listen(options: argparse.Namespace) -> None:
    """Play the styles, or the grid, to the models, and print what they hear."""
    models = [taggers.Tagger(options.musicnn, model) for model in options.models]
    styles = shipped_styles()
    if options.grid:
        raters = [taggers.Rater(options.ratings, name) for name in taggers.RATERS] if options.ratings else []
        print_grid(Listeners(models, raters), styles, options)
        return
    chosen = options.only or list(styles)
    print(f"{len(chosen)} styles, seeds {[*seeds_of(options)]}, {options.seconds:g} s")
    answers: dict[str, list[Heard]] = {model.model: [] for model in models}
    sounds: dict[str, list[Heard]] = {model.model: [] for model in models}
    for name in chosen:
        synthesis = styles[name]["synthesis"]
        place = name.startswith("environment_")
        music = {**synthesis, "textures": {}, "music_level": 1.0} if place else synthesis
        print_answers(name, add(answers, name, models, music, options), judged=True)
        if place:
            sound = {**synthesis, "music_level": 0.0}
            print_answers(
                "  its sounds alone", add(sounds, name, models, sound, options, sound=True), judged=True
            )
            print_answers("  both", add({}, name, models, synthesis, options), judged=False)
    print()
    for model, heard in answers.items():
        print_summary(model, heard)
    for model, heard in sounds.items():
        hits = sum(one.recognised for one in heard)
        print(f"{model}: sounds of places alone: {hits} of {len(heard)} taken for field recordings")


def shipped_styles() -> dict[str, dict[str, Any]]:
    """Return name -> style as its file states it."""
    styles = {}
    for path in SHIPPED:
        styles.update(yaml.safe_load(path.read_text("utf-8"))["musicgen"]["presets"])
    return styles


def add(
    answers: dict[str, list[Heard]],
    name: str,
    models: Iterable[taggers.Tagger],
    synthesis: Mapping[str, Any],
    options: argparse.Namespace,
    *,
    sound: bool = False,
) -> list[Heard]:
    """Render a style, ask each model, and add the answers; return them."""
    waves = [render(synthesis, options.seconds, seed) for seed in seeds_of(options)]
    heard = []
    for model in models:
        mean = np.mean([model.chances(wave, 32_000).mean(axis=0) for wave in waves], axis=0)
        ranked = tuple(model.tags[i] for i in np.argsort(-mean))
        one = judged(name, model.model[:3].lower(), ranked, sound=sound)
        answers.setdefault(model.model, []).append(one)
        heard.append(one)
    return heard


def seeds_of(options: argparse.Namespace) -> range:
    """Return the seeds that each style is rendered with."""
    return range(options.first_seed, options.first_seed + options.seeds)


def render(synthesis: Mapping[str, Any], seconds: float, seed: int) -> taggers.Array:
    """Return a style as mono samples at 32 kHz."""
    config = {"duration_s": seconds, "seed": seed, "synthesis": synthesis}
    samples: taggers.Array = ProceduralGenerator().generate_music("", config).samples.mean(axis=1)
    return samples


def judged(name: str, data: str, ranked: tuple[str, ...], *, sound: bool = False) -> Heard:
    """Return the answers beside what the table expects of the style, or of the sounds of a place."""
    style = TABLE["styles"][name]
    expected = TABLE["texture"][data] if sound else style[data]
    wrong = set(TABLE["genres"][data]) - set(expected) - (set() if sound else set(style["fits"]))
    instruments = style["instruments"] if data == "mtt" and not sound else ()
    return Heard(name, ranked, tuple(expected), frozenset(wrong), tuple(instruments))


def print_answers(title: str, heard: Sequence[Heard], *, judged: bool) -> None:
    """Print the first tags of each model: in brackets what is expected, with an exclamation mark another genre."""
    cells = []
    for one in heard:
        tags = [
            f"[{tag}]" if tag in one.expected else f"{tag}!" if not i and one.misnamed else tag
            for i, tag in enumerate(one.ranked[:FIRST])
        ]
        mark = ("+" if one.recognised else "-") if judged else " "
        missed = [name for name, ok in zip(one.instruments, one.instruments_heard(), strict=True) if not ok]
        cells.append(f"{mark} {' '.join(tags)}" + (f" (no {', '.join(missed)})" if missed and judged else ""))
    print(f"{title:<24}" + " | ".join(f"{cell:<62}" for cell in cells).rstrip(), flush=True)


def print_summary(model: str, heard: Sequence[Heard]) -> None:
    """Print the counts for the first 39 styles and for all, beside the dumb rival."""
    for title, part in (("first 39", [one for one in heard if one.style not in LATER]), ("all", heard)):
        if not part:
            continue
        rival = commonest(part)
        instruments = [ok for one in part for ok in one.instruments_heard()]
        wrong = [one.style for one in part if one.misnamed]
        print(
            f"{model}, {title} ({len(part)}): expected among the first five {sum(o.recognised for o in part)}, "
            f"first {sum(o.first_fits for o in part)}; another genre first {len(wrong)} {wrong or ''}"
        )
        if instruments:
            share = np.mean(instruments)
            print(f"  instruments recognised {sum(instruments)} of {len(instruments)} ({share:.2f})")
        same = [judged(one.style, model[:3].lower(), rival) for one in part]
        print(
            f"  the same for every style ({', '.join(rival)}): {sum(o.recognised for o in same)}, "
            f"first {sum(o.first_fits for o in same)}; another genre {sum(o.misnamed for o in same)}"
        )


def commonest(heard: Sequence[Heard]) -> tuple[str, ...]:
    """Return five tags, each the one that is expected of most styles that those before it leave out."""
    left, tags = list(heard), []
    while len(tags) < FIRST:
        counts = Counter(tag for one in left or heard for tag in one.expected if tag not in tags)
        tag = min(counts, key=lambda t: (-counts[t], t)) if counts else heard[0].ranked[0]
        tags.append(tag)
        left = [one for one in left if tag not in one.expected]
    return tuple(tags)


@dataclass(frozen=True)
class Listeners:
    """The models that hear a mood: by tags, and by what people rated."""

    models: Sequence[taggers.Tagger]
    raters: Sequence[taggers.Rater]

    def names(self) -> list[str]:
        return [model.model for model in self.models] + [rater.name for rater in self.raters]

    def moods(self, wave: taggers.Array) -> list[float]:
        """Return valence and energy as each listener hears them, listener by listener."""
        found: list[float] = []
        patches = taggers.patches_of(wave, 32_000)
        for model in self.models:
            chances = np.clip(model.chances_in(patches).mean(axis=0), 1e-6, 1 - 1e-6)
            odds = dict(zip(model.tags, np.log(chances / (1 - chances)), strict=True))
            for quality in ("valence", "energy"):
                weights = TABLE[quality][model.model[:3].lower()]
                found.append(sum(weight * odds[tag] for tag, weight in weights.items()))
        if self.raters:
            heard = next(model for model in self.models if model.model == "MSD_musicnn").embedding(patches)
            for rater in self.raters:
                found += rater.mood(heard)
        return found


def print_grid(listeners: Listeners, styles: Mapping[str, Any], options: argparse.Namespace) -> None:
    """Print how well the asked valence and energy are heard over a grid."""
    asked, heard = [], []
    for seed in seeds_of(options):
        for valence in GRID:
            for energy in GRID:
                for name in nearest(styles, valence, energy):
                    style = styles[name]
                    values, _ = shade(
                        style["synthesis"], valence=valence, energy=energy,
                        style_valence=style["valence"], style_energy=style["energy"],
                    )  # fmt: skip
                    asked.append((valence, energy))
                    heard.append(listeners.moods(render(values, options.seconds, seed)))
                    print(
                        f"{valence:5.1f} {energy:5.1f} {name:<22}",
                        np.round(heard[-1], 1).tolist(),
                        flush=True,
                    )
    print_correlations(f"grid, {len(asked)} renderings", listeners, asked, heard)


def nearest(styles: Mapping[str, Any], valence: float, energy: float) -> list[str]:
    """Return the styles nearest to a mood; places are left out, as their sounds are not music."""
    music = [name for name in styles if not styles[name].get("environment")]
    return sorted(
        music, key=lambda n: np.hypot(styles[n]["valence"] - valence, styles[n]["energy"] - energy)
    )[:GRID_STYLES]


def print_correlations(
    title: str, listeners: Listeners, asked: Sequence[tuple[float, float]], heard: Sequence[Sequence[float]]
) -> None:
    """Print the rank correlation of each quality with what is heard, and (in brackets) where the other is asked alike.

    `tags` and `ratings` are the means of the ranks that all models of a kind give.
    """
    ranks = scipy.stats.rankdata(np.array(heard), axis=0)
    points = np.array(asked)
    for column, quality in enumerate(("valence", "energy")):
        own = ranks[:, column::2]
        answers = dict(zip(listeners.names(), own.T, strict=True))
        answers["tags"] = own[:, : len(listeners.models)].mean(axis=1)
        if listeners.raters:
            answers["ratings"] = own[:, len(listeners.models) :].mean(axis=1)
        cells = []
        for name, values in answers.items():
            alike = [
                scipy.stats.spearmanr(points[rows, column], values[rows]).statistic
                for rows in (points[:, 1 - column] == other for other in GRID)
            ]
            over = scipy.stats.spearmanr(points[:, column], values).statistic
            cells.append(f"{name} {over:.2f} ({np.mean(alike):.2f})")
        print(f"{title}: {quality} " + ", ".join(cells))


if __name__ == "__main__":
    main()
