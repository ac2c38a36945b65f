"""The figures of a catalog: requests, reuses, what they saved, and how often a reuse was wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ..models import Judgement, Value
from ..reuse.terms import BY_HAND
from ..store.requests import LOOKING, STOCKING, UNHEARD
from ..store.store import Store
from .checks import COLUMNS, CheckShare, checks_by_generator
from .over_time import By, OverTime, over_time
from .requests import verdicts

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FalseReuse", "Share", "Statistics", "false_reuse", "statistics", "upper_bound"]


CONFIDENCE = 0.95
WORST_GOOD_RATING = 3
"""A reuse rated below this was wrong."""


class Share(Value):
    """Requests of one style or role, and how they were served."""

    requests: int = 0
    reused: int = 0
    made: int = 0


class FalseReuse(Value):
    """How often a track made for one request was wrong for another that reused it, among the reuses people judged."""

    judged: int = 0
    """Reuses that were rated or rejected as answers; a request key and track count once."""
    wrong: int = 0
    """Those rejected, or rated 1 or 2."""
    rate: float | None = None
    """wrong / judged; None when nothing was judged."""
    upper_bound: float | None = None
    """One-sided 95 % bound (Clopper and Pearson 1934). It holds for reuses judged at random, and people do not choose
    what they judge at random."""


class Statistics(Value):
    """The figures of a catalog. Requests hand out a track; look-ups (`find`, dry runs) and stock are counted apart."""

    requests: int = 0
    exact: int = 0
    """Served by the track of an earlier, identical request."""
    reused: int = 0
    """Served by a track that existed before; exact repeats are among them."""
    made: int = 0
    variants: int = 0
    """Made because the listener had heard all tracks that fit; among `made`."""
    failed: int = 0
    looked: int = 0
    stocked: int = 0
    """Tracks that `stock` made ahead of requests."""
    hit_rate: float | None = None
    """reused / (reused + made); None before the first request."""
    false_reuse: FalseReuse = FalseReuse()
    spent_s: float = 0.0
    """Seconds it took to generate the tracks in the table."""
    saved_s: float = 0.0
    """Seconds it took to generate the reused tracks, counted once for every reuse."""
    tracks: int = 0
    trashed: int = 0
    rated: int = 0
    mean_rating: float | None = None
    audio_bytes: int = 0
    disk_bytes: int = 0
    by_style: dict[str, Share] = Field(default_factory=dict)
    by_role: dict[str, Share] = Field(default_factory=dict)
    checks: dict[str, CheckShare] = Field(default_factory=dict)
    """What failed the check after making, by generator."""
    over_time: OverTime = OverTime()


def statistics(store: Store, by: By | None = None) -> Statistics:
    """Return the figures of a catalog, from columns of the log and of the tracks, not from whole rows.

    `by` is how long the periods of `over_time` are; without it their length follows from that of the log.
    """
    log = store.requests.columns(("command", "action", "rule", "style", "role", "key", "track_id"))
    tracks = store.tracks.columns(("id", "key", "generation_s", "rating", *COLUMNS))
    counts = _counted(log, ("command", "action", "rule", "style", "role"))
    reuses = [
        row for row in _counted(log, ("command", "action", "rule", "key", "track_id")) if _is_reuse(row)
    ]
    requests = [row for row in counts if row["command"] not in UNHEARD]
    reused, made = _sum(requests, action="reused"), _sum(requests, action="generated")
    generation_s = dict(zip(tracks["id"].to_pylist(), tracks["generation_s"].to_pylist(), strict=True))
    held = store.care.stats()
    ratings = [int(one) for one in tracks["rating"].to_pylist() if one] if tracks.num_rows else []
    return Statistics(
        requests=_sum(requests),
        exact=_sum(requests, action="reused", rule="exact"),
        reused=reused,
        made=made,
        variants=_sum(requests, action="generated", rule="variant"),
        failed=_sum(requests, rule="failed"),
        looked=sum(_sum(counts, command=command) for command in LOOKING),
        stocked=_sum(counts, command=STOCKING, action="generated"),
        hit_rate=round(reused / (reused + made), 4) if reused + made else None,
        false_reuse=false_reuse(store.judgements.list(), _decided(reuses, tracks)),
        spent_s=round(sum(generation_s.values()), 3) if generation_s else 0.0,
        saved_s=_saved_s(reuses, generation_s),
        tracks=held["rows"] - held["trashed"],
        trashed=held["trashed"],
        rated=len(ratings),
        mean_rating=round(sum(ratings) / len(ratings), 2) if ratings else None,
        audio_bytes=held["audio_bytes"],
        disk_bytes=held["audio_bytes"] + held["table_bytes"],
        by_style=_shares(requests, "style"),
        by_role=_shares(requests, "role"),
        checks=checks_by_generator(tracks),
        over_time=over_time(store, generation_s, by),
    )


def false_reuse(judgements: Iterable[Judgement], served: Collection[tuple[str, str]]) -> FalseReuse:
    """Return how often a reuse was wrong. `served` holds the request key and the track of each reuse.

    Judgements of a track for a request that it never served do not count.
    """
    judged_pairs = verdicts([judgement for judgement in judgements if judgement.key])
    reuses = [judgement for pair, judgement in judged_pairs.items() if pair in served]
    wrong = sum(
        judgement.verdict == "rejected"
        or (judgement.rating is not None and judgement.rating < WORST_GOOD_RATING)
        for judgement in reuses
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
    """Return the one-sided upper bound of Clopper and Pearson (1934) for the rate of `wrong` among `judged`.

    At that rate so few would be wrong with a chance of 1 - `confidence`. It holds for cases drawn at random.
    """
    from scipy.special import betaincinv

    return 1.0 if wrong >= judged else float(betaincinv(wrong + 1, judged - wrong, confidence))


def _counted(log: pa.Table, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the different rows of these columns, each with how many there are as `count_all`."""
    if not log.num_rows:
        return []
    rows: list[dict[str, Any]] = log.group_by([*names]).aggregate([([], "count_all")]).to_pylist()
    return rows


def _is_reuse(row: Mapping[str, Any]) -> bool:
    """Tell whether a row of the log handed out a track that was there already."""
    return row["action"] == "reused" and row["command"] not in UNHEARD


def _sum(counts: Iterable[Mapping[str, Any]], **facts: str) -> int:
    return sum(row["count_all"] for row in counts if all(row[name] == fact for name, fact in facts.items()))


def _shares(requests: Iterable[Mapping[str, Any]], column: str) -> dict[str, Share]:
    rows = [row for row in requests if row[column]]
    names = sorted({row[column] for row in rows})
    return {
        name: Share(
            requests=_sum(rows, **{column: name}),
            reused=_sum(rows, **{column: name, "action": "reused"}),
            made=_sum(rows, **{column: name, "action": "generated"}),
        )
        for name in names
    }


def _decided(reuses: Collection[Mapping[str, Any]], tracks: pa.Table) -> set[tuple[str, str]]:
    """Return request key and track of each reuse that a decision admitted: of a track made for another request.

    Reuses under `reuse` "always" and those that a person chose are left out, since no decision admitted them.
    """
    by_hand = {(row["key"], row["track_id"]) for row in reuses if row["rule"] in BY_HAND}
    made_for = dict(zip(*(tracks[name].to_pylist() for name in ("id", "key")), strict=True))
    return {
        (row["key"], row["track_id"])
        for row in reuses
        # Of a track that is deleted for good the request is not known, but a close match is one of another request.
        if row["rule"] in ("similar", "music")
        or (
            row["rule"] != "always"
            and (row["key"], row["track_id"]) not in by_hand
            and made_for.get(row["track_id"], row["key"]) != row["key"]
        )
    }


def _saved_s(reuses: Iterable[Mapping[str, Any]], generation_s: Mapping[str, float]) -> float:
    """Return how long the reused tracks took to generate, once for every reuse; tracks deleted for good count as 0."""
    saved_s = sum(row["count_all"] * generation_s.get(row["track_id"], 0.0) for row in reuses)
    return round(float(saved_s), 3)
