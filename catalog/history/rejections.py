"""The tracks that people rejected for a request, and for requests near it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..models import Judgement
from ..store.store import Store
from ..text.mood import Feeling, mood_distance

__all__ = ["NEAR", "Rejections", "newest_verdicts"]


NEAR = 0.75
"""Two requests are near each other from this cosine of their contexts on ..."""
NEAR_MOOD = 0.3
"""... when their moods lie no farther apart than this: music that is wrong for a calm scene may suit a tense one."""
MOST_NEAR = 1000


class Rejections:
    """The rejections that hold for one request. Each part is read from the store once, when it is first needed."""

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key
        self._near: Sequence[Judgement] | None = None

    @cached_property
    def own(self) -> frozenset[str]:
        """The ids of the tracks that were rejected for this very request; found without its vector."""
        return _rejected(self._judgements)

    def near(self, vector: NDArray[np.float32], mood: Feeling | None = None) -> frozenset[str]:
        """Return the ids of the tracks rejected for this request or for one near it.

        `vector` is that of the request's context; judgements near it are read with the first vector. With `mood`, that
        of the request, only requests in a near mood count; a judgement without a mood counts in any. One near request
        that rejects a track is enough.
        """
        if self._near is None:
            self._near = self._store.judgements.near(vector, NEAR, MOST_NEAR)
        near = (
            judgement
            for judgement in self._near
            if mood is None or judgement.mood is None or mood_distance(judgement.mood, mood) <= NEAR_MOOD
        )
        return _rejected([*self._judgements, *near])

    @cached_property
    def _judgements(self) -> Sequence[Judgement]:
        return self._store.judgements.list(key=self._key, cautious=True)


def newest_verdicts(judgements: Iterable[Judgement]) -> Iterable[Judgement]:
    """Return the last verdict, rejected or allowed, on each track for each request."""
    verdicts = (judgement for judgement in judgements if judgement.verdict != "rated")
    in_time = sorted(verdicts, key=lambda judgement: judgement.created_at)
    return {(judgement.key, judgement.track_id): judgement for judgement in in_time}.values()


def _rejected(judgements: Iterable[Judgement]) -> frozenset[str]:
    newest = newest_verdicts(judgements)
    return frozenset(judgement.track_id for judgement in newest if judgement.verdict == "rejected")
