"""Summarise a text in a short line of its own words.

The most central sentence by its words (extractive summarisation by centroid, Radev et al. 2004; early sentences have a
bonus) is trimmed to a clause that reads well inside a prompt.
"""

from __future__ import annotations

import html
import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from .sentences import slices, split_sentences

__all__ = ["STOPPED", "is_prose", "plain_text", "segments", "summarize"]


MAX_WORDS = 22
MAX_WIDE_CHARACTERS = 45
"""For scripts written without spaces."""

MAX_SEGMENTS = 10

_WIDE = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")

_MARKUP: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(r"^[^\S\n]*(```|~~~).*?^[^\S\n]*\1[^\n]*$", re.MULTILINE | re.DOTALL), "\n"),  # fenced code
    (re.compile(r"<(script|style)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE), " "),
    (re.compile(r"</?[a-zA-Z!][^<>]{0,500}>"), " "),
    (
        re.compile(r"!?\[([^\[\]\n]{0,300})\]\([^()\s]{0,500}(?:\s+\"[^\"\n]*\")?\)"),
        r"\1",
    ),  # links and images
    (re.compile(r"\[(?:\^?\d{1,3}|citation needed)\]"), ""),  # footnote marks
    (re.compile(r"(?:https?://|www\.)[^\s<>]+[^\s<>.,;:!?)\]]"), " "),
    (re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+"), " "),
    (re.compile(r"`([^`\n]{0,200})`"), r"\1"),
    (re.compile(r"^[^\S\n]*(?:#{1,6}|>+|[-*+•]|\d{1,3}[.)])[^\S\n]+", re.MULTILINE), ""),
    (re.compile(r"^[^\S\n]*[-=_*|:+ ]{3,}$", re.MULTILINE), ""),  # rules and table borders
    (re.compile(r"(\*\*|__|~~|\*|(?<!\w)_|_(?!\w))"), ""),
    (re.compile(r"[^\S\n]*\|[^\S\n]*"), " "),
)

_OPENERS = re.compile(
    r"^(?:and|but|so|or|however|moreover|furthermore|therefore|thus|also|additionally|in addition|then|well|"
    r"for example|for instance|in fact|of course|finally|meanwhile|nevertheless|as a result|in conclusion|"
    r"sure|yes|no|okay|here is|here are)\b[,:]?\s+",
    re.IGNORECASE,
)
_POINTING = re.compile(
    r"^(?:he|she|it|they|this|that|these|those|his|her|its|their|such|i|we|you|there)\b", re.IGNORECASE
)
_CLAUSE = re.compile(
    r"[;:—–]\s|\s[-—–]\s|,\s|\s(?=(?:which|who|because|although|while|when|where|but|and)\s)"
)
_DANGLING = re.compile(
    r"(?:[\s,;:—–-]+(?:a|an|the|of|in|on|at|to|and|or|but|with|for|from|by|as|that|which|who|is|was|were|are|be|"
    r"his|her|its|their|into|than|both|when|where|while|not|has|had|have))+$",
    re.IGNORECASE,
)
STOPPED = frozenset(
    re.findall(
        r"\w+",
        """the a an and or but of in on at to for with from by as is are was were be been being it its this that these
        those he she they them his her their i you we us my your our not no so if then than there here which who whom
        what when where why how will would can could may might do does did has have had into about over under""",
    )
)


_CODE = re.compile(
    r"[{}=\\|^`]|[-=]>|<\w|\w\(\w+[,)]|\w\(\)|\w\[|\w,\w\S*,\w|\w_\w|\w/\w\S*/|://|[a-z]::?[a-z]|^[$#]$|^--?[a-z]|&&"
    r"|\w{2,}\.\w{2,}\.\w{2,}|\w\.\w+\(|\.(?:py|js|ts|json|cpp|sh|md|txt|html)\b|\w(?:Error|Exception)\b"
    r"|^(?:SELECT|FROM|WHERE|GROUP|ORDER|BY|DESC|INSERT|INTO|UPDATE|DELETE|JOIN|VALUES|GET|POST|HTTP|ERROR|DEBUG)$|^HTTP/"
    r"|\):$|^[+*%]$|^\d+-\d+-\d+$|^\d+:\d+:\d+$"
)
"""What tokens of code, data and addresses have, and words do not."""
LONGEST_TOKEN = 80
"""How much of a token is looked at; the search takes time with the square of the length."""
MOST_CODE = 0.2
"""The share of such tokens from which a line is no prose; an identifier or two among words is."""
FEWEST_CELLS, MOST_NUMBERS = 6, 0.2
"""A line of as many tokens without a common word or a mark, and with that share of numbers, is from a table."""


def is_prose(line: str) -> bool:
    """Return whether a line reads as words: it is no code, data, address or row of a table."""
    return any(map(str.isalpha, line)) and not _is_code(line) and not _is_table(line)


def _is_code(line: str) -> bool:
    tokens = line.split()
    return sum(bool(_CODE.search(token[:LONGEST_TOKEN])) for token in tokens) > MOST_CODE * len(tokens)


def _is_table(line: str) -> bool:
    tokens = line.lower().split()
    numbers = sum(token.isdigit() for token in tokens)
    return (
        len(tokens) >= FEWEST_CELLS
        and numbers >= MOST_NUMBERS * len(tokens)
        and not any(token in STOPPED or not token.isalnum() for token in tokens)
    )


def plain_text(text: str) -> str:
    """Return `text` without code blocks, markup and addresses; the text itself where it has nothing else."""
    plain = html.unescape(text)
    for pattern, replacement in _MARKUP:
        plain = pattern.sub(replacement, plain)
    plain = re.sub(r"[^\S\n]+", " ", plain)
    return plain.strip() if any(map(str.isalnum, plain)) else re.sub(r"[`~]{3,}", " ", text).strip() or text


def segments(plain: str) -> list[str]:
    """Return at most 10 pieces, sentences or parts of long ones or runs of short ones, spread evenly over the text."""
    pieces: list[str] = []
    for sentence in (part for whole in split_sentences(plain) for part in slices(whole, _width(whole))):
        if pieces and len(pieces[-1]) + len(sentence) < 60:
            pieces[-1] += " " + sentence
        else:
            pieces.append(sentence)
    if len(pieces) > MAX_SEGMENTS:
        picked = np.linspace(0, len(pieces) - 1, MAX_SEGMENTS).round().astype(int)
        pieces = [pieces[i] for i in picked]
    return pieces or [plain]


def _width(sentence: str) -> int:
    """Return how many characters of `sentence` a piece may have."""
    return 240 if len(_WIDE.findall(sentence)) > 0.3 * len(sentence) else 800


def summarize(pieces: Sequence[str]) -> str:
    """Return one line of at most 22 words (45 characters for scripts without spaces), without its full stop.

    `pieces` are the sentences in order.
    """
    pieces = _prose_alone(pieces)
    whole = " ".join(pieces)
    if _length(whole) <= 1:
        return _tidy(re.sub(r"(?<=\w)[.!?…]+\s+(?=\w)", "; ", whole)) or whole[:80]
    central = _centrality(pieces)
    scores = [central[i] + 0.15 / (1 + i) + _form(piece) for i, piece in enumerate(pieces)]
    best = pieces[scores.index(max(scores))]
    sentences = split_sentences(best)
    if _length(best) > 1 and len(sentences) > 1:
        best = max(sentences, key=lambda sentence: (_form(sentence), min(_length(sentence), 1.0)))
    return _tidy(_trim(best)) or _tidy(whole[:80]) or whole[:80]


def _prose_alone(pieces: Sequence[str]) -> Sequence[str]:
    """Leave out code and data beside prose; where all is code, everything stays."""
    kept = [
        " ".join(prose)
        for piece in pieces
        if (prose := [one for one in split_sentences(piece) if not _is_code(one) and not _is_table(one)])
    ]
    return pieces if len(kept) == len(pieces) or not any(map(is_prose, kept)) else kept


def _length(text: str) -> float:
    """Return the length as a share of the longest summary."""
    wide = len(_WIDE.findall(text))
    narrow = _WIDE.sub(" ", text)
    words = max(len(narrow.split()), len(narrow) / 12)  # one word of 40,000 letters is not short
    return wide / MAX_WIDE_CHARACTERS + words / MAX_WORDS


def _centrality(pieces: Sequence[str]) -> list[float]:
    """Return for each piece the cosine of its words to those of all, a word counted once for each piece that has it."""
    bags = [Counter(word for word in _words(piece) if word not in STOPPED) for piece in pieces]
    centroid = Counter(word for bag in bags for word in bag)
    return [
        sum(centroid[word] * count for word, count in bag.items()) / _norm(bag) / _norm(centroid)
        for bag in bags
    ]


def _norm(bag: Counter[str]) -> float:
    return math.sqrt(sum(count**2 for count in bag.values())) or 1.0


def _words(text: str) -> list[str]:
    """Return words, and for scripts without spaces every pair of neighbouring characters."""
    wide = "".join(_WIDE.findall(text))
    pairs = [wide[i : i + 2] for i in range(len(wide) - 1)]
    return re.findall(r"[^\W\d_]+", _WIDE.sub(" ", text).lower()) + pairs


def _form(sentence: str) -> float:
    """Return a penalty, at most 0, for a poor summary: a fragment, great length, a question, a pronoun in front."""
    length = _length(sentence)
    penalty = 0.25 * (length < 0.2) + 0.08 * max(0.0, min(length - 1, 2))
    penalty += 0.12 * bool(_POINTING.match(_OPENERS.sub("", sentence)))
    penalty += 0.10 * sentence.rstrip("\"'”’)").endswith(("?", "？", ":", "："))
    letters = sum(map(str.isalpha, sentence))
    penalty += 0.3 * (letters < 0.6 * len(sentence.replace(" ", "")))
    return -penalty


def _trim(sentence: str) -> str:
    """Return a long sentence cut at the last clause that fits, else at the last word."""
    sentence = re.sub(r"\s*[(\[][^()\[\]]*[)\]]", "", sentence)
    sentence = _OPENERS.sub("", sentence.strip())
    if _length(sentence) <= 1:
        return sentence
    if len(_WIDE.findall(sentence)) > 0.3 * len(sentence):
        return _trim_wide(sentence)
    cuts = [m.start() for m in _CLAUSE.finditer(sentence)]
    fitting = [cut for cut in cuts if 7 <= len(sentence[:cut].split()) <= MAX_WORDS]
    if fitting:
        return sentence[: fitting[-1]]
    return " ".join(word[:60] for word in sentence.split()[:MAX_WORDS])


def _trim_wide(sentence: str) -> str:
    head = sentence[:MAX_WIDE_CHARACTERS]
    cut = max(head.rfind(mark) for mark in "、，,；;：: ")
    return head[:cut] if cut >= 10 else head


def _tidy(text: str) -> str:
    """Return one line without dangling words, unpaired quotes or a final stop."""
    text = " ".join(text.split())
    text = _DANGLING.sub("", text) if len(text.split()) > 4 else text
    text = text.strip(" .,;:…。，、；：—–-")
    for left, right in ('""', "“”", "()", "[]", "「」", "«»"):
        if text.count(left) + (text.count(right) if left != right else 0) and (
            text.count(left) % 2 if left == right else text.count(left) != text.count(right)
        ):
            text = text.replace(left, "").replace(right, "")
    text = text.strip(" .,;:…。，、；：—–-")
    return text[:1].upper() + text[1:] if re.match(r"[^\W\d_]?[a-zà-ÿ]+[\s,]", text) else text
