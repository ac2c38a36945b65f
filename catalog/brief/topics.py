"""Words that call for a style when a text holds them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

__all__ = ["fold", "topics_in"]

READ_CHARACTERS = 20_000
"""Topic words are looked for in this much of the text."""
MOST_TOPICS = 3


def fold(text: str) -> str:
    """Return lower-case words between single spaces, plural endings folded, so that phrases match whole words."""
    words = re.findall(r"\w+", text[:READ_CHARACTERS].lower())
    return (
        " " + " ".join(w[:-1] if len(w) > 3 and w.endswith("s") and w[-2] != "s" else w for w in words) + " "
    )


def topics_in(folded: str, topics: Iterable[str]) -> list[str]:
    """Return the first topics, at most three, that the folded text speaks of."""
    return [topic for topic in topics if _folded_topic(topic) in folded][:MOST_TOPICS]


@lru_cache(maxsize=10_000)
def _folded_topic(topic: str) -> str:
    return fold(topic)
