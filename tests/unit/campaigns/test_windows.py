"""Calling windows: open at exactly the moments at which a place's clocks show a time of theirs, in every zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import holiday_calendars
from campaigns.time_zones import names, zone
from campaigns.windows import DAY, DAYS, Holidays, Span, WindowRefusedError, Windows, common, merged, offsets
from tests.examples import examples

ZONES = sorted(names())
WEEK = 7 * DAY
WORKDAYS = [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "21:00"}]
BEGIN, END = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2024, 2030))

times = st.integers(0, DAY - 1)
spans = st.tuples(times, times).map(sorted).filter(lambda pair: pair[0] < pair[1])
weeks = st.lists(st.tuples(st.sampled_from(DAYS), spans), min_size=1, max_size=8)


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def written(second: int) -> str:
    return str(timedelta(seconds=second)).rjust(8, "0")


def windows_of(week: list[tuple[str, list[int]]], closed: frozenset[date] = frozenset()) -> Windows:
    said = [{"days": [day], "from": written(start), "to": written(end)} for day, (start, end) in week]
    found = Windows.from_json(said)
    return Windows(found.week, Holidays(dates=closed))


def shows(windows: Windows, name: str, at: int) -> bool:
    """Whether clocks show a time of the windows, looked up moment by moment."""
    local = datetime.fromtimestamp(at, UTC).astimezone(zone(name))
    second = local.hour * 3600 + local.minute * 60 + local.second
    if local.date() in windows.holidays.dates:
        return False
    return any(start <= second < end for start, end in windows.week[local.weekday()])


def inside(openings: list[Span], at: int) -> bool:
    return any(start <= at < end for start, end in openings)


def is_right(windows: Windows, name: str, start: int) -> None:
    """At every edge, at every change of clocks and a second beside each, as clocks show it."""
    end = start + WEEK
    openings = windows.openings(name, start, end)
    assert openings == merged(openings)
    edges = {edge for span in openings for edge in span} | {
        since for since, _, _ in offsets(name, start, end)
    }
    local_edges = {
        day * DAY + second - offset
        for since, until, offset in offsets(name, start, end)
        for day in range((since + offset) // DAY, (until + offset) // DAY + 1)
        for spans in windows.week
        for span in spans
        for second in span
    }
    for edge in edges | local_edges:
        for at in (edge - 1, edge, edge + 1):
            if start <= at < end:
                assert inside(openings, at) is shows(windows, name, at), (name, at)


@examples(100)
@given(
    week=weeks,
    name=st.sampled_from(ZONES),
    start=st.integers(BEGIN, END),
    closed=st.frozensets(st.integers(0, 8), max_size=3),
)
def test_a_window_is_open_when_clocks_show_a_time_of_it(
    week: list[tuple[str, list[int]]], name: str, start: int, closed: frozenset[int]
) -> None:
    first = datetime.fromtimestamp(start, UTC).date()
    is_right(windows_of(week, frozenset(first + timedelta(days) for days in closed)), name, start)


@pytest.mark.full
def test_it_is_right_at_every_change_of_every_zone() -> None:
    windows = Windows.from_json(
        [
            {"from": "00:00", "to": "02:30"},
            {"from": "03:00", "to": "03:00:01"},
            {"from": "23:59:59", "to": "24:00"},
        ]
    )
    for name in ZONES:
        for changed, _, _ in offsets(name, BEGIN, END)[1:]:
            is_right(windows, name, changed - 3 * DAY - 1)


@pytest.mark.parametrize(
    ("name", "day", "said", "openings"),
    [
        # Berlin skips 02:00 to 03:00, and later shows 02:00 to 03:00 twice.
        ("Europe/Berlin", "2027-03-28", ("01:30", "02:30"), [("00:30Z", "01:00Z")]),
        ("Europe/Berlin", "2027-03-28", ("02:00", "03:00"), []),
        ("Europe/Berlin", "2027-10-31", ("02:00", "02:30"), [("00:00Z", "00:30Z"), ("01:00Z", "01:30Z")]),
        ("Europe/Berlin", "2027-10-31", ("02:30", "05:00"), [("00:30Z", "01:00Z"), ("01:30Z", "04:00Z")]),
        ("America/New_York", "2026-11-30", ("09:00", "21:00"), [("14:00Z", "02:00Z+1")]),
    ],
)
def test_clocks_that_are_changed(
    name: str, day: str, said: tuple[str, str], openings: list[tuple[str, str]]
) -> None:
    def at(text: str) -> int:
        return moment(f"{day}T{text.split('Z', maxsplit=1)[0]}:00+00:00") + DAY * text.count("+1")

    weekday = DAYS[date.fromisoformat(day).weekday()]
    windows = Windows.from_json([{"days": [weekday], "from": said[0], "to": said[1]}])
    start = at("00:00Z")
    assert windows.openings(name, start - 3 * 3600, start + DAY + 6 * 3600) == [
        (at(since), at(until)) for since, until in openings
    ]


def test_spans_that_meet_at_midnight_are_one_opening() -> None:
    windows = Windows.from_json(
        [{"days": ["fri"], "from": "22:00", "to": "24:00"}, {"days": ["sat"], "from": "00:00", "to": "02:00"}]
    )
    start = moment("2026-11-30T00:00:00+00:00")
    assert windows.openings("Etc/UTC", start, start + WEEK) == [
        (moment("2026-12-04T22:00:00+00:00"), moment("2026-12-05T02:00:00+00:00"))
    ]


def test_a_span_without_days_is_of_every_day_and_one_with_no_day_of_none() -> None:
    span = {"from": "00:00", "to": "24:00"}
    start = moment("2026-11-30T00:00:00+00:00")
    every = Windows.from_json([span])
    assert every.openings("Etc/UTC", start, start + WEEK) == [(start, start + WEEK)]
    assert Windows.from_json([span | {"days": []}]).openings("Etc/UTC", start, start + WEEK) == []


def test_several_spans_a_day_and_none_on_a_day_that_has_none() -> None:
    windows = Windows.from_json(
        [{"days": ["mon"], "from": "10:00", "to": "13:00"}, {"days": ["mon"], "from": "14:00", "to": "20:00"}]
    )
    start = moment("2026-11-30T00:00:00+00:00")
    found = windows.openings("Europe/Paris", start, start + WEEK)
    assert [end - since for since, end in found] == [3 * 3600, 6 * 3600]
    assert found[0][0] == moment("2026-11-30T10:00:00+01:00")


def test_no_window_opens_on_a_holiday_of_the_contact_s_own_day() -> None:
    said = {"country": "DE", "region": "BY", "dates": ["2027-01-07"]}
    windows = Windows.from_json([{"from": "00:00", "to": "24:00"}], said)
    start, end = moment("2027-01-05T12:00:00+01:00"), moment("2027-01-09T00:00:00+01:00")
    # The sixth is a holiday in Bavaria, the seventh was named.
    assert windows.openings("Europe/Berlin", start, end) == [
        (start, moment("2027-01-06T00:00:00+01:00")),
        (moment("2027-01-08T00:00:00+01:00"), end),
    ]
    elsewhere = Windows.from_json([{"from": "00:00", "to": "24:00"}], {"country": "DE", "region": "HH"})
    assert elsewhere.openings("Europe/Berlin", start, end) == [(start, end)]


def test_of_several_zones_it_is_open_when_it_is_in_all() -> None:
    windows = Windows.from_json([{"from": "09:00", "to": "21:00"}])
    start = moment("2026-11-30T00:00:00+00:00")
    zones = ["America/New_York", "America/Chicago", "America/Los_Angeles"]
    assert windows.openings_of_all(zones, start + DAY, start + 2 * DAY - 1)[-1] == (
        moment("2026-12-01T09:00:00-08:00"),
        start + 2 * DAY - 1,
    )
    short = Windows.from_json([{"from": "09:00", "to": "17:00"}])
    assert (
        short.openings_of_all(["Pacific/Honolulu", "Pacific/Guam", "America/New_York"], start, start + WEEK)
        == []
    )


@examples(100)
@given(st.lists(spans, max_size=6), st.lists(spans, max_size=6), times)
def test_common_moments(one: list[list[int]], other: list[list[int]], at: int) -> None:
    left, right = (merged((start, end) for start, end in several) for several in (one, other))
    assert inside(common(left, right), at) is (inside(left, at) and inside(right, at))


@pytest.mark.parametrize(
    ("windows", "holidays", "refusal"),
    [
        ([], None, "windows is a list of 0; it must have 1 to 50 spans; null is no window."),
        ([{"from": "9:00", "to": "21:00"}], None, "windows.0.from is '9:00'; it must be a time like 09:00"),
        (
            [{"from": "09:00", "to": "24:01"}],
            None,
            "windows.0.to is '24:01'; it must be a time from 00:00 to 24:00.",
        ),
        (
            [{"from": "21:00", "to": "09:00"}],
            None,
            "windows.0.to is '09:00'; it must be later than from, 21:00; a span over midnight is two",
        ),
        (WORKDAYS, {"country": "XX"}, "holidays.country is 'XX'; it must be a country's two letters"),
        (
            WORKDAYS,
            {"country": "GB", "region": "BY"},
            "holidays.region is 'BY'; the regions of GB are: ENG, NIR",
        ),
        (WORKDAYS, {"region": "BY"}, "holidays.region is 'BY'; it needs a country beside it."),
        (
            WORKDAYS,
            {"dates": ["24.12.2026"]},
            "holidays.dates is '24.12.2026'; it must be a date like 2026-12-24.",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    windows: list[dict[str, Any]], holidays: dict[str, Any] | None, refusal: str
) -> None:
    with pytest.raises(WindowRefusedError) as refused:
        Windows.from_json(windows, holidays)
    assert str(refused.value).startswith(refusal)


def test_a_country_s_regions_are_known() -> None:
    assert "BY" in (holiday_calendars.regions("DE") or ())
    assert holiday_calendars.regions("ZZ") is None
