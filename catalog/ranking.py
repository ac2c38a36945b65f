"""How the scores of two searches become one."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["MEANING_WEIGHT", "blend"]

MEANING_WEIGHT = 0.6
"""Best or level with the best on both sets of tests/benchmarks/words_and_meaning.py, one of which flatters words and
the other meaning; fusing ranks loses a fifth of the first places of the former."""


def blend(cosines: Mapping[str, float], words: Mapping[str, float], weight: float) -> dict[str, float]:
    """Return `weight * cosine + (1 - weight) * words / best words` for every id in either mapping.

    An id the words did not find counts 0 there; `cosines` should cover every id. Scores are mixed, not ranks:
    ranks do not tell how much better the best is than the next.
    """
    best = max(words.values(), default=0.0)
    ids = dict.fromkeys((*cosines, *words))
    return {
        each: weight * cosines.get(each, 0.0)
        + (1.0 - weight) * (words.get(each, 0.0) / best if best > 0 else 0.0)
        for each in ids
    }
