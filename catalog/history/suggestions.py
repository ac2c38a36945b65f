"""Suggest a style preset for a query: the one whose tracks served similar requests well.

The score of a preset is a weighted mean of how its tracks did for similar requests, shrunk towards how near its own
description is. So one lucky track does not decide, and a new catalog gives sensible suggestions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..models import Value
from ..store.store import Store
from .requests import verdicts

__all__ = ["PresetSuggestion", "ServedTrack", "rank", "served_tracks", "suggest"]


SIMILAR_REQUESTS = 200
FAR, CLOSE = 0.3, 0.8
"""Cosines of the contexts: up to the first a request does not count, from the second on it counts fully."""
HALF_LIFE_DAYS = 180.0
JUDGED, TRACK_RATED, UNJUDGED = 1.0, 0.5, 0.25
"""How much a served track counts: judged as the answer to the request, rated by itself, and not judged at all. The last
counts up to four times, as often as it was served."""
SERVED_WELL = 0.6
"""The worth of a served track that nobody judged, between 0 and 1."""
PRIOR_ANSWERS = 3.0
"""The nearness of the description counts as much as this many judged tracks."""
PRIOR_BASE, PRIOR_SLOPE = 0.3, 0.6
ENOUGH = 1.0
"""From this total weight of served tracks on a suggestion rests on the log."""


class PresetSuggestion(Value):
    """A style preset for a query, and the evidence for it."""

    name: str
    description: str
    score: float
    """0 to 1; comparable within one call."""
    evidence: Literal["history", "description"]
    """What decided: tracks served for similar requests, or the description of the preset."""
    requests: int = 0
    """Similar requests that got a track of this preset."""
    mean_rating: float | None = None
    """Over those of the served tracks that have a rating."""
    ratings: int = 0
    rejected: int = 0
    similarity: float
    """Cosine of the query and the description."""
    reason: str


@dataclass(frozen=True)
class ServedTrack:
    """One track that was served for a similar request, once or more often, and how it was judged."""

    style: str
    cosine: float
    age_days: float
    served: int = 1
    rating: int | None = None
    """As the answer to the request, else of the track by itself."""
    judged: bool = False
    """It was judged as the answer to the request."""
    rejected: bool = False


class StylePreset(Protocol):
    """What a suggestion reads of a style preset."""

    @property
    def description(self) -> str: ...
    @property
    def environment(self) -> str | None: ...


def suggest(
    store: Store,
    vector: NDArray[np.float32],
    styles: Mapping[str, StylePreset],
    similarity: Mapping[str, float],
    environment: str | None,
    limit: int,
) -> list[PresetSuggestion]:
    """Return the presets for a query, best first.

    `vector` and `environment` are the query's, `similarity` is its cosine with the description of each style. A preset
    of another environment is offered only where it served a similar request.
    """
    served = served_tracks(store, vector)
    proven = {track.style for track in served}
    offered = {
        name: style.description
        for name, style in styles.items()
        if style.environment in (None, environment) or name in proven
    }
    return rank(offered, similarity, served, limit)


def rank(
    descriptions: Mapping[str, str],
    similarity: Mapping[str, float],
    served: Iterable[ServedTrack],
    limit: int,
) -> list[PresetSuggestion]:
    """Return the presets of `descriptions` best first; ties go to the name first in the alphabet."""
    by_style: dict[str, list[ServedTrack]] = {name: [] for name in descriptions}
    for track in served:
        if track.style in by_style:
            by_style[track.style].append(track)
    ranked = [
        _suggestion(name, descriptions[name], similarity[name], by_style[name]) for name in descriptions
    ]
    return sorted(ranked, key=lambda one: (-one.score, one.name))[:limit]


def served_tracks(
    store: Store, vector: NDArray[np.float32], now: datetime | None = None
) -> list[ServedTrack]:
    """Return the tracks served for the requests nearest to `vector`, one value for each request key and track."""
    today = now or datetime.now(timezone.utc)
    cosines = {
        key: cosine for key, cosine in store.requests.keys_near(vector, SIMILAR_REQUESTS) if cosine > FAR
    }
    lines = store.requests.served([*cosines])
    judgements = verdicts(store.judgements.of_keys([*cosines]))
    tracks = store.tracks.style_and_rating(sorted({line["track_id"] for line in lines}))
    pairs: dict[tuple[str, str], list[datetime]] = {}
    for line in lines:
        pairs.setdefault((line["key"], line["track_id"]), []).append(line["created_at"])
    served = []
    for (key, track_id), times in pairs.items():
        track, judgement = tracks.get(track_id), judgements.get((key, track_id))
        if track is None:
            continue  # deleted for good since
        served.append(
            ServedTrack(
                style=track["style"],
                cosine=cosines[key],
                age_days=max((today - max(times)).total_seconds(), 0.0) / 86_400,
                served=len(times),
                rating=(judgement.rating if judgement else None) or track["rating"] or None,
                judged=judgement is not None,
                rejected=judgement is not None and judgement.verdict == "rejected",
            )
        )
    return served


def _suggestion(
    name: str, description: str, similarity: float, served: Sequence[ServedTrack]
) -> PresetSuggestion:
    weights = [_weight(one) for one in served]
    prior = min(max(PRIOR_BASE + PRIOR_SLOPE * similarity, 0.0), 1.0)
    earned = sum(weight * _worth(one) for weight, one in zip(weights, served, strict=True))
    score = (PRIOR_ANSWERS * prior + earned) / (PRIOR_ANSWERS + sum(weights))
    ratings = [one.rating for one in served if one.rating is not None and not one.rejected]
    mean = sum(ratings) / len(ratings) if ratings else None
    requests, rejected = sum(one.served for one in served), sum(one.rejected for one in served)
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
    if one.rejected or one.judged:
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
