"""The search for a request, and what it found."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...history.rejections import Rejections
from ...models import Filter, Request, Track
from ...reuse.facts import alone, hard_facts
from ...reuse.terms import Terms
from ...store.store import Store
from ..music_vectors import MusicVectors

__all__ = ["CANDIDATES", "Search", "rejected_by", "search"]


CANDIDATES = 20
"""How many tracks that meet the hard facts are weighed. A search for fifty took about one and a half times as long."""


@dataclass(frozen=True)
class Search:
    """The nearest tracks for a request."""

    facts: Filter
    """The hard facts that every hit meets."""
    hits: list[tuple[Track, float]]
    """Tracks with the cosine of the contexts, without those that people rejected."""
    rejected: int
    """How many near tracks were left out because people rejected them."""
    considered: int
    """Ready tracks in the store before the hard facts were applied."""


def search(
    store: Store,
    music: MusicVectors,
    request: Request,
    vector: NDArray[np.float32],
    rejections: Rejections,
    terms: Terms,
    theme_track: str | None,
) -> Search:
    """Find tracks that meet the hard facts and were not rejected: those of the nearest texts, those whose music
    serves best, and that of the theme.
    """
    facts = hard_facts(request)
    rejected = rejections.near(vector, request.features)
    considered = store.tracks.count_ready()
    hits = _near(store, music, request, vector, facts, CANDIDATES + len(rejected), terms, considered)
    if theme_track and theme_track not in {track.id for track, _ in hits}:
        hits += store.tracks.search(vector, facts, 1, among=[theme_track])
    allowed = [(track, cosine) for track, cosine in hits if track.id not in rejected]
    return Search(facts, allowed, len(hits) - len(allowed), considered)


def rejected_by(store: Store, found: Search) -> dict[str, int]:
    """Return how many ready tracks each hard fact alone rejects, and how many near ones people rejected."""
    counts = {name: found.considered - store.tracks.count(fact) for name, fact in alone(found.facts).items()}
    return {**counts, "feedback": found.rejected} if found.rejected else counts


def _near(
    store: Store,
    music: MusicVectors,
    request: Request,
    vector: NDArray[np.float32],
    facts: Filter,
    wanted: int,
    terms: Terms,
    considered: int,
) -> list[tuple[Track, float]]:
    """Return the `wanted` tracks of the nearest texts, and after them those whose music serves best."""
    brief = music.of_request(request) if terms.music_threshold is not None else None
    if brief is None or considered < wanted:
        return store.tracks.search(vector, facts, wanted)
    music.fill_once()
    with ThreadPoolExecutor(max_workers=1) as beside:
        by_music = beside.submit(store.tracks.search_brief, brief, vector, facts, wanted)
        hits = store.tracks.search(vector, facts, wanted)
    near = {track.id for track, _ in hits}
    return hits + [(track, cosine) for track, cosine in by_music.result() if track.id not in near]
