"""Guess the language of a text from its script, then from its commonest words."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["guess", "recognize"]


_SCRIPTS: Mapping[str, str] = {
    "ko": r"[가-힣ᄀ-ᇿ]",
    "ja": r"[\u3040-\u30ff]",
    "zh": r"[\u3400-\u4dbf\u4e00-\u9fff]",
    "ru": r"[\u0400-\u04ff]",
    "el": r"[\u0370-\u03ff]",
    "ar": r"[\u0600-\u06ff]",
    "he": r"[\u0590-\u05ff]",
    "hi": r"[\u0900-\u097f]",
    "bn": r"[\u0980-\u09ff]",
    "ta": r"[\u0b80-\u0bff]",
    "th": r"[\u0e00-\u0e7f]",
    "ka": r"[\u10a0-\u10ff]",
    "hy": r"[\u0530-\u058f]",
}
_LETTERS_OF_SCRIPT: Mapping[str, tuple[str, str]] = {"ru": ("uk", r"[іїєґ]"), "ar": ("fa", r"[پچژگ]")}
"""Language -> another one of the same script, and letters that only the other one has."""

_WORDS: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the and of to is in that it was for with as on are this be at by from have you not but they i we he she",
        "de": "der die das und ist nicht ein eine ich zu mit den von im dem auf für sich war auch wie es sie wir aber",
        "fr": "le la les et est un une des du dans que qui pour pas je il elle nous sur avec ce cette au sont mais",
        "es": "el la los las y es un una de que en por para con no se su lo como pero más muy está son yo",
        "it": "il lo la gli e è un una di che in per con non si del della sono come ma più anche questo nel",
        "pt": "o a os as e é um uma de que em por para com não se do da no na mas mais como são eu",
        "nl": "de het een en is niet van ik dat op te met voor zijn maar ook er aan bij wij deze werd",
        "sv": "och det att är en ett inte jag som på för med av den till var men han hon vi",
        "da": "og det at er en et ikke jeg som på for med af den til var men han hun vi",
        "pl": "i w nie na się z jest to że do jak po co ale za od przez był tylko jego",
        "tr": "ve bir bu da için çok ile ne ama gibi daha olan var değil ben sen o kadar",
        "cs": "a je se na v že to s z do i o jako ale by za tak jsem není",
        "fi": "ja on ei se että hän oli ovat mutta kun niin myös tämä joka ole kuin",
        "id": "dan yang di itu dengan ini untuk dari tidak adalah pada akan ke juga saya ada",
        "vi": "và là của có không một những được trong cho với người này đã các",
        "ro": "și este în la cu nu o un pe că din mai pentru sunt care ce",
        "hu": "a az és hogy nem is egy van ez de volt meg csak mint vagy",
    }.items()
}
_SAMPLE_CHARACTERS = 20_000


def guess(text: str) -> str:
    """Return an ISO 639-1 code, or "und" for a text that is too short or too mixed."""
    return recognize(text)[0]


def recognize(text: str) -> tuple[str, float]:
    """Return the code, and the lead of its words over those of the second language: 0 for "und", else 0.5 to 1."""
    text = text[:_SAMPLE_CHARACTERS].lower()
    letters = sum(map(str.isalpha, text))
    counts = {language: len(re.findall(script, text)) for language, script in _SCRIPTS.items()}
    if counts["ja"] > 0.05 * (counts["ja"] + counts["zh"]):
        counts["ja"], counts["zh"] = counts["ja"] + counts["zh"], 0
    language = max(counts, key=lambda one: counts[one])
    if letters and counts[language] > 0.3 * letters:
        other, pattern = _LETTERS_OF_SCRIPT.get(language, ("", "$^"))
        return other if re.search(pattern, text) else language, 1.0
    return _by_words(text)


def _by_words(text: str) -> tuple[str, float]:
    tokens = re.findall(r"[^\W\d_]+", text)
    shares = {language: sum(token in words for token in tokens) for language, words in _WORDS.items()}
    best, second = sorted(shares, key=lambda one: -shares[one])[:2]
    if shares[best] < max(1, 0.08 * len(tokens)) or shares[best] == shares[second]:
        return "und", 0.0
    return best, shares[best] / (shares[best] + shares[second])
