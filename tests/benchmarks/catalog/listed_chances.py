"""How often two judges agree on a style, by its place in the lists of one: the chances in `catalog/brief/listed.py`.

Then the style that is picked where the lists of one judge are handed in as a brief, judged by the other.

python tests/benchmarks/catalog/listed_chances.py
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from music_labels import FOLDER, read_second

from music_catalog import presets
from music_catalog.brief.listed import brief_of
from music_catalog.models import Choices, Context, StatedBrief
from music_catalog.request.selection import pick_style
from music_catalog.text import encoder as encoders
from music_catalog.text import features


def places(judged: dict[str, Any], styles: set[str]) -> Iterator[tuple[str, str]]:
    """Yield each style with its place in the lists of a judge."""
    for style in styles:
        if style in judged["fits"]:
            yield style, f"fits, place {min(judged['fits'].index(style) + 1, 4)}"
        else:
            yield style, "passable" if style in judged["passable"] else "unlisted"


def picked(first: dict[str, Any], second: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield who picked, the style, and the labels of the judge that did not: each judge's lists as a brief."""
    encoder, styles = encoders.load(), presets.load().styles
    for name, other in second.items():
        context = Context(text=first[name]["text"])
        found = features.extract(context, encoder)
        for one, its_judge in ((first[name], other), (other, first[name])):
            stated = StatedBrief(
                fits=one["fits"],
                passable=one["passable"],
                valence=one["valence"] / 2,
                energy=one["energy"] / 2,
                text_kind=one["register"],
                place=one["place"],
                culture=one["culture"],
                serious=one["serious"],
            )
            brief = brief_of(stated, styles, "language model")
            yield "brief of a judge", pick_style(context, found, Choices(), styles, brief)[0], its_judge
            yield "always documentary_neutral", "documentary_neutral", its_judge


def main() -> None:
    rows = [json.loads(line) for line in (FOLDER / "labels.jsonl").read_text("utf-8").splitlines()]
    first, second = {row["id"]: row for row in rows}, read_second()
    styles = {style for row in rows for style in (*row["fits"], *row["passable"])}
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for name, other in second.items():
        for one, its_judge in ((first[name], other), (other, first[name])):
            for style, place in places(one, styles):
                fits = style in its_judge["fits"]
                passes = fits or style in its_judge["passable"]
                counts[place] = [sum(pair) for pair in zip(counts[place], (1, fits, passes), strict=True)]
    print(f"{len(second)} texts that two judges read, each taken once as the first:")
    for place, (number, fits, passes) in sorted(counts.items()):
        print(f"{place:15} {number:6} styles   fits {fits / number:.3f}   passes {passes / number:.3f}")
    written = {row["id"]: row for row in rows if "text" in row}
    outcomes: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for who, style, judge in picked(written, {name: row for name, row in second.items() if name in written}):
        fits = style in judge["fits"]
        wrong = not fits and style not in judge["passable"]
        outcomes[who] = [sum(pair) for pair in zip(outcomes[who], (1, fits, wrong), strict=True)]
    print("the style picked, for the other judge; texts written for the labels, each twice:")
    for who, (number, fits, wrong) in outcomes.items():
        print(f"{who:26} {number:4} picks   fits {fits / number:.3f}   wrong {wrong / number:.3f}")


if __name__ == "__main__":
    main()
