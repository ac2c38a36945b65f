"""What may have been meant by a word of a query that no track has: `mood:clam` is no mood, `calm` is.

Tracks may have moods of the caller's own, and styles that the configuration no longer has. So such words are not
refused; the hint is for a search that found nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping

from ..models import Filter
from ..presets.vocabulary import MOODS
from .fields import BACKENDS
from .query import Query

__all__ = ["hints", "meant"]

CLOSE = 0.6
"""Words less alike than this are not taken for a slip (`difflib`)."""
WORD_CLOSE = 0.7
"""The same for a free word, which may be anything."""
LONGER = 2
"""Words of tracks that differ more in length were not meant, nor were those with another first letter."""


def hints(where: Filter, known: Mapping[str, Collection[str]]) -> list[str]:
    """Return a sentence for each word of `where` that is none of the known ones, with the nearest of those.

    `known` holds the valid values of "style", "role" and "by".
    """
    backends = (*BACKENDS, *known.get("by", ()))
    valid = {"mood": MOODS.keys(), **known, "by": backends, "made-by": backends}
    asked = dict.fromkeys(_words(where))
    return [
        _hint(field, word, valid[field])
        for field, word in asked
        if field in valid and word not in valid[field]
    ]


def meant(
    query: Query,
    known: Mapping[str, Collection[str]],
    missing: Collection[str],
    said: Collection[str] = (),
) -> dict[str, str]:
    """Return what may have been meant by terms of `query`, each as it would be typed: {"mood:clam": "mood:calm"}.

    `known` holds the values that there are of "mood" and other fields, `missing` the free words that no track has,
    `said` those that titles and summaries of tracks have.
    """
    found: dict[str, str] = {}
    for field, word in _words(query.where):
        if field in known and word not in known[field] and (near := _near(word, known[field], CLOSE)):
            found[f"{field}:{word}"] = f"{field}:{near[0]}"
    words = {part for values in known.values() for value in values for part in value.split("_")}
    for word in missing:
        alike = (one for one in said if one[:1] == word[:1] and abs(len(one) - len(word)) <= LONGER)
        if near := _near(word, {*words, *alike}, WORD_CLOSE):
            found[word] = near[0]
    return found


def _near(word: str, valid: Collection[str], cutoff: float) -> list[str]:
    return difflib.get_close_matches(word.lower(), sorted(valid), n=2, cutoff=cutoff)


def _words(where: Filter) -> Iterator[tuple[str, str]]:
    """Yield field and word of each fact that is a word and that a track must have."""
    yield from (("mood", tag) for tag in where.mood)
    yield from (
        (field, word)
        for field, word in (("style", where.style), ("role", where.role), ("made-by", where.backend))
        if word
    )
    for condition in where.conditions:
        if not condition.negated:
            yield from ((condition.field, word.lower()) for word in condition.any_of if isinstance(word, str))


def _hint(field: str, word: str, valid: Collection[str]) -> str:
    near = _near(word, valid, CLOSE)
    is_none = "no backend" if field in ("by", "made-by") else f"no {field}"
    meant = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(valid))}"
    return f"{word!r} is {is_none}; {meant}"
