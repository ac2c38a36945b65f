"""Tell the language of a text: by its script, else by its commonest words and its letters.

`languages.json` beside this holds, for each language, its name and script, and for scripts that several languages share
its commonest words and the letters that tell it from the others. `english_words.json` holds 8,000 English words that
are in none of these lists; the dictionaries of `glossary` hold the words of five languages. A text in Latin letters is
taken for English unless there is evidence against it: English texts are full of names, code and foreign words. The
evidence is that the words and letters of another language lead clearly over English ones, or that no word of the text
is English.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..glossary.glossary import languages_with

__all__ = ["CODES", "UNDETERMINED", "UNKNOWN", "code_of", "guess", "is_language", "name_of", "recognize"]


UNDETERMINED = "und"
"""A text in Latin letters, or without letters, that has too few words to tell; it is read as English."""
UNKNOWN = "mis"
"""A text that is surely not English, in a language that is not listed here: "uncoded languages" of ISO 639-2."""

_LONG = "eng=en ara=ar chi=zh zho=zh fra=fr fre=fr deu=de ger=de hin=hi ita=it jpn=ja por=pt rus=ru spa=es"
LONG_CODES: Mapping[str, str] = dict(pair.split("=") for pair in _LONG.split())
"""ISO 639-2 codes of English and of the languages with a dictionary, with their codes here."""
_ISO = (
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz "
    "ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii "
    "ik io is it iu iw ja ji jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg "
    "mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro "
    "ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw "
    "ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
CODES = frozenset((*_ISO.split(), UNDETERMINED, UNKNOWN))
"""The codes of ISO 639-1, three of them by their former names too, and the two that say that there is none."""
SAMPLE_CHARACTERS = 10_000
FILE = Path(__file__).with_name("languages.json")
ENGLISH_WORDS = Path(__file__).with_name("english_words.json")
ENDINGS = (
    ("s", ""),
    ("es", ""),
    ("ed", ""),
    ("d", ""),
    ("ing", ""),
    ("ing", "e"),
    ("ly", ""),
    ("er", ""),
    ("est", ""),
    ("ies", "y"),
    ("y", ""),
    ("n", ""),
)

_RANGES: Sequence[tuple[int, int, str]] = (
    (0x0041, 0x024F, "Latin"),
    (0x0370, 0x03FF, "Greek"),
    (0x0400, 0x052F, "Cyrillic"),
    (0x0530, 0x058F, "Armenian"),
    (0x0590, 0x05FF, "Hebrew"),
    (0x0600, 0x06FF, "Arabic"),
    (0x0750, 0x077F, "Arabic"),
    (0x0900, 0x097F, "Devanagari"),
    (0x0980, 0x09FF, "Bengali"),
    (0x0A00, 0x0A7F, "Gurmukhi"),
    (0x0A80, 0x0AFF, "Gujarati"),
    (0x0B00, 0x0B7F, "Odia"),
    (0x0B80, 0x0BFF, "Tamil"),
    (0x0C00, 0x0C7F, "Telugu"),
    (0x0C80, 0x0CFF, "Kannada"),
    (0x0D00, 0x0D7F, "Malayalam"),
    (0x0D80, 0x0DFF, "Sinhala"),
    (0x0E00, 0x0E7F, "Thai"),
    (0x0E80, 0x0EFF, "Lao"),
    (0x0F00, 0x0FFF, "Tibetan"),
    (0x1000, 0x109F, "Myanmar"),
    (0x10A0, 0x10FF, "Georgian"),
    (0x1100, 0x11FF, "Hangul"),
    (0x1200, 0x139F, "Ethiopic"),
    (0x1780, 0x17FF, "Khmer"),
    (0x1E00, 0x1EFF, "Latin"),
    (0x1F00, 0x1FFF, "Greek"),
    (0x3040, 0x30FF, "Kana"),
    (0x3130, 0x318F, "Hangul"),
    (0x3400, 0x4DBF, "Han"),
    (0x4E00, 0x9FFF, "Han"),
    (0xAC00, 0xD7AF, "Hangul"),
    (0xF900, 0xFAFF, "Han"),
    (0xFB50, 0xFDFF, "Arabic"),
    (0xFE70, 0xFEFF, "Arabic"),
    (0xFF21, 0xFF5A, "Latin"),
    (0xFF66, 0xFF9D, "Kana"),
    (0x20000, 0x3134F, "Han"),
)
"""First and last code point, and script. No range of a script that is missing here is English either."""
_STARTS = [first for first, _, _ in _RANGES]

WIDE = frozenset({"Han", "Kana", "Hangul"})
WIDE_LETTER = 2.5
"""How many letters of an alphabet a letter of the wide scripts counts for: it is a syllable or a word."""
OTHER_SCRIPT = 0.3
"""The share of letters from which another script decides. Names and quotations in English texts stay below it."""
JAPANESE = 0.05
"""The share of kana among Chinese characters from which they are Japanese."""

_WORD = re.compile(r"(?:[^\W\d_]|[\u0300-\u036f\u0610-\u065f\u0900-\u0903\u093a-\u094f\u0955-\u0957])+")
"""Letters, and the vowel signs and accents that Unicode does not count as such."""

KNOWN_WORD = 0.5
"""What a word counts that is not among the commonest of its language: other languages have some of them too."""
SURELY_ENGLISH = 0.5
"""What the English words of a text count, as a share of its words, from which no dictionary is asked."""
FEWEST_PLAIN = 2
"""A text with at least as many words in small letters, none of them English, is in another language."""
LETTER_WORD = 0.5
"""What a word with a letter of the language's own counts, where a word of its list counts 1."""
LEAD = 1.5
"""How far the words of a language must lead over those of English."""
LEAST_SHARE = 0.12
"""The share of a text's words that must speak for another language."""
LEAST_BESIDE_ENGLISH = 1.5
"""How many words must speak for another language where one is English; where none is, one is enough."""
PROSE_LETTERS = 0.7
"""A text with a smaller share of letters is code or data; it takes twice as many words to be in another language."""
LONG_WORDS = 20
ENGLISH_SHARE = 0.05
"""A text of at least `LONG_WORDS` words, with fewer common English ones than this share, is not English prose."""


@dataclass(frozen=True)
class _Alphabet:
    """The languages of one script."""

    codes: tuple[str, ...]
    words: Mapping[str, tuple[str, ...]]
    """Word -> the languages that have it in their list."""
    letters: Mapping[str, tuple[str, ...]]
    """Letter -> the languages that have it of their own."""


def guess(text: str) -> str:
    """Return an ISO 639-1 code, `UNDETERMINED`, or `UNKNOWN`."""
    return recognize(text)[0]


@lru_cache(maxsize=16)
def recognize(text: str) -> tuple[str, float]:
    """Return the code, and the lead of its words over those of the second language: 0 for "und", else 0.5 to 1."""
    text = text[:SAMPLE_CHARACTERS]
    script = _script(text)
    if script == "Latin":
        return _latin(text)
    codes = _alphabets()[script].codes if script in _alphabets() else ()
    if len(codes) < 2:
        return (codes[0], 1.0) if codes else (UNKNOWN, 0.5)
    best, most = max(_points(_words(text.lower()), script).items(), key=lambda one: one[1])
    return (best, 1.0) if most else (codes[0], 0.5)


def name_of(code: str) -> str:
    """Return the English name of a language: "Thai" for "th", in words for one that is not listed."""
    code = code_of(code)
    if code in (UNKNOWN, UNDETERMINED):
        return "an unknown language"
    return _names().get(code, f"the language {code!r}")


def is_language(stated: str) -> bool:
    """Tell whether a language may be stated so: as a code of ISO 639, with or without a country, or a name known here.

    Of the codes of three letters there are too many to tell which are none.
    """
    code = code_of(stated)
    return code in CODES or re.fullmatch("[a-z]{3}", code) is not None


@lru_cache(maxsize=256)
def code_of(stated: str) -> str:
    """Return the code of a language as people state it: "en" for "EN", "en-GB", "eng" and "English".

    What is no English name of a language that is known here, and none of `LONG_CODES`, is taken for a code.
    """
    plain = re.split(r"[-_]", stated.strip().lower())[0]
    codes = {name.lower(): code for code, name in _names().items()}
    return codes.get(plain, LONG_CODES.get(plain, plain))


def _script(text: str) -> str:
    """Return the script that decides: the commonest one other than Latin where it has enough letters."""
    counts: dict[str, float] = defaultdict(float)
    for letter, count in Counter(text).items():
        if letter.isalpha():
            script = _script_of(letter)
            counts[script] += count * (WIDE_LETTER if script in WIDE else 1)
    others = {name: count for name, count in counts.items() if name != "Latin"}
    if not others or sum(others.values()) <= OTHER_SCRIPT * sum(counts.values()):
        return "Latin"
    if counts["Kana"] > JAPANESE * (counts["Kana"] + counts["Han"]):
        others["Kana"] += others.pop("Han", 0)
    return max(others, key=lambda name: others[name])


def _script_of(letter: str) -> str:
    point = ord(letter)
    place = bisect_right(_STARTS, point) - 1
    return _RANGES[place][2] if place >= 0 and point <= _RANGES[place][1] else "another"


def _latin(text: str) -> tuple[str, float]:
    text = " ".join(token for token in text.split() if not _is_address(token))
    words = _words(text.lower())
    points = _points(words, "Latin")
    english = points.pop("en") + KNOWN_WORD * sum(map(_is_english, words))
    if english < SURELY_ENGLISH * len(words):
        for code, known in _points_of_dictionaries(words).items():
            points[code] += known
    ranked = sorted(points.items(), key=lambda one: -one[1])
    best, most = ranked[0]
    least = LEAST_BESIDE_ENGLISH if english else 1.0
    if sum(map(str.isalpha, text)) < PROSE_LETTERS * len("".join(text.split())):
        least *= 2
    if most >= max(least, LEAST_SHARE * len(words)) and most >= LEAD * english:
        return best, most / (most + max(ranked[1][1], english))
    # Names are capitalized, so they tell nothing here. Nor do words that several languages share, such as "a" and "on".
    shared = _alphabets()["Latin"].words
    plain = [w for w in _words(text) if w.islower() and len(w) > 1 and "en" not in shared.get(w, ())]
    if english < 1 and len(plain) >= FEWEST_PLAIN and not any(map(_is_english, plain)):
        return (best if most else UNKNOWN), 0.5
    if len(words) >= LONG_WORDS and english < ENGLISH_SHARE * len(words):
        return UNKNOWN, 0.5
    return ("en", max(0.5, english / (english + most))) if english >= 1 else (UNDETERMINED, 0.0)


def _is_address(token: str) -> bool:
    """Return whether a token is a web or mail address, a path or a name of code: its parts are no words."""
    return (
        any(mark in token for mark in ("://", "www.", "@", "_")) or token.count("/") + token.count("\\") > 1
    )


@lru_cache(maxsize=8192)
def _is_english(word: str) -> bool:
    return any(form in _english() for form in _forms(word))


def _forms(word: str) -> Iterator[str]:
    """Yield an English word as it is, and as it may stand in a dictionary."""
    yield word
    for ending, base in ENDINGS:
        if word.endswith(ending) and len(word) >= len(ending) + 3:
            yield word[: len(word) - len(ending)] + base


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _points(words: Sequence[str], script: str) -> dict[str, float]:
    """Return how much the words speak for each language of a script.

    A word of several lists counts less for each of them.
    """
    alphabet = _alphabets()[script]
    points = dict.fromkeys(alphabet.codes, 0.0)
    for word, count in Counter(words).items():
        for code in (owners := alphabet.words.get(word, ())):
            points[code] += count / len(owners) ** 0.5
        for letter in alphabet.letters.keys() & set(word):
            for code in (owners := alphabet.letters[letter]):
                points[code] += LETTER_WORD * count / len(owners)
    return points


def _points_of_dictionaries(words: Sequence[str]) -> dict[str, float]:
    """Return how much the words speak for the languages that have a dictionary; words that are English too do not."""
    points: dict[str, float] = defaultdict(float)
    for word, count in Counter(words).items():
        for code in (owners := () if word in _english() else languages_with(word)):
            points[code] += KNOWN_WORD * count / len(owners) ** 0.5
    return points


@lru_cache(maxsize=1)
def _listed() -> Mapping[str, Mapping[str, str]]:
    listed: Mapping[str, Mapping[str, str]] = json.loads(FILE.read_text("utf-8"))
    return listed


@lru_cache(maxsize=1)
def _english() -> frozenset[str]:
    """Return the words that are English and in no other list; `_points` counts those that several languages share."""
    alone = (word for word, owners in _alphabets()["Latin"].words.items() if owners == ("en",))
    return frozenset([*json.loads(ENGLISH_WORDS.read_text("utf-8")), *alone])


@lru_cache(maxsize=1)
def _names() -> Mapping[str, str]:
    return {code: entry["name"] for code, entry in _listed().items()}


@lru_cache(maxsize=1)
def _alphabets() -> Mapping[str, _Alphabet]:
    scripts: dict[str, _Alphabet] = {}
    for script in {entry["script"] for entry in _listed().values()}:
        words: dict[str, list[str]] = {}
        letters: dict[str, list[str]] = {}
        codes = [code for code, entry in _listed().items() if entry["script"] == script]
        for code in codes:
            for word in _listed()[code].get("words", "").split():
                words.setdefault(word, []).append(code)
            for letter in _listed()[code].get("letters", ""):
                letters.setdefault(letter, []).append(code)
        scripts[script] = _Alphabet(
            tuple(codes),
            {word: tuple(owners) for word, owners in words.items()},
            {letter: tuple(owners) for letter, owners in letters.items()},
        )
    return scripts
