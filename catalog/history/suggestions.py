"""Which style preset to take for a query: the one that served similar requests well, as far as the log can tell.

A preset's worth is a weighted mean of how its tracks did for similar requests, shrunk towards how close its own
description is, so that one lucky answer does not rule and a new catalog gives sensible answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..models import Value
from ..store.store import Store
from .requests import verdicts

__all__ = ["PresetSuggestion", "ServedTrack", "rank", "served_tracks"]


SIMILAR_REQUESTS = 200
FAR, CLOSE = 0.3, 0.8
"""Cosines of the contexts from which a request counts at all, and fully."""
HALF_LIFE_DAYS = 180.0
JUDGED, TRACK_RATED, UNJUDGED = 1.0, 0.5, 0.25
"""How much an answer counts that was rated or rejected itself, whose track was rated by itself, and of which nothing
was said; the last one up to four times when it was served again."""
SERVED_WELL = 0.6
"""What an answer of which nothing was said is worth, between 0 and 1."""
PRIOR_ANSWERS = 3.0
"""As much as this many judged answers counts the closeness of the description."""
PRIOR_BASE, PRIOR_SLOPE = 0.3, 0.6
ENOUGH = 1.0
"""From this weight of answers on a suggestion rests on the log."""


class PresetSuggestion(Value):
    """A style preset for a query, and what the suggestion rests on."""

    name: str
    description: str
    score: float
    """0 to 1; comparable within one call."""
    evidence: Literal["history", "description"]
    """Which of the two weighs: answers to similar requests, or the words of the preset's description."""
    requests: int = 0
    """Similar requests that got a track of this preset."""
    mean_rating: float | None = None
    """Over the answers among them that have a rating."""
    ratings: int = 0
    rejected: int = 0
    similarity: float
    """Cosine of the query and the description."""
    reason: str


@dataclass(frozen=True)
class ServedTrack:
    """What became of one track that was served for a similar request, however often."""

    style: str
    cosine: float
    age_days: float
    served: int = 1
    rating: int | None = None
    """Given to the answer, or else to the track."""
    answered: bool = False
    """The rating is about the answer."""
    rejected: bool = False


def rank(
    descriptions: Mapping[str, str], similarity: Mapping[str, float], found: Iterable[ServedTrack], limit: int
) -> list[PresetSuggestion]:
    """Return the presets of `descriptions` best first; ties go to the name first in the alphabet."""
    by_style: dict[str, list[ServedTrack]] = {name: [] for name in descriptions}
    for one in found:
        if one.style in by_style:
            by_style[one.style].append(one)
    told = [_suggestion(name, descriptions[name], similarity[name], by_style[name]) for name in descriptions]
    return sorted(told, key=lambda one: (-one.score, one.name))[:limit]


def served_tracks(
    store: Store, vector: NDArray[np.float32], now: datetime | None = None
) -> list[ServedTrack]:
    """Return what became of the requests nearest to `vector`, one outcome for each request key and track."""
    today = now or datetime.now(timezone.utc)
    cosines = {
        key: cosine for key, cosine in store.requests.keys_near(vector, SIMILAR_REQUESTS) if cosine > FAR
    }
    served = store.requests.served([*cosines])
    said = verdicts(store.judgements.of_keys([*cosines]))
    tracks = store.tracks.style_and_rating(sorted({line["track_id"] for line in served}))
    pairs: dict[tuple[str, str], list[datetime]] = {}
    for line in served:
        pairs.setdefault((line["key"], line["track_id"]), []).append(line["created_at"])
    found = []
    for (key, track_id), times in pairs.items():
        track, judged = tracks.get(track_id), said.get((key, track_id))
        if track is None:
            continue  # deleted for good since
        found.append(
            ServedTrack(
                style=track["style"],
                cosine=cosines[key],
                age_days=max((today - max(times)).total_seconds(), 0.0) / 86_400,
                served=len(times),
                rating=(judged.rating if judged else None) or track["rating"] or None,
                answered=judged is not None,
                rejected=judged is not None and judged.verdict == "rejected",
            )
        )
    return found


def _suggestion(
    name: str, description: str, similarity: float, found: Sequence[ServedTrack]
) -> PresetSuggestion:
    weights = [_weight(one) for one in found]
    prior = min(max(PRIOR_BASE + PRIOR_SLOPE * similarity, 0.0), 1.0)
    earned = sum(weight * _worth(one) for weight, one in zip(weights, found, strict=True))
    score = (PRIOR_ANSWERS * prior + earned) / (PRIOR_ANSWERS + sum(weights))
    ratings = [one.rating for one in found if one.rating is not None and not one.rejected]
    mean = sum(ratings) / len(ratings) if ratings else None
    requests, rejected = sum(one.served for one in found), sum(one.rejected for one in found)
    known = sum(weights) >= ENOUGH
    return PresetSuggestion(
        name=name,
        description=description,
        score=round(score, 4),
        evidence="history" if known else "description",
        requests=requests,
        mean_rating=None if mean is None else round(mean, 2),
        ratings=len(ratings),
        rejected=rejected,
        similarity=round(similarity, 4),
        reason=_reason(requests, mean, len(ratings), rejected, similarity, known),
    )


def _weight(one: ServedTrack) -> float:
    close = min(max((one.cosine - FAR) / (CLOSE - FAR), 0.0), 1.0)
    if one.rejected or one.answered:
        certain = JUDGED
    else:
        certain = TRACK_RATED if one.rating is not None else UNJUDGED * min(one.served, 4)
    return float(close * certain * 0.5 ** (one.age_days / HALF_LIFE_DAYS))


def _worth(one: ServedTrack) -> float:
    if one.rejected:
        return 0.0
    return SERVED_WELL if one.rating is None else (one.rating - 1) / 4


def _reason(
    requests: int, mean: float | None, ratings: int, rejected: int, similarity: float, known: bool
) -> str:
    parts = [f"{requests} similar request{'' if requests == 1 else 's'}"]
    parts += [f"mean rating {mean:.1f} of {ratings}"] if mean is not None else []
    parts += [f"{rejected} rejected"] if rejected else []
    if known:
        return ", ".join(parts)
    few = f" (too little in the log: {', '.join(parts)})" if requests else " (no similar request in the log)"
    return f"its description, similarity {similarity:.2f}{few}"
