"""Which time a report is about, in quarters of an hour, and the local hours and days that it falls into. Pure.

No zone's clocks have differed from UTC by anything but whole quarters of an hour in this century, so that a cell of a
quarter lies in one hour and in one day of each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from campaigns import time_zones
from campaigns.errors import CampaignsError

QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
DEFAULT_DAYS = 30
MOST_DAYS = 366
FIRST = datetime(2000, 1, 1, tzinfo=UTC)
"""Long before that some clocks were some minutes and seconds off."""
LAST = datetime(9998, 1, 1, tzinfo=UTC)
_Floor = Callable[[datetime], datetime]


class SpanRefusedError(CampaignsError):
    """A stretch of time that is none, or that no report can be about; `field` is `value`, which breaks `rule`."""

    def __init__(self, field: str, value: datetime, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field, self.value, self.rule = field, value, rule


@dataclass(frozen=True, slots=True)
class Span:
    """From a quarter of an hour to another, in UTC, without that one."""

    start: datetime
    end: datetime

    def days(self) -> tuple[datetime, datetime]:
        """The whole days of UTC within: when the first begins and the last ends. The same moment, the end of the
        span, where there is none."""
        first, last = _before(self.start + DAY - QUARTER, DAY), _before(self.end, DAY)
        return (first, last) if first < last else (self.end, self.end)


@dataclass(frozen=True, slots=True)
class LocalStep:
    """An hour or a day by the clocks of a zone: when it begins, within a span, and what they show then."""

    start: datetime
    local: datetime


def span(start: datetime | None, end: datetime | None, now: datetime) -> Span:
    """The stretch that is asked for. Where nothing is said it is the 30 days up to the end of this quarter; it ends
    there, too, where only its beginning is said. Raises SpanRefusedError."""
    for field, value in (("from", start), ("to", end)):
        if value is not None and not FIRST <= value <= LAST:
            raise SpanRefusedError(field, value, f"it must be from {FIRST.year} to {LAST.year - 1}")
        if value is not None and _before(value, QUARTER) != value:
            raise SpanRefusedError(field, value, "it must be at a whole quarter of an hour")
    this = _before(now, QUARTER) + QUARTER
    if end is None:
        end = this if start is None else max(start + QUARTER, min(this, start + timedelta(days=MOST_DAYS)))
    if start is None:
        start = end - timedelta(days=DEFAULT_DAYS)
    if start >= end:
        raise SpanRefusedError("from", start, "it must be before to")
    if end - start > timedelta(days=MOST_DAYS):
        raise SpanRefusedError("to", end, f"it must be at most {MOST_DAYS} days after from")
    return Span(start, end)


def local_hours(asked: Span, zone: str) -> Sequence[LocalStep]:
    """The hours of the span by the clocks of `zone`, in their order. An hour that is there twice, as clocks are put
    back, is one step of both its passes; two where another hour came between, as in St. John's until 2011, at a
    minute past midnight. Raises ValueError for a zone that is none."""
    return _steps(asked, zone, lambda local: local.replace(minute=0, second=0, microsecond=0))


def local_days(asked: Span, zone: str) -> Sequence[LocalStep]:
    """The days of the span by the clocks of `zone`. Raises ValueError for a zone that is none."""
    return _steps(asked, zone, lambda local: local.replace(hour=0, minute=0, second=0, microsecond=0))


def thirty_days(asked: Span) -> Sequence[LocalStep]:
    """Each 30 days from the beginning of the span on, the last as long as it has."""
    return [
        LocalStep(at := asked.start + number * timedelta(days=30), at.replace(tzinfo=None))
        for number in range(-(-(asked.end - asked.start) // timedelta(days=30)))
    ]


def _steps(asked: Span, zone: str, floor: _Floor) -> Sequence[LocalStep]:
    there = time_zones.zone(zone)
    found: list[LocalStep] = []
    at, last = asked.start, None
    while at < asked.end:
        local = at.astimezone(there)
        this = floor(local.replace(tzinfo=None))
        if this != last:
            found.append(LocalStep(at, this))
            last = this
        at = _next(at, local)
    return found


def _next(at: datetime, local: datetime) -> datetime:
    """The next moment at which another hour may begin: where the local one ends, or the next quarter where clocks are
    changed before that."""
    ends = at + timedelta(minutes=60 - local.minute)
    same = ends.astimezone(local.tzinfo).utcoffset() == local.utcoffset()
    return ends if same else at + QUARTER


def _before(at: datetime, step: timedelta) -> datetime:
    return at - (at - FIRST) % step
