"""Which time a report is about, and the hours and days of it by the clocks of a zone."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import time_zones
from campaigns.report_buckets import Distribution
from campaigns.report_spans import (
    DAY,
    FIRST,
    MOST_DAYS,
    QUARTER,
    Span,
    SpanRefusedError,
    local_days,
    local_hours,
    span,
)

NOW = datetime(2026, 3, 29, 9, 7, 3, tzinfo=UTC)
ODD = (
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Pacific/Chatham",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Asia/Pyongyang",
)

quarters = st.integers(0, 40 * 365 * 96).map(lambda number: FIRST + number * QUARTER)
zones = st.one_of(st.sampled_from(ODD), st.sampled_from(sorted(time_zones.names())))


def test_all_clocks_differ_from_utc_by_whole_quarters_of_an_hour() -> None:
    for name in time_zones.names():
        there = time_zones.zone(name)
        at = FIRST
        while at.year < 2045:
            offset = at.astimezone(there).utcoffset()
            assert offset is not None
            assert offset % QUARTER == timedelta(), (name, at)
            at += timedelta(days=61)


@given(quarters, st.integers(1, 800), zones)
def test_each_quarter_lies_in_the_hour_and_day_that_clocks_show(
    start: datetime, long: int, name: str
) -> None:
    asked = Span(start, start + long * QUARTER)
    hours, days = local_hours(asked, name), local_days(asked, name)
    hour_starts, day_starts = [step.start for step in hours], [step.start for step in days]
    assert hour_starts == sorted(hour_starts)
    assert hour_starts[0] == day_starts[0] == start
    for number in range(long):
        at = start + number * QUARTER
        local = at.astimezone(time_zones.zone(name)).replace(tzinfo=None)
        hour = hours[bisect_right(hour_starts, at) - 1].local
        assert hour == local.replace(minute=0), (at, name)
        assert days[bisect_right(day_starts, at) - 1].local == local.replace(hour=0, minute=0), (at, name)


def test_both_passes_of_an_hour_are_one_step_unless_another_hour_came_between() -> None:
    start = datetime(2026, 10, 24, 23, tzinfo=UTC)
    steps = local_hours(Span(start, start + timedelta(hours=4)), "Europe/Berlin")
    assert [(step.start.hour, step.local.hour) for step in steps] == [(23, 1), (0, 2), (2, 3)]
    start = datetime(2010, 11, 7, 1, 30, tzinfo=UTC)
    steps = local_hours(Span(start, start + timedelta(hours=3)), "America/St_Johns")
    assert [(step.start.hour, step.local.hour) for step in steps] == [(1, 23), (2, 0), (2, 23), (3, 0)]


@given(quarters, st.integers(1, 3000))
def test_whole_days_and_the_quarters_around_them_are_the_span(start: datetime, long: int) -> None:
    asked = Span(start, start + long * QUARTER)
    first, last = asked.days()
    if first == last:
        assert first == asked.end
        return
    for at in (first, last):
        assert (at.hour, at.minute) == (0, 0)
    assert asked.start <= first < asked.start + DAY
    assert asked.end - DAY < last <= asked.end


def test_what_is_not_said_is_the_last_thirty_days() -> None:
    end = datetime(2026, 3, 29, 9, 15, tzinfo=UTC)
    assert span(None, None, NOW) == Span(end - timedelta(days=30), end)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    assert span(start, None, NOW) == Span(start, end)
    assert span(None, start, NOW) == Span(start - timedelta(days=30), start)
    assert span(end, None, NOW) == Span(end, end + QUARTER)
    old = datetime(2020, 1, 1, tzinfo=UTC)
    assert span(old, None, NOW) == Span(old, old + timedelta(days=MOST_DAYS))


@pytest.mark.parametrize(
    ("start", "end", "field", "rule"),
    [
        (datetime(2026, 3, 1, 0, 7, tzinfo=UTC), None, "from", "whole quarter"),
        (None, datetime(2026, 3, 1, 0, 0, 1, tzinfo=UTC), "to", "whole quarter"),
        (datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC), "from", "before to"),
        (datetime(2024, 3, 2, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC), "to", "at most 366 days"),
        (datetime(1999, 1, 1, tzinfo=UTC), None, "from", "from 2000"),
        (None, datetime(9999, 1, 1, tzinfo=UTC), "to", "from 2000"),
    ],
)
def test_a_span_that_no_report_can_be_about_is_refused(
    start: datetime | None, end: datetime | None, field: str, rule: str
) -> None:
    with pytest.raises(SpanRefusedError) as refused:
        span(start, end, NOW)
    assert refused.value.field == field
    assert rule in refused.value.rule


def test_a_percentile_is_the_least_bound_that_so_many_kept_to() -> None:
    found = Distribution((1, 2, 3), (5, 4, 0, 1))
    assert [found.percentile(share) for share in (0.5, 0.51, 0.9, 0.95)] == [1, 2, 2, None]
    assert Distribution((1,), (0, 0)).percentile(0.5) is None
    assert found.total == 10
