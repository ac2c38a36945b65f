"""What the catalog did so far: requests, hits, what they saved, and how often a reuse was wrong."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ..models import Judgement, Value
from ..store.requests import LOOKING
from ..store.store import Store
from .requests import verdicts

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FalseReuse", "Share", "Statistics", "false_reuse", "statistics", "upper_bound"]


CONFIDENCE = 0.95
WORST_GOOD_RATING = 3
"""An answer rated below this was a wrong one."""


class Share(Value):
    """Requests of one style or role, and how they were served."""

    requests: int = 0
    reused: int = 0
    made: int = 0


class FalseReuse(Value):
    """How often a track made for one request was wrong for another that reused it, as far as people said."""

    judged: int = 0
    """Reuses that were rated or rejected as answers, each request key and track counted once."""
    wrong: int = 0
    """Those rejected, or rated 1 or 2."""
    rate: float | None = None
    """wrong / judged; None when nothing was judged."""
    upper_bound: float | None = None
    """One-sided 95 % bound (Clopper and Pearson 1934) for judgements drawn at random, which those given on occasion
    are not."""


class Statistics(Value):
    """The catalog in figures. Requests are calls that ask for a track; looking (`find`, dry runs) counts apart."""

    requests: int = 0
    exact: int = 0
    """Served by the track of an earlier, identical request."""
    reused: int = 0
    """Served by a track that was there; exact repeats are among them."""
    made: int = 0
    variants: int = 0
    """Made because the listener had heard all that fit; among `made`."""
    failed: int = 0
    looked: int = 0
    hit_rate: float | None = None
    """reused / (reused + made); None before the first."""
    false_reuse: FalseReuse = FalseReuse()
    spent_s: float = 0.0
    """Seconds of generation behind the tracks that are there."""
    saved_s: float = 0.0
    """Seconds of generation that reused tracks had cost, once for every reuse."""
    tracks: int = 0
    trashed: int = 0
    rated: int = 0
    mean_rating: float | None = None
    audio_bytes: int = 0
    disk_bytes: int = 0
    by_style: dict[str, Share] = Field(default_factory=dict)
    by_role: dict[str, Share] = Field(default_factory=dict)


def statistics(store: Store) -> Statistics:
    """Return the catalog in figures. Reads columns of the log and of the tracks, no whole lines."""
    log = store.requests.columns(("command", "action", "rule", "style", "role"))
    tracks = store.tracks.columns(("id", "key", "generation_s", "rating"))
    counts = _counted(log)
    asked = [row for row in counts if row["command"] not in LOOKING]
    reused, made = _sum(asked, action="reused"), _sum(asked, action="generated")
    held = store.care.stats()
    ratings = [int(one) for one in tracks["rating"].to_pylist() if one] if tracks.num_rows else []
    return Statistics(
        requests=_sum(asked),
        exact=_sum(asked, action="reused", rule="exact"),
        reused=reused,
        made=made,
        variants=_sum(asked, action="generated", rule="variant"),
        failed=_sum(asked, rule="failed"),
        looked=_sum(counts) - _sum(asked),
        hit_rate=round(reused / (reused + made), 4) if reused + made else None,
        false_reuse=false_reuse(store.judgements.list(), _decided(store, tracks)),
        spent_s=round(sum(tracks["generation_s"].to_pylist()), 3) if tracks.num_rows else 0.0,
        saved_s=_saved_s(store, tracks),
        tracks=held["rows"] - held["trashed"],
        trashed=held["trashed"],
        rated=len(ratings),
        mean_rating=round(sum(ratings) / len(ratings), 2) if ratings else None,
        audio_bytes=held["audio_bytes"],
        disk_bytes=held["audio_bytes"] + held["table_bytes"],
        by_style=_shares(asked, "style"),
        by_role=_shares(asked, "role"),
    )


def false_reuse(said: Iterable[Judgement], served: Collection[tuple[str, str]]) -> FalseReuse:
    """Return how often a reuse was wrong, of those judged among `served`: request key and track of each.

    What was said of a track in answer to a request that it never served is passed over.
    """
    answers = verdicts([one for one in said if one.key])
    reuses = [one for pair, one in answers.items() if pair in served]
    wrong = sum(
        one.verdict == "rejected" or (one.rating is not None and one.rating < WORST_GOOD_RATING)
        for one in reuses
    )
    judged = len(reuses)
    if not judged:
        return FalseReuse()
    return FalseReuse(
        judged=judged,
        wrong=wrong,
        rate=round(wrong / judged, 4),
        upper_bound=round(upper_bound(wrong, judged), 4),
    )


def upper_bound(wrong: int, judged: int, confidence: float = CONFIDENCE) -> float:
    """Return the one-sided upper bound of Clopper and Pearson for a rate, of `wrong` among `judged` drawn at random.

    It is the rate at which so few would be seen with a chance of 1 - confidence only.
    """
    if wrong >= judged:
        return 1.0
    low, high = wrong / judged, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(wrong, judged, middle) > 1 - confidence else (low, middle)
    return high


def _at_most(wrong: int, judged: int, rate: float) -> float:
    """Return the chance of at most `wrong` in `judged` independent cases of `rate`, 0 < rate < 1."""
    if rate <= 0.0:
        return 1.0
    if rate >= 1.0:
        return 0.0
    whole, on, off = math.lgamma(judged + 1), math.log(rate), math.log1p(-rate)
    terms = (
        whole - math.lgamma(k + 1) - math.lgamma(judged - k + 1) + k * on + (judged - k) * off
        for k in range(wrong + 1)
    )
    return min(sum(map(math.exp, terms)), 1.0)


def _counted(log: pa.Table) -> list[dict[str, Any]]:
    if not log.num_rows:
        return []
    rows: list[dict[str, Any]] = log.group_by(log.column_names).aggregate([([], "count_all")]).to_pylist()
    return rows


def _sum(counts: Iterable[Mapping[str, Any]], **facts: str) -> int:
    return sum(row["count_all"] for row in counts if all(row[name] == fact for name, fact in facts.items()))


def _shares(asked: Iterable[Mapping[str, Any]], column: str) -> dict[str, Share]:
    rows = [row for row in asked if row[column]]
    names = sorted({row[column] for row in rows})
    return {
        name: Share(
            requests=_sum(rows, **{column: name}),
            reused=_sum(rows, **{column: name, "action": "reused"}),
            made=_sum(rows, **{column: name, "action": "generated"}),
        )
        for name in names
    }


def _decided(store: Store, tracks: pa.Table) -> set[tuple[str, str]]:
    """Return request key and track of what a decision reused: made for another request, and not by `--reuse always`."""
    lines = _counted(store.requests.columns(("key", "track_id", "rule"), reused=True))
    made_for = dict(zip(*(tracks[name].to_pylist() for name in ("id", "key")), strict=True))
    return {
        (row["key"], row["track_id"])
        for row in lines
        # What a track was made for that is deleted for good nobody knows, but a close match was another request's.
        if row["rule"] == "similar"
        or (row["rule"] != "always" and made_for.get(row["track_id"], row["key"]) != row["key"])
    }


def _saved_s(store: Store, tracks: pa.Table) -> float:
    """Return what the reused tracks had cost, once for every reuse; those deleted for good count as nothing."""
    reuses = store.requests.columns(("track_id",), reused=True)
    if not (reuses.num_rows and tracks.num_rows):
        return 0.0
    cost = dict(zip(tracks["id"].to_pylist(), tracks["generation_s"].to_pylist(), strict=True))
    counts = reuses.group_by(["track_id"]).aggregate([([], "count_all")]).to_pylist()
    return round(float(sum(row["count_all"] * cost.get(row["track_id"], 0.0) for row in counts)), 3)
