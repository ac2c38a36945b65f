"""Requests over time: periods, shares and what reuse saved, counted once for every request."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest
from homes import NOON, a_record
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog import report
from music_catalog.errors import InputError
from music_catalog.history.over_time import MOST_PERIODS, over_time
from music_catalog.history.statistics import Statistics

COST = {"a": 2.0, "b": 3.5}


def line(number, day, **changes):
    return a_record(str(number), created_at=NOON + timedelta(days=day), **changes)


def logged(store, *records):
    for record in records:
        store.requests.append(record)
    return store


@pytest.fixture
def store(service):
    return service.store


def test_days_without_requests_are_there(store):
    logged(
        store,
        line(0, 0, action="generated", rule="no_candidate", track_id="a"),
        line(1, 0, track_id="a"),
        line(2, 0, track_id="a"),
        line(3, 2, track_id="b"),
        line(4, 2, track_id="deleted"),
    )
    served = over_time(store, COST)
    assert served.by == "day"
    assert [one.start for one in served.periods] == [date(2026, 3, 4), date(2026, 3, 5), date(2026, 3, 6)]
    assert [(one.reused, one.made, one.share, one.saved_s) for one in served.periods] == [
        (2, 1, 0.6667, 4.0),
        (0, 0, None, 0.0),
        (2, 0, 1.0, 3.5),
    ]


def test_what_was_handed_to_nobody_does_not_count(store):
    logged(
        store,
        line(0, 0, command="find"),
        line(1, 0, command="dry-run"),
        line(2, 0, command="stock", action="generated", rule="stock"),
        line(3, 0, action="none", rule="failed", track_id=None),
    )
    assert over_time(store, COST).periods == ()
    logged(store, line(4, 9))
    assert [one.reused for one in over_time(store, COST).periods] == [1]


@pytest.mark.parametrize(
    ("days", "unit", "first"),
    [(30, "day", date(2026, 3, 4)), (31, "week", date(2026, 3, 2)), (182, "month", date(2026, 3, 1))],
)
def test_the_length_of_the_log_decides(store, days, unit, first):
    logged(store, line(0, 0), line(1, days))
    served = over_time(store, COST)
    assert (served.by, served.periods[0].start) == (unit, first)


def test_the_caller_decides(store):
    logged(store, line(0, 0), line(1, 400))
    assert [one.start.day for one in over_time(store, COST, "month").periods] == [1] * 14
    weeks = over_time(store, COST, "week").periods
    assert {one.start.weekday() for one in weeks} == {0}
    days = over_time(store, COST, "day").periods
    assert len(days) == MOST_PERIODS
    assert days[-1].start == date(2027, 4, 8)
    with pytest.raises(InputError, match=r"by is 'hour'; .*valid: day, month, week"):
        over_time(store, COST, "hour")


def test_days_are_those_of_utc(store):
    late = datetime(2026, 3, 4, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    logged(store, a_record("late", created_at=late))
    assert over_time(store, COST).periods[0].start == date(2026, 3, 5)


class Lines:
    """A store whose log has these lines: what `over_time` reads of one."""

    def __init__(self, records):
        self.requests = self
        self._records = records

    def columns(self, names):
        import pyarrow as pa

        types = {"created_at": pa.timestamp("us", tz="UTC")}
        rows = [{name: getattr(record, name) for name in names} for record in self._records]
        return pa.Table.from_pylist(
            rows, schema=pa.schema([(name, types.get(name, pa.string())) for name in names])
        )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 900), st.booleans(), st.sampled_from("abc")), min_size=1, max_size=30),
    st.sampled_from([None, "day", "week", "month"]),
)
def test_every_request_is_counted_once(calls, by):
    records = [
        line(number, day, action="reused" if reused else "generated", track_id=track)
        for number, (day, reused, track) in enumerate(calls)
    ]
    served = over_time(Lines(records), COST, by)
    starts = [one.start for one in served.periods]
    assert starts == sorted(set(starts))
    first = starts[0]
    counted = [record for record in records if record.created_at.date() >= first]
    if len(starts) < MOST_PERIODS:
        assert counted == records
    reused = [record for record in counted if record.action == "reused"]
    assert sum(one.reused for one in served.periods) == len(reused)
    assert sum(one.made for one in served.periods) == len(counted) - len(reused)
    assert sum(one.saved_s for one in served.periods) == pytest.approx(
        sum(COST.get(one.track_id, 0) for one in reused)
    )


def test_the_lines_have_a_bar_each(store):
    logged(
        store,
        line(0, 0, action="generated", rule="no_candidate"),
        line(1, 0),
        line(2, 2),
        line(3, 2, track_id="b"),
    )
    shown = [*report.figures(Statistics(over_time=over_time(store, {"a": 100.0, "b": 200.0})))]
    assert shown[-4:] == [
        "served without making, by day (UTC):",
        "  2026-03-04  ██████████░░░░░░░░░░  50%  1 of 2 requests, 1 generation and 1.7 min saved",
        "  2026-03-05                        no requests",
        "  2026-03-06  ████████████████████ 100%  2 of 2 requests, 2 generations and 5.0 min saved",
    ]
