"""What it costs to read a text and to decide, warm: the pass of the encoder, and the whole decision.

    python tests/benchmarks/catalog/reading_speed.py [--calls 40] [--tracks 100000] [--reference]

Texts of 20, 100 and 300 words, each read once. The ways to encode take turns on the same texts, so that a busy moment
meets all alike: ours (the tokens of the text divided among the cores), the same on one core, the text and its sentences
in one pass, as they were read before, and with `--reference` sentence-transformers. The decision runs over a catalog
of `--tracks` synthetic tracks; with 0 it is left out.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

import reuse_speed

from music_catalog import MusicService
from music_catalog.text import encoder as encoders
from music_catalog.text import minilm
from music_catalog.text.summary import plain_text, segments

LABELS = reuse_speed.ROOT / "catalog" / "reuse" / "labels.jsonl"
SIZES = (20, 100, 300)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--reference", action="store_true")
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    logging.disable(logging.WARNING)
    encoding(options.calls, reference=options.reference)
    if not options.tracks:
        return
    with tempfile.TemporaryDirectory() as folder:
        decision(Path(folder), options.tracks, options.calls)


def texts_of(words: int, count: int) -> list[str]:
    """Return distinct texts of the shipped scenes' words."""
    scenes = [json.loads(line) for line in LABELS.read_text("utf-8").splitlines()]
    every = " ".join(text for scene in scenes for text in scene.get("fits", ())).split()
    starts = np.linspace(0, len(every) - words, count).astype(int)
    return [" ".join(every[start : start + words]) for start in starts]


def encoding(calls: int, *, reference: bool) -> None:
    loaded = encoders.load()
    ways: dict[str, Callable[[str, list[str]], Any]] = {
        "ours": lambda text, _: encoders.embed_layers(loaded, text),
        "ours on one core": lambda text, _: on_one_core(lambda: encoders.embed_layers(loaded, text)),
        "with its sentences": lambda text, pieces: loaded.encode(list(dict.fromkeys([text, *pieces]))),
    }
    if reference:
        from sentence_transformers import SentenceTransformer

        theirs = SentenceTransformer(str(encoders.locate()), device="cpu")
        ways["sentence-transformers"] = lambda text, _: theirs.encode([text], show_progress_bar=False)
    print(f"encoding a text, {calls} texts each; ratio: of the medians, to ours")
    for words in SIZES:
        times: dict[str, reuse_speed.Times] = {name: [] for name in ways}
        for text in texts_of(words, calls + 1):
            pieces = segments(plain_text(text))
            for name, encode in ways.items():
                times[name].append(measured(partial(encode, text, pieces)))
        ours = np.median(times["ours"], axis=0)
        for name, took in times.items():
            ratio, cpu = np.median(took[1:], axis=0) / ours
            reuse_speed.line(
                f"{words} words, {name:<22}", took[1:], f"ratio {ratio:.2f}, of the processor {cpu:.2f}"
            )


def on_one_core(encode: Callable[[], Any]) -> None:
    with patch.object(minilm, "_cores", lambda: 1):
        encode()


def measured(call: Callable[[], Any]) -> tuple[float, float]:
    """Return the milliseconds of a call, and of the processor's time in it."""
    began, before = time.perf_counter(), time.process_time()
    call()
    return 1000 * (time.perf_counter() - began), 1000 * (time.process_time() - before)


def decision(folder: Path, tracks: int, calls: int) -> None:
    draw = np.random.default_rng(tracks)
    centres = reuse_speed.unit(draw.normal(size=(reuse_speed.CLUSTERS, reuse_speed.DIMENSION)))
    store, _, _, _ = reuse_speed.fill(folder / "home", draw, centres, tracks)
    store.care.compact()
    store.close()
    os.sync()
    with MusicService.open(folder / "home") as service:
        service.warm()
        print(f"the whole call, {tracks:,} tracks, {calls} texts each; the line in the log is synced")
        for words in SIZES:
            whole, decided, stages = [], [], []
            for text in texts_of(words, calls + 1):
                began = time.perf_counter()
                result = service.find_or_make(text, dry_run=True)
                whole.append(1000 * (time.perf_counter() - began))
                stages.append({name: 1000 * seconds for name, seconds in result.timings_s.items()})
                decided.append(sum(stages[-1].values()))
            for name, took in (("reading and deciding", decided[1:]), ("and logging it", whole[1:])):
                print(
                    f"  {words} words, {name:<22} p50 {np.median(took):6.1f} ms  p95 {np.percentile(took, 95):6.1f} ms"
                )
            print(
                "    "
                + ", ".join(f"{name} {np.median([one[name] for one in stages]):.1f}" for name in stages[0])
            )


if __name__ == "__main__":
    main()
