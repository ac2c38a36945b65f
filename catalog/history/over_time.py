"""How requests were served over time: the share served without making in each period, and what that saved."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal, get_args

from ..errors import InputError
from ..models import Value
from ..store.requests import UNHEARD
from ..store.store import Store
from ..validation import nearest

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["By", "OverTime", "Period", "over_time"]


By = Literal["day", "week", "month"]
"""How long a period is."""
MOST_DAYS, MOST_WEEKS = 31, 26
"""Up to how many days periods are days, up to how many weeks they are weeks; beyond they are months."""
MOST_PERIODS = 60
"""How many periods are given, the latest."""


class Period(Value):
    """The requests of one period that were handed a track."""

    start: date
    """Its first day, in UTC; a week begins on Monday."""
    reused: int = 0
    """Served by a track that was there. Each saved one generation."""
    made: int = 0
    share: float | None = None
    """reused / (reused + made); None without requests."""
    saved_s: float = 0.0
    """Seconds it took to generate the reused tracks when they were made, once for every reuse."""


class OverTime(Value):
    """The periods from the first request to the last, without a gap; the latest, where there are many."""

    by: By = "day"
    periods: tuple[Period, ...] = ()


def over_time(store: Store, generation_s: Mapping[str, float], by: By | None = None) -> OverTime:
    """Return how requests were served over time.

    `generation_s` has the seconds that each track took, by id. A reuse of a track that is not there, as it was deleted
    for good, counts as a reuse that saved 0 s. Look-ups, failures and tracks made ahead do not count. Raises
    InputError for another `by`.
    """
    if by is not None and by not in get_args(By):
        raise InputError(f"by is {by!r}; {nearest(by, get_args(By))}")
    served = _served(store)
    if not served.num_rows:
        return OverTime(by=by or "day")
    import pyarrow.compute as pc

    first, last = (moment.as_py().date() for moment in pc.min_max(served["created_at"]).values())
    unit = by or _unit(first, last)
    starts = pc.floor_temporal(served["created_at"], unit=unit)
    counts = {
        (row["start"].date(), row["action"]): (row["seconds_count"], row["seconds_sum"])
        for row in served.append_column("start", starts)
        .append_column("seconds", _seconds(served["track_id"], generation_s))
        .group_by(["start", "action"])
        .aggregate([("seconds", "count"), ("seconds", "sum")])
        .to_pylist()
    }
    periods = []
    for start in _starts(pc.min(starts).as_py().date(), last, unit):
        reused, saved_s = counts.get((start, "reused"), (0, 0.0))
        made, _ = counts.get((start, "generated"), (0, 0.0))
        periods.append(_period(start, reused, made, saved_s))
    return OverTime(by=unit, periods=tuple(periods))


def _seconds(track_ids: pa.ChunkedArray, generation_s: Mapping[str, float]) -> pa.ChunkedArray:
    """Return how long each of these tracks took to generate; 0 for those that are not known."""
    import pyarrow as pa
    import pyarrow.compute as pc

    known = pa.array(generation_s.keys(), pa.string())
    costs = pa.array(generation_s.values(), pa.float64())
    return pc.fill_null(pc.take(costs, pc.index_in(track_ids, value_set=known)), 0.0)


def _served(store: Store) -> pa.Table:
    """Return time in UTC, action and track of the requests that were handed a track."""
    import pyarrow as pa
    import pyarrow.compute as pc

    log = store.requests.columns(("created_at", "action", "track_id", "command"))
    if not log.num_rows:
        return log
    unheard = pc.is_in(log["command"], value_set=pa.array(UNHEARD))
    log = log.filter(pc.and_(pc.invert(unheard), pc.not_equal(log["action"], "none"))).drop_columns(
        ["command"]
    )
    # Without a time zone, arrow needs no database of them.
    return log.set_column(0, "created_at", log["created_at"].cast(pa.timestamp("us")))


def _unit(first: date, last: date) -> By:
    days = (last - first).days + 1
    return "day" if days <= MOST_DAYS else "week" if days <= 7 * MOST_WEEKS else "month"


def _starts(first: date, last: date, by: By) -> list[date]:
    """Return the first days of the latest periods from the one that begins on `first` to that of `last`."""
    starts = [first]
    while (following := _following(starts[-1], by)) <= last:
        starts.append(following)
    return starts[-MOST_PERIODS:]


def _following(start: date, by: By) -> date:
    if by == "month":
        return (start.replace(day=1) + timedelta(days=32)).replace(day=1)
    return start + timedelta(days=1 if by == "day" else 7)


def _period(start: date, reused: int, made: int, saved_s: float) -> Period:
    share = round(reused / (reused + made), 4) if reused + made else None
    return Period(start=start, reused=reused, made=made, share=share, saved_s=round(saved_s, 3))
