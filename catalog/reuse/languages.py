"""Which languages a certificate holds for: those that its labels are written in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ..text import language

__all__ = ["ENGLISH", "covers", "languages_of", "uncovered"]


ENGLISH = ("en",)
"""What a certificate holds for that does not say it: those from before languages were stated are English."""


def covers(languages: Iterable[str], spoken: str) -> bool:
    """Return whether a certificate for `languages` holds for a text in `spoken`, a code such as "en" or "pt-BR".

    A language that could not be determined ("und") counts as English: such a text is short, in Latin letters, and has
    no word or letter that says otherwise (`music_catalog.text.language`).
    """
    return _read_as(language.code_of(spoken)) in languages


def uncovered(languages: Sequence[str], spoken: str) -> str:
    """Return why a certificate for `languages` does not hold for a text in `spoken`, and what to do; "" if it does."""
    if covers(languages, spoken):
        return ""
    name = language.name_of(spoken)
    known = " and ".join(map(language.name_of, languages))
    return (
        f"the text is in {name} and the certificate holds for {known}; pass min_similarity or reuse='always', "
        "or run `catalog calibrate --labels` on texts in that language with an encoder that knows it"
    )


def languages_of(units: Iterable[Iterable[str]], least: int) -> tuple[str, ...]:
    """Return the languages of at least `least` units, the commonest first; a unit is the texts of one scene or pair.

    A unit counts for the language of most of its texts, as `music_catalog.text.language` tells it. Units in a language
    that is not known there count for none.
    """
    counts = Counter(_read_as(_language_of(texts)) for texts in units)
    return tuple(code for code, count in counts.most_common() if count >= least and code != language.UNKNOWN)


def _language_of(texts: Iterable[str]) -> str:
    codes = Counter(map(language.guess, texts))
    return max(codes, key=lambda code: (code != language.UNDETERMINED, codes[code]))


def _read_as(code: str) -> str:
    return "en" if code == language.UNDETERMINED else code
