"""Openings that are not written yet are told by the last week of those that are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.group_hours import GroupHours
from campaigns.policies import NOTHING
from campaigns.preflight import WEEK, repeated
from campaigns.windows import DAY, Span, merged
from tests.examples import examples
from tests.unit.campaigns.test_windows import BEGIN, END, weeks, windows_of


@given(week=weeks, now=st.integers(BEGIN, END), later=st.integers(0, 3 * 366 * DAY))
@examples(200)
def test_where_clocks_are_not_changed_a_window_is_told_as_it_will_be(
    week: list[tuple[str, list[int]]], now: int, later: int
) -> None:
    windows = windows_of(week)
    start = now + later
    known = GroupHours(windows, ["UTC"], NOTHING, "", consented=False).ahead(now)
    told = [(int(opens), int(closes)) for opens, closes in repeated(known, start)]
    assert within(told, start, start + 50 * WEEK) == windows.openings("UTC", start, start + 50 * WEEK)


def within(spans: list[Span], start: int, end: int) -> list[Span]:
    cut = [(max(opens, start), min(closes, end)) for opens, closes in spans]
    return merged([span for span in cut if span[0] < span[1]])


@pytest.mark.parametrize("start", [0.0, 1e9])
def test_of_a_window_that_never_opens_nothing_is_told(start: float) -> None:
    assert [*repeated((), start)] == []
