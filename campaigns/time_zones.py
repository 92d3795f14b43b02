"""Local times of a zone as instants. The zones are those of the `tzdata` package, whatever the machine has, so that
all processes of a release agree. Pure.

When clocks are put forward some local times do not exist: each stands for the first instant after the gap. When they
are put back some exist twice: each stands for the first of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)


@cache
def names() -> frozenset[str]:
    """Every IANA zone there is, by name; links (`US/Eastern`) are among them."""
    listed = resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8")
    return frozenset(listed.split())


_MISLEADING = frozenset({"EST", "MST", "HST"})
"""IANA's names for offsets that never change; who writes one of a person means a place whose clocks do."""


@cache
def _by_letters() -> Mapping[str, str]:
    return {name.casefold(): name for name in names()}


def named(written: str) -> str | None:
    """The zone that a person's cell names, in its own letters; None where it names none for certain."""
    name = _by_letters().get(written.strip().replace(" ", "_").casefold())
    return None if name in _MISLEADING else name


@cache
def _zone(name: str) -> ZoneInfo:
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def zone(name: str) -> ZoneInfo:
    """The zone of this name, which is told with its own letters. Raises ValueError where there is none."""
    if name not in names():
        raise ValueError(f"{name!r} is no time zone")
    return _zone(name)


def instant(local: datetime, name: str) -> datetime:
    """The moment in UTC at which clocks of the zone `name` show `local`, a time without an offset; where they never
    do, the first moment at which they show a later time; where they do twice, the first.

    Raises ValueError for a zone that is none, and for a moment outside the years 1 to 9999.
    """
    there = zone(name)
    try:
        # Of a time that exists twice `fold` 0 is the first; of one that never is, it counts with the offset of before
        # the gap, and so comes after it, and `fold` 1 comes before it.
        found = local.replace(tzinfo=there, fold=0).astimezone(UTC)
        if _shown(found, there) == local:
            return found
        low = local.replace(tzinfo=there, fold=1).astimezone(UTC).replace(microsecond=0)
        high = found.replace(microsecond=0) + _SECOND
        # Clocks change on a whole second.
        while high - low > _SECOND:
            middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
            low, high = (low, middle) if _shown(middle, there) >= local else (middle, high)
    except OverflowError as error:
        raise ValueError("out of range") from error
    return high


def _shown(moment: datetime, there: ZoneInfo) -> datetime:
    return moment.astimezone(there).replace(tzinfo=None, fold=0)
