"""Calling windows: which hours of which days, holidays excepted, and the moments at which they are open. Pure.

Whether somebody may be called now is not decided here: the claim asks (`dialer/calling_hours_sql.py`) what
`campaigns/openings.py` wrote by these, and `dialer/dispatch/sender.py` once more before the call leaves.

A moment is within a window when the clocks of a place show a time that it has: where clocks are put forward the hour
that they skip is nobody's, and where they are put back both passes of an hour count. All moments are whole seconds
since 1970 in UTC, all spans half-open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import chain
from typing import Any, Self

from campaigns import holiday_calendars, time_zones
from campaigns.errors import CampaignsError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_SPANS = 50
MOST_DATES = 400
DAY = 86_400
SPREAD_SECONDS = 1_800
"""Retries that come while a window is shut are spread over so long behind its opening, or all of a shorter one."""
_HOUR = 3_600
_SAMPLE = 6 * _HOUR
"""Clocks are not changed twice within so long."""
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_EPOCH_WEEKDAY = date(1970, 1, 1).weekday()
_TIME = re.compile(r"(\d\d):(\d\d)(?::(\d\d))?", re.ASCII)

Span = tuple[int, int]
"""From its first second to the one after its last."""


class WindowRefusedError(CampaignsError):
    """A window that cannot be; `field` is `value`, as a message shows it, which breaks `rule`."""

    def __init__(self, field: str, value: str, rule: str) -> None:
        super().__init__(f"{field} is {value}; {rule}.")
        self.field, self.value, self.rule = field, value, rule


def seconds_of(written: str) -> int:
    """The second of the day that `09:00` or `09:00:30` is, `24:00` being its end. Raises ValueError."""
    found = _TIME.fullmatch(written)
    if found is None:
        raise ValueError("it must be a time like 09:00, or 24:00 for the end of the day")
    hours, minutes, seconds = int(found[1]), int(found[2]), int(found[3] or 0)
    at = hours * _HOUR + minutes * 60 + seconds
    if minutes > 59 or seconds > 59 or at > DAY:
        raise ValueError("it must be a time from 00:00 to 24:00")
    return at


@dataclass(frozen=True, slots=True)
class Holidays:
    """Days on which a window does not open: those of a country, or of one of its regions too, and single dates."""

    country: str | None = None
    region: str | None = None
    dates: frozenset[date] = frozenset()

    @classmethod
    def from_json(cls, said: Mapping[str, Any] | None) -> Self:
        """What the API was given, which is also how it is kept. Raises WindowRefusedError."""
        said = {} if said is None else said
        country, region = said.get("country"), said.get("region")
        if region is not None and country is None:
            raise WindowRefusedError("holidays.region", repr(region), "it needs a country beside it")
        if country is not None:
            regions = holiday_calendars.regions(country)
            if regions is None:
                raise WindowRefusedError(
                    "holidays.country",
                    repr(country),
                    "it must be a country's two letters (ISO 3166) whose holidays are known, such as DE",
                )
            if region is not None and region not in regions:
                known = ", ".join(regions) or "none"
                raise WindowRefusedError(
                    "holidays.region", repr(region), f"the regions of {country} are: {known}"
                )
        dates = said.get("dates") or ()
        if len(dates) > MOST_DATES:
            raise WindowRefusedError(
                "holidays.dates", f"{len(dates)} dates", f"it may have {MOST_DATES} at most"
            )
        return cls(country, region, frozenset(map(_date, dates)))

    def days(self, first: int, last: int) -> frozenset[int]:
        """Those of the days `first` to `last`, counted from 1970, that are holidays."""
        found = {one.toordinal() - _EPOCH_DAY for one in self.dates}
        if self.country is not None:
            years = range(_year(first), _year(last) + 1)
            official = chain.from_iterable(
                holiday_calendars.dates(self.country, self.region, year) for year in years
            )
            found |= {one.toordinal() - _EPOCH_DAY for one in official}
        return frozenset(day for day in found if first <= day <= last)


@dataclass(frozen=True, slots=True)
class Windows:
    """The spans of each day of the week, from Monday on, in seconds of the day: in order, none touching another."""

    week: tuple[tuple[Span, ...], ...]
    holidays: Holidays = field(default_factory=Holidays)
    others: tuple[Windows, ...] = ()
    """Those that have to be open as well."""

    @classmethod
    def from_json(cls, said: Sequence[Mapping[str, Any]], holidays: Mapping[str, Any] | None = None) -> Self:
        """What the API was given, which is also how it is kept: `{"days", "from", "to"}` each; without days it is of
        every day. Raises WindowRefusedError."""
        if not 1 <= len(said) <= MOST_SPANS:
            raise WindowRefusedError(
                "windows",
                f"a list of {len(said)}",
                f"it must have 1 to {MOST_SPANS} spans; null is no window",
            )
        week: list[list[Span]] = [[] for _ in DAYS]
        for number, one in enumerate(said):
            start = _second(f"windows.{number}.from", one["from"])
            end = _second(f"windows.{number}.to", one["to"])
            if end <= start:
                raise WindowRefusedError(
                    f"windows.{number}.to",
                    repr(one["to"]),
                    f"it must be later than from, {one['from']}; "
                    "a span over midnight is two, to 24:00 and from 00:00",
                )
            days = one.get("days")
            # No day at all is no day, whoever wrote it: nobody is called for a list that came out empty.
            for day in DAYS if days is None else days:
                week[DAYS.index(day)].append((start, end))
        return cls(tuple(tuple(merged(spans)) for spans in week), Holidays.from_json(holidays))

    def within(self, others: Iterable[Windows]) -> Windows:
        """These, as far as all of `others` are open too."""
        return replace(self, others=(*self.others, *others))

    def openings(self, zone: str, start: int, end: int) -> list[Span]:
        """When they are open in a zone, from `start` to `end`."""
        found = self._own_openings(zone, start, end)
        for other in self.others:
            if found:
                found = common(found, other.openings(zone, start, end))
        return found

    def _own_openings(self, zone: str, start: int, end: int) -> list[Span]:
        first, last = start // DAY - 1, end // DAY + 1
        closed = self.holidays.days(first, last)
        found: list[Span] = []
        for since, until, offset in offsets(zone, start, end):
            for day in range((since + offset) // DAY, (until + offset - 1) // DAY + 1):
                if day in closed:
                    continue
                midnight = day * DAY - offset
                for opens, closes in self.week[(day + _EPOCH_WEEKDAY) % 7]:
                    span = max(since, midnight + opens), min(until, midnight + closes)
                    if span[0] < span[1]:
                        found.append(span)
        return merged(found)

    def openings_of_all(self, zones: Iterable[str], start: int, end: int) -> list[Span]:
        """When they are open in all of these zones at once."""
        found: list[Span] = [(start, end)]
        for zone in _far_apart(zones, start):
            found = common(found, self.openings(zone, start, end))
            if not found:
                break
        return found


def merged(spans: Iterable[Span]) -> list[Span]:
    """The moments of all of these, in order; spans that touch are one."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


def common(one: Sequence[Span], other: Sequence[Span]) -> list[Span]:
    """The moments that are in both; each is in order, without spans that overlap."""
    found: list[Span] = []
    left, right = 0, 0
    while left < len(one) and right < len(other):
        start, end = max(one[left][0], other[right][0]), min(one[left][1], other[right][1])
        if start < end:
            found.append((start, end))
        if one[left][1] < other[right][1]:
            left += 1
        else:
            right += 1
    return found


@lru_cache(maxsize=1024)
def offsets(zone: str, start: int, end: int) -> tuple[tuple[int, int, int], ...]:
    """From `start` to `end`, each time between two changes of a zone's clocks, with how far they are ahead of UTC in
    it, in seconds."""
    found: list[tuple[int, int, int]] = []
    since, offset = start, _offset(zone, start)
    at = start
    while at < end:
        ahead = min(at + _SAMPLE, end)
        then = _offset(zone, ahead)
        if then != offset:
            changed = _first_with(zone, then, at, ahead)
            found.append((since, changed, offset))
            since, offset = changed, then
        at = ahead
    if since < end:
        found.append((since, end, offset))
    return tuple(found)


def _first_with(zone: str, offset: int, before: int, after: int) -> int:
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (before, middle) if _offset(zone, middle) == offset else (middle, after)
    return after


def _offset(zone: str, at: int) -> int:
    ahead = datetime.fromtimestamp(at, UTC).astimezone(time_zones.zone(zone)).utcoffset()
    assert ahead is not None
    return round(ahead.total_seconds())


def _far_apart(zones: Iterable[str], at: int) -> list[str]:
    """In an order in which it shows soonest that they have nothing in common."""
    ordered = sorted(zones, key=lambda zone: (_offset(zone, at), zone))
    return ordered[:1] + ordered[:0:-1]


def _second(field: str, written: str) -> int:
    try:
        return seconds_of(written)
    except ValueError as error:
        raise WindowRefusedError(field, repr(written), str(error)) from error


def _date(written: str) -> date:
    try:
        if len(written) == len("2026-12-24"):
            return date.fromisoformat(written)
    except ValueError:
        pass
    raise WindowRefusedError("holidays.dates", repr(written), "it must be a date like 2026-12-24")


def _year(day: int) -> int:
    return date.fromordinal(day + _EPOCH_DAY).year
