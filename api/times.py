"""Times in requests and answers: RFC 3339 in UTC, with `Z`."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from campaigns import time_zones

_LOCAL = r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?"
LOCAL = re.compile(_LOCAL, re.ASCII)
RFC3339 = re.compile(_LOCAL + r"([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def to_rfc3339(value: datetime) -> str:
    """`value` as the API writes it, to the millisecond: `2026-01-31T09:00:00.000Z`."""
    utc = value if value.tzinfo is UTC else value.astimezone(UTC)
    # Without the offset at its end.
    return utc.isoformat(timespec="milliseconds")[:-6] + "Z"


def from_rfc3339(text: str) -> datetime:
    """The moment that an RFC 3339 `text` names; an offset is required.

    Raises ValueError for anything else, a day that the calendar lacks included.
    """
    if not RFC3339.fullmatch(text):
        raise ValueError("not RFC 3339")
    try:
        return _parsed(text).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("out of range") from error


def from_local(text: str) -> datetime:
    """What clocks show at the moment that `text` names, RFC 3339 without its offset. Raises as `from_rfc3339`."""
    if not LOCAL.fullmatch(text):
        raise ValueError("not a local time")
    return _parsed(text)


def _parsed(text: str) -> datetime:
    return datetime.fromisoformat(
        re.sub(r"\.(\d+)", lambda fraction: "." + fraction[1][:6].ljust(6, "0"), text.upper())
    )


def by_clocks_of(zone: str, at: datetime) -> datetime:
    """A moment as clocks of an IANA zone show it. Raises ValueError where there is no such zone."""
    return at.astimezone(time_zones.zone(zone))


def utcnow() -> datetime:
    """This moment."""
    return datetime.now(UTC)
