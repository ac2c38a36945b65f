"""A text in another language, word for word in English, for readers that were fitted to English alone.

`XX.tsv` beside this is the dictionary of a language: an English word on each line, and the forms that say it. Language
models wrote them for the 4,943 English words that move the choice of music most. A gloss is no translation: the words
stand in the order of the other language, inflection is lost, unknown words go unless they are names. It is enough to
tell a funeral from a wedding, and it is never shown or stored. docs/FITTING.md holds the figures.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

__all__ = ["LANGUAGES", "Glossary", "languages_with", "to_english"]

FOLDER = Path(__file__).parent
LANGUAGES = tuple(sorted(path.stem for path in FOLDER.glob("*.tsv")))
"""Codes of the languages that have a dictionary."""
UNSPACED = frozenset({"ja", "zh"})
"""Languages written without spaces: their words are found by the longest match."""
ACCENTED = frozenset({"es", "fr", "it", "pt"})
"""Languages whose accents are left out: they come and go with the endings of a word."""
LATIN = ("de", "es", "fr", "it", "pt")
"""Languages in Latin letters, which `languages_with` looks through."""
COMPOUNDING = frozenset({"de"})
LINKS = ("", "s", "n", "en", "e")
"""What may stand between the two parts of a German compound."""
ATTACHED = {"ar": ("وال", "بال", "فال", "كال", "ولل", "لل", "ال", "و", "ف", "ب", "ك", "ل", "س")}
"""Words that are written together with the one after them: article, "and", "with"."""

LEAST_KNOWN = 0.5
"""The share of words that must be known; a text in which fewer are is no text of that language, or of another kind."""
MOST_WORDS = 5
"""Words in the longest phrase of a dictionary, an apostrophe and a hyphen counted."""
STEM, CHANGED_STEM = 3, 4
"""Letters that a word must share with a form that it begins with, and with one that ends otherwise."""
ENDING, FORM_ENDING = 4, 3
"""Letters that may follow in the word, and in the form."""
STEM_SHARE = 0.6
"""The share of the word that must be shared."""
NEIGHBOURS = 6
"""Forms before and after a word in the order of the alphabet that are compared with it."""

_RUN = re.compile("[A-Za-z]+|[0-9.]+|[\x00-\x7f]|[^\x00-\x7f]+")
_TOKEN = re.compile(r"[^\W\d_][\w\u0900-\u0963\u0966-\u097f]*|\d+|[^\w\s]|\n")
_MARKS = str.maketrans(
    {
        "。": ".",
        "！": "!",
        "？": "?",
        "、": ",",
        "，": ",",
        "：": ":",
        "；": ";",
        "।": ".",
        "؟": "?",
        "،": ",",
    }
)
_SIGNS = re.compile("[\u00ad\u0300-\u036f\u064b-\u0652\u0640\u0670\u200b-\u200f\ufeff]")
"""Accents that stand apart from their letters; Arabic vowels, and the stroke that stretches an Arabic word; signs that
are not seen."""


@dataclass(frozen=True, eq=False)
class Glossary:
    """The dictionary of one language."""

    language: str
    english: Mapping[str, str]
    """The English word of each form."""
    forms: Sequence[str]
    """The forms of one word, ascending."""
    longest: int
    """Characters in the longest form."""

    def gloss(self, text: str) -> str | None:
        """Return the English words of `text` with its marks and figures; None where too few words are known."""
        text = _spelled(text, self.language)
        tokens = [*(self._unspaced(text) if self.language in UNSPACED else self._spaced(text))]
        words = sum(count for _, count in tokens)
        known = sum(count for word, count in tokens if word)
        return _join(word for word, _ in tokens if word) if words and known >= LEAST_KNOWN * words else None

    def _spaced(self, text: str) -> Iterator[tuple[str, int]]:
        """Yield the English of each word, "" where it is unknown, with how many words that was; marks count none."""
        tokens = _TOKEN.findall(text)
        place = 0
        while place < len(tokens):
            token = tokens[place]
            if not token[0].isalpha():
                yield token, 0
                place += 1
                continue
            for size in range(min(MOST_WORDS, len(tokens) - place), 0, -1):
                words = [one.lower() for one in tokens[place : place + size]]
                if english := self.english.get(" ".join(words)) if size > 1 else self.word(words[0]):
                    break
            if not english and token[0].isupper():  # a name says something too: Paris, Einstein
                yield token, 0
            else:
                yield english or "", size
            place += size

    def _unspaced(self, text: str) -> Iterator[tuple[str, int]]:
        """Yield what `_spaced` does, counted in characters."""
        for run in _RUN.findall(text):
            if run.isascii():  # a word of another writing, a figure, a mark
                yield run.strip(" "), len(run) * run.isalpha()
                continue
            place = 0
            while place < len(run):
                sizes = range(min(self.longest, len(run) - place), 0, -1)
                size = next((n for n in sizes if run[place : place + n] in self.english), 1)
                piece = run[place : place + size]
                yield self.english.get(piece, "" if piece.isalpha() else piece), size * piece.isalpha()
                place += size

    def word(self, word: str) -> str:
        """Return the English of one word: as it stands, inflected, with what is attached to it, or a compound."""
        if (found := self._inflected(word)) or len(word) <= STEM:
            return found
        for start in ATTACHED.get(self.language, ()):
            if word.startswith(start) and (found := self._inflected(word.removeprefix(start))):
                return found
        return self._compound(word) if self.language in COMPOUNDING else ""

    def _inflected(self, word: str) -> str:
        """Return the English of the form that shares the longest beginning with `word`, "" where none shares enough."""
        if (found := self.english.get(word)) is not None or len(word) <= STEM:
            return found or ""
        place = bisect(self.forms, word)
        near = self.forms[max(0, place - NEIGHBOURS) : place + NEIGHBOURS]
        shared = [(_shared(form, word), form) for form in near]
        fitting = [
            (length - 0.5 * (len(form) - length), form)
            for length, form in shared
            if length >= max(STEM if length == len(form) else CHANGED_STEM, STEM_SHARE * len(word))
            and len(word) - length <= ENDING
            and len(form) - length <= FORM_ENDING
        ]
        return self.english[max(fitting)[1]] if fitting else ""

    def _compound(self, word: str) -> str:
        """Return the English of the two parts of a compound, the last part as long as can be."""
        for cut in range(STEM, len(word) - STEM):
            if last := self.english.get(word[cut:]):
                for link in LINKS:
                    if word[:cut].endswith(link) and (first := self.english.get(word[: cut - len(link)])):
                        return f"{first} {last}"
        return ""


def to_english(text: str, language: str) -> str | None:
    """Return `text` word for word in English.

    None where `language`, a code such as "es", has no dictionary, and where the dictionary knows too few of the words.
    """
    return _load(language).gloss(text) if language in LANGUAGES else None


@lru_cache(maxsize=8192)
def languages_with(word: str) -> tuple[str, ...]:
    """Return the languages in Latin letters in whose dictionary a word in small letters stands as it is."""
    found = (code for code in LATIN if _spelled(word, code) in _load(code).english)
    return tuple(found) if len(word) >= STEM else ()


def _spelled(text: str, language: str) -> str:
    """Return a text with the signs that its dictionary has."""
    text = unicodedata.normalize("NFKD" if language in ACCENTED else "NFKC", text)
    return _SIGNS.sub("", text).replace("ё", "е")


@lru_cache(maxsize=len(LANGUAGES))
def _load(language: str) -> Glossary:
    rows = (FOLDER / f"{language}.tsv").read_text("utf-8").splitlines()
    english = {
        # As the words of a text are: "d'abord" is "d ' abord".
        form if language in UNSPACED else " ".join(_TOKEN.findall(form)): word
        for row in rows
        for word, _, forms in [row.partition("\t")]
        for form in forms.split("|")
    }
    return Glossary(
        language=language,
        english=english,
        forms=sorted(form for form in english if " " not in form),
        longest=max(map(len, english)),
    )


def _shared(form: str, word: str) -> int:
    """Return how many letters both begin with."""
    return next(
        (n for n, (one, other) in enumerate(zip(form, word, strict=False)) if one != other),
        min(len(form), len(word)),
    )


def _join(words: Iterator[str]) -> str:
    """Return words and marks as a text is written."""
    line = " ".join(word.translate(_MARKS) for word in words)
    return re.sub(r"[^\S\n]+([.,!?:;)\n])", r"\1", line).strip()
