"""Local times of a zone as instants: right in every IANA zone, at every change of its clocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.time_zones import instant, names, zone

ZONES = sorted(names())
DAY, SECOND, MICROSECOND = timedelta(days=1), timedelta(seconds=1), timedelta(microseconds=1)
BEGIN, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
LOCAL = st.datetimes(datetime(1970, 1, 3), datetime(2120, 1, 1))  # noqa: DTZ001  what clocks show


def shown(moment: datetime, name: str) -> datetime:
    return moment.astimezone(zone(name)).replace(tzinfo=None, fold=0)


def offsets_around(shown_there: datetime, name: str) -> set[timedelta]:
    """All offsets that hold within a day and a half of what any clock shows."""
    hours = [shown_there.replace(tzinfo=UTC) + timedelta(hours=hour) for hour in range(-36, 37)]
    found = {moment.astimezone(zone(name)).utcoffset() for moment in hours}
    return {offset for offset in found if offset is not None}


def is_right(local: datetime, name: str, offsets: set[timedelta]) -> None:
    """`offsets` are all that may hold when clocks show `local`."""
    found = instant(local, name)
    assert found.tzinfo is UTC
    tried = {local.replace(tzinfo=UTC) - offset for offset in offsets}
    exact = sorted(moment for moment in tried if shown(moment, name) == local)
    if exact:
        assert found == exact[0]
    else:
        assert shown(found, name) > local
        assert shown(found - MICROSECOND, name) < local


def changes(name: str) -> Iterator[datetime]:
    """The moments at which the zone's offset changes."""
    there = zone(name)
    at = BEGIN
    while at < END:
        following = at + 4 * DAY
        if at.astimezone(there).utcoffset() != following.astimezone(there).utcoffset():
            low, high = at, following
            while high - low > SECOND:
                middle = low + (high - low) // 2
                middle = middle.replace(microsecond=0)
                same = middle.astimezone(there).utcoffset() == at.astimezone(there).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            yield high
        at = following


@given(local=LOCAL, name=st.sampled_from(ZONES))
def test_any_local_time_of_any_zone_is_its_first_moment(local: datetime, name: str) -> None:
    is_right(local, name, offsets_around(local, name))


def test_around_every_change_of_clocks_of_every_zone() -> None:
    seen = 0
    for name in ZONES:
        for change in changes(name):
            seen += 1
            offsets = offsets_around(change, name)
            for minutes in (-61, -30, 0, 15, 45, 60, 90):
                is_right(shown(change, name) + timedelta(minutes=minutes), name, offsets)
                is_right(shown(change - SECOND, name) + timedelta(minutes=minutes), name, offsets)
    assert seen > 1000


@pytest.mark.parametrize(
    ("local", "name", "utc"),
    [
        ("2027-03-28T01:59:59", "Europe/Berlin", "2027-03-28T00:59:59"),
        ("2027-03-28T02:30:00", "Europe/Berlin", "2027-03-28T01:00:00"),
        ("2027-03-28T03:00:00", "Europe/Berlin", "2027-03-28T01:00:00"),
        ("2027-10-31T02:30:00", "Europe/Berlin", "2027-10-31T00:30:00"),
        ("2027-10-31T03:00:00", "Europe/Berlin", "2027-10-31T02:00:00"),
        ("2027-03-14T02:59:59.999999", "America/New_York", "2027-03-14T07:00:00"),
        ("2027-10-03T02:10:00", "Australia/Lord_Howe", "2027-10-02T15:30:00"),
        ("2011-12-30T12:00:00", "Pacific/Apia", "2011-12-30T10:00:00"),
        ("2027-07-01T09:00:00", "Asia/Kolkata", "2027-07-01T03:30:00"),
    ],
)
def test_known_changes(local: str, name: str, utc: str) -> None:
    assert instant(datetime.fromisoformat(local), name) == datetime.fromisoformat(utc + "+00:00")


@pytest.mark.parametrize(
    "name", ["", "Berlin", "europe/berlin", "../zones", "Europe", "/etc/localtime", "localtime"]
)
def test_what_is_no_zone(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        zone(name)


@pytest.mark.parametrize(
    ("local", "name"), [("0001-01-01T00:00:00", "Asia/Tokyo"), ("9999-12-31T23:59:59", "America/New_York")]
)
def test_what_is_out_of_range(local: str, name: str) -> None:
    with pytest.raises(ValueError, match="out of range"):
        instant(datetime.fromisoformat(local), name)
