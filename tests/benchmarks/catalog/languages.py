"""Wrong reuses in languages that the certificate has no labels in, with the rule on languages and without it.

    python tests/benchmarks/catalog/languages.py [--encoder NAME]

In each language five unrelated texts come one after the other, each with the tracks of those before it in the catalog:
four chances to be served the music of another subject. Then each text's paraphrase is asked for with all five tracks
there. Without the rule the certificate is taken to hold for every language, as it was. English is there to show what
the rule leaves alone. At the end English texts meet the tracks of all other languages. Nothing is rendered: `like` is
the decision about a request and a track made for another one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from language_texts import TEXTS

from music_catalog import MusicService
from music_catalog.models import Request
from music_catalog.reuse.decision import like
from music_catalog.reuse.terms import Terms
from music_catalog.text import language

Asked = tuple[Request, NDArray[np.float32]]
EVERY_LANGUAGE = (*TEXTS, language.UNKNOWN, *language._names())


@dataclass
class Count:
    """Of the chances of one language: those that reused a track, and paraphrases with their own and another track."""

    chances: int = 0
    wrong: int = 0
    paraphrases: int = 0
    own: int = 0
    other: int = 0

    def line(self) -> str:
        return f"{self.wrong:4} of {self.chances:2}   {self.own:4} of {self.paraphrases:2}   {self.other:4}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", help="another text encoder: a hub name or a folder")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as home,
        MusicService.open(home, encoder=options.encoder, config=None) as service,
    ):
        terms = service._terms("auto", None, None, None, None, None)
        if terms.certificate is None:
            raise SystemExit(f"nothing is certified: {terms.note}")
        anywhere = terms.certificate.model_copy(update={"languages": EVERY_LANGUAGE})
        ways = (replace(terms, certificate=anywhere), terms)
        asked = {code: [ask(service, pair) for pair in pairs] for code, pairs in TEXTS.items()}
    print("             without the rule                        with it")
    print(
        "        wrong reuses  paraphrases: own   other  |  wrong reuses  paraphrases: own   other   read as"
    )
    totals = [Count(), Count()]
    for code, pairs in asked.items():
        counts = [count(pairs, way) for way in ways]
        if code != "en":
            totals = [add(total, one) for total, one in zip(totals, counts, strict=True)]
        read = ", ".join(sorted({text[0].features.language for text, _ in pairs}))
        print(f"{code:6}{'   |'.join(one.line() for one in counts)}   {read}")
    print(f"all but en{'   |'.join(one.line() for one in totals)}")
    others = [text for code, pairs in asked.items() if code != "en" for text, _ in pairs]
    for name, way in zip(("without the rule", "with it"), ways, strict=True):
        served = sum(any(reused(text, other, way) for other in others) for text, _ in asked["en"])
        print(f"English texts that reuse a track of another language, {name}: {served} of {len(asked['en'])}")


def ask(service: MusicService, texts: Sequence[str]) -> tuple[Asked, Asked]:
    """Return the requests of a text and of its paraphrase, with their vectors."""
    asked = {"backend": "procedural", "role": "background_bed"}
    first, second = (service._flow.understand(service._flow.begin("bench", text, asked)) for text in texts)
    return first, second


def count(pairs: Sequence[tuple[Asked, Asked]], terms: Terms) -> Count:
    """Count what is reused among the texts of one language."""
    found = Count()
    for number, (text, paraphrase) in enumerate(pairs):
        if number:
            found.chances += 1
            found.wrong += any(reused(text, earlier, terms) for earlier, _ in pairs[:number])
        found.paraphrases += 1
        found.own += reused(paraphrase, text, terms)
        found.other += any(reused(paraphrase, other, terms) for other, _ in pairs if other is not text)
    return found


def reused(asked: Asked, made: Asked, terms: Terms) -> bool:
    return like(asked[0], made[0], float(asked[1] @ made[1]), terms)


def add(one: Count, other: Count) -> Count:
    return Count(*(getattr(one, name) + getattr(other, name) for name in Count.__dataclass_fields__))


if __name__ == "__main__":
    main()
