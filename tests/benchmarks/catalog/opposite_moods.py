"""Measure how often one text gets the same style in the opposite mood: texts that no brief was fitted to.

    python tests/benchmarks/catalog/opposite_moods.py --eval-dir DIR [--cache FILE]

Pairs: the captions of MusicCaps with their mood words swapped (`mood_swaps`), and the scenes of
`catalog/reuse/labels.jsonl` with the same scene in the opposite mood; for comparison two wordings of one such scene.
The same style for opposite moods is not yet the same track: the decision on reuse compares the moods again. So the
last line has how often a text is served the track of the other one, were that the only track.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from brief_readings import read_all
from stream import made_for, read_requests

from music_catalog import presets
from music_catalog.brief import reader as brief
from music_catalog.models import Choices, Context
from music_catalog.request import selection
from music_catalog.reuse import certificate, music_certificate
from music_catalog.reuse.decision import decide
from music_catalog.reuse.labels import shipped_labels
from music_catalog.reuse.terms import Terms
from music_catalog.text import encoder

Pairs = list[tuple[str, str]]


def swapped(eval_dir: Path) -> Pairs:
    """Return captions with the same caption in the opposite mood."""
    path = eval_dir / "mood_swaps" / "musiccaps_mood_swaps.csv"
    with path.open(newline="", encoding="utf-8") as file:
        return [(row["caption"], row["swapped"]) for row in csv.DictReader(file)]


def scenes() -> tuple[Pairs, Pairs]:
    """Return scenes with their opposites, and with another wording."""
    labelled = shipped_labels().scenes
    opposite = [(scene.fits[0], text) for scene in labelled for text in scene.opposite]
    reworded = [(scene.fits[0], text) for scene in labelled for text in scene.fits[1:]]
    return opposite, reworded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval-dir", type=Path, required=True, help="the folder of public data sets")
    parser.add_argument("--cache", type=Path, help="keep what is read of each text in this file")
    options = parser.parse_args()
    opposite, reworded = scenes()
    named = {
        "mood_swaps": swapped(options.eval_dir),
        "opposite scenes": opposite,
        "reworded scenes": reworded,
    }
    texts = list(dict.fromkeys(text for pairs in named.values() for pair in pairs for text in pair))
    reader, styles = encoder.load(), presets.load(None).styles
    readings = dict(zip(texts, read_all(texts, reader, options.cache), strict=True))
    briefs = {
        text: brief.read_brief(*reading.to_brief(), styles, reader) for text, reading in readings.items()
    }

    def pick(text: str, *, by_brief: bool = True) -> str:
        one = briefs[text] if by_brief else None
        return selection.pick_style(Context(text=text), readings[text].features, Choices(), styles, one)[0]

    weight = selection.FAR_MOOD_WEIGHT
    print(f"{'the same style for both':28}" + "".join(f"{name:>24}" for name in named))
    for title, far, by_brief in (
        ("brief, as shipped", weight, True),
        ("brief, no rule on far moods", 0.0, True),
        ("mood and topic words", weight, False),
    ):
        selection.FAR_MOOD_WEIGHT = far
        picked = {text: pick(text, by_brief=by_brief) for text in texts}
        shares = [np.mean([picked[a] == picked[b] for a, b in pairs]) for pairs in named.values()]
        print(
            f"{title:28}"
            + "".join(
                f"{share:14.1%} of {len(pairs):6,}"
                for share, pairs in zip(shares, named.values(), strict=True)
            )
        )
    selection.FAR_MOOD_WEIGHT = weight
    library = presets.load(None)
    requests = read_requests(texts, [readings[text] for text in texts], reader, library)
    of_text = dict(zip(texts, requests, strict=True))
    nowhere = Path("nowhere")
    terms = Terms(
        certificate=certificate.standing(nowhere, reader.identity).certificate,
        music=music_certificate.standing(nowhere, reader.identity),
        variety=1,
    )

    def served(asked: str, known: str) -> bool:
        track = made_for(of_text[known], reader, 0)
        cosine = float(readings[asked].layers[-1] @ readings[known].layers[-1])
        return decide(of_text[asked], [(track, cosine)], terms, styles=styles).action == "reuse"

    shares = [np.mean([served(b, a) for a, b in pairs]) for pairs in named.values()]
    print(
        f"{'served the other one':28}"
        + "".join(
            f"{share:14.1%} of {len(pairs):6,}" for share, pairs in zip(shares, named.values(), strict=True)
        )
    )


if __name__ == "__main__":
    main()
