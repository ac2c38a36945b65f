"""Measure an ear: does a caption find its recording by sound, and are the tags it hears those of the caption?

    python tests/benchmarks/catalog/ear.py [--eval-dir PATH] [--ear clap] [--limit 1000] [--cache FILE]

The folder holds `song_describer` (song_describer.csv and `audio/`, as its authors publish them) and `musiccaps`
(musiccaps-public.csv, and `audio/` with a file a clip named by its YouTube id, which everyone must fetch alone). A set
whose audio is not there is named and left out. Without --eval-dir the synthesizer plays each style once, and the
captions are the descriptions: that shows that the script works, and says little of an ear.

Text to sound: the share of captions whose recording is the first, among the first 5 and the first 10 of all recordings
of the set; the same vectors with the captions dealt out anew (mean of 20 deals); chance. Tags: for each mood and
instrument of the vocabulary that is a word of at least five captions (of MusicCaps: of aspect lists), the area under
the curve of its share, recordings that have the word against the others; the mean over the names, and that with the
recordings dealt out anew. Then how often the first name is in the caption, against the best constant.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from music_catalog.ear.loading import Ear, NotHeard, load
from music_catalog.ear.tags import Tagger
from music_catalog.generator import Audio, AudioError, ProceduralGenerator, audio
from music_catalog.presets import load as load_presets
from music_catalog.presets.vocabulary import INSTRUMENTS, MOODS

ENDINGS = (".wav", ".flac", ".mp3", ".ogg", ".2min.mp3")
DEALS = 20
LEAST = 5
"""A name that fewer captions have is not measured."""
LIBRARY = load_presets()


class Caption(NamedTuple):
    """A caption, the recording that it is of, and the words that tell what is heard in it."""

    text: str
    recording: str
    words: str


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--eval-dir", type=Path)
    parser.add_argument("--ear", default="clap")
    parser.add_argument("--limit", type=int, default=1_000_000, help="recordings of a set")
    parser.add_argument("--cache", type=Path, help="keep what was heard in this .npz file, and go on from it")
    arguments = parser.parse_args()
    try:
        ear = load(arguments.ear)
    except NotHeard as absent:
        print(absent)
        return
    print(f"ear: {ear.identity}")
    for name, captions, sounds in sets(arguments.eval_dir):
        heard = hear(ear, captions, sounds, arguments.limit, arguments.cache)
        captions = [one for one in captions if one.recording in heard]
        if len(heard) < 2:
            print(f"\n{name}: no audio of it is there, so it is left out")
            continue
        print(f"\n{name}: {len(captions)} captions of {len(heard)} recordings")
        text_to_sound(ear, captions, heard)
        tagging(ear, captions, heard)


def sets(folder: Path | None) -> Iterator[tuple[str, list[Caption], Path | None]]:
    """Yield each set: its name, its captions, and where its audio is; None for what the synthesizer plays."""
    if folder is None:
        styles = LIBRARY.styles.items()
        texts = [
            Caption(one.description, name, f"{one.description} {' '.join(one.moods)}") for name, one in styles
        ]
        yield "the synthesizer's styles (says little of an ear)", texts, None
        return
    with (folder / "musiccaps" / "musiccaps-public.csv").open(encoding="utf-8", newline="") as file:
        rows = [Caption(row["caption"], row["ytid"], row["aspect_list"]) for row in csv.DictReader(file)]
    yield "MusicCaps", rows, folder / "musiccaps" / "audio"
    described = folder / "song_describer" / "song_describer.csv"
    if not described.is_file():
        print(f"\nSong Describer: {described} is not there, so it is left out")
        return
    with described.open(encoding="utf-8", newline="") as file:
        named = [
            (row["caption"], Path(row["path"]).with_suffix("").as_posix()) for row in csv.DictReader(file)
        ]
    rows = [Caption(text, recording, text) for text, recording in named]
    yield "Song Describer", rows, folder / "song_describer" / "audio"


def hear(
    ear: Ear, captions: list[Caption], folder: Path | None, limit: int, cache: Path | None
) -> dict[str, np.ndarray]:
    """Return the vector of each recording whose audio is there."""
    kept = dict(np.load(cache)) if cache and cache.is_file() else {}
    heard: dict[str, np.ndarray] = {}
    for recording in dict.fromkeys(one.recording for one in captions):
        key = f"{ear.identity}|{recording}"
        if key not in kept:
            sound = sound_of(recording, folder)
            vector = None if sound is None else ear.hear(sound)
            if vector is None:
                continue
            kept[key] = vector
        heard[recording] = kept[key]
        if len(heard) == limit:
            break
    if cache:
        np.savez(cache, **kept)
    return heard


def sound_of(recording: str, folder: Path | None) -> Audio | None:
    """Return the audio of a recording, or of a style where there is no folder; None where there is none to be read."""
    if folder is None:
        config = {
            **LIBRARY.resolve(recording, "background_bed", "preview").values,
            "seed": 1,
            "duration_s": 12.0,
        }
        prompt = ", ".join(LIBRARY.styles[recording].prompt_tags)
        return ProceduralGenerator().generate_music(prompt, config)
    files = [folder / f"{recording}{ending}" for ending in ENDINGS]
    for file in (one for one in files if one.is_file()):
        try:
            return audio.read(file)
        except AudioError as error:
            print(f"{file.name}: {error}", file=sys.stderr)
    return None


def text_to_sound(ear: Ear, captions: list[Caption], heard: dict[str, np.ndarray]) -> None:
    """Print how often a caption finds its recording, with chance and with the captions dealt out anew."""
    names = [*heard]
    cosines = ear.read([one.text for one in captions]) @ np.stack([*heard.values()]).T
    wanted = np.array([names.index(one.recording) for one in captions])
    print(f"{'text to sound':32} {'R@1':>6} {'R@5':>6} {'R@10':>6}")
    print_row("this ear", recalls(cosines, wanted))
    draw = np.random.default_rng(0)
    print_row(
        "captions dealt out anew",
        np.mean([recalls(cosines, draw.permutation(wanted)) for _ in range(DEALS)], 0),
    )
    print_row("chance", np.array([min(1.0, most / len(names)) for most in (1, 5, 10)]))


def recalls(cosines: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return R@1, R@5 and R@10; a recording that is as near as the wanted one counts as nearer."""
    own = cosines[np.arange(len(wanted)), wanted]
    ranks = (cosines >= own[:, None]).sum(axis=1)
    return np.array([(ranks <= most).mean() for most in (1, 5, 10)])


def print_row(name: str, values: np.ndarray) -> None:
    print(f"{name:32} " + " ".join(f"{value:6.3f}" for value in values))


def tagging(ear: Ear, captions: list[Caption], heard: dict[str, np.ndarray]) -> None:
    """Print how well the shares of moods and instruments tell the recordings whose captions name them."""
    tagger, draw = Tagger(ear, LIBRARY.styles), np.random.default_rng(0)
    words: dict[str, str] = dict.fromkeys(heard, "")
    for one in captions:
        words[one.recording] += f" {one.words.lower()}"
    for kind, names in (("mood", [*MOODS]), ("instrument", [*INSTRUMENTS])):
        shares = [tagger.shares(kind, vector) for vector in heard.values()]
        table = np.array([[one[name] for name in names] for one in shares])
        patterns = [re.compile(rf"\b{re.escape(name)}\b") for name in names]
        named = np.array([[bool(one.search(text)) for one in patterns] for text in words.values()])
        told = [place for place in range(len(names)) if LEAST <= named[:, place].sum() < len(named)]
        if not told:
            print(f"{kind}s: no name is in {LEAST} captions")
            continue
        areas = [area(table[:, place], named[:, place]) for place in told]
        dealt = [
            area(table[:, place], draw.permutation(named[:, place])) for place in told for _ in range(DEALS)
        ]
        print(
            f"{kind}s: area {np.mean(areas):.3f} over {len(told)} names; dealt out anew {np.mean(dealt):.3f}"
        )
        first = named[np.arange(len(named)), table.argmax(axis=1)].mean()
        constant = named.mean(axis=0)
        rival = f"the best constant, {names[constant.argmax()]}: {constant.max():.3f}"
        print(f"first {kind} is in the caption: {first:.3f}; {rival}")


def area(values: np.ndarray, positive: np.ndarray) -> float:
    """Return the chance that a positive one has the greater value than another one; ties count half."""
    with_it, without = values[positive][:, None], values[~positive][None]
    return float((with_it > without).mean() + 0.5 * (with_it == without).mean())


if __name__ == "__main__":
    main()
