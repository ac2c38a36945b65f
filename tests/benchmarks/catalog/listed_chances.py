"""How often two judges agree on a style, by its place in the lists of one: the chances in `catalog/brief/listed.py`.

python tests/benchmarks/catalog/listed_chances.py
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from music_labels import FOLDER, read_second


def places(judged: dict[str, Any], styles: set[str]) -> Iterator[tuple[str, str]]:
    """Yield each style with its place in the lists of a judge."""
    for style in styles:
        if style in judged["fits"]:
            yield style, f"fits, place {min(judged['fits'].index(style) + 1, 4)}"
        else:
            yield style, "passable" if style in judged["passable"] else "unlisted"


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


if __name__ == "__main__":
    main()
