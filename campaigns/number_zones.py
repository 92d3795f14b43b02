"""The time zones in which a number may be: libphonenumber's answer, in a fraction of its time.

A number that belongs to no place (toll-free, most mobile ones) may be anywhere in its country; one that does is where
the longest prefix that is known says. The library first asks of which of ten types a number is, which takes as long
as all else that an import asks of it; where both answers are the same, nobody has to.
"""

from __future__ import annotations

from functools import cache, lru_cache

from phonenumbers.timezone import UNKNOWN_TIMEZONE
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

from campaigns import numbering_plans, time_zones

Zones = tuple[str, ...]
"""Names of zones, in order, each once."""


def zones_of_number(number: str) -> Zones:
    """The zones in which a valid number in E.164 may be; none where that is not known."""
    anywhere, there = _candidates(number[: 1 + TIMEZONE_LONGEST_PREFIX])
    return there if there == anywhere or numbering_plans.belongs_to_a_place(number) else anywhere


@lru_cache(maxsize=32_768)
def _candidates(head: str) -> tuple[Zones, Zones]:
    """By how a number begins: the zones of its whole country, and those of where it is if it is of a place."""
    return _of_prefix(numbering_plans.country_code(head)), _of_prefix(head[1:])


@cache
def _of_prefix(prefix: str) -> Zones:
    while prefix and prefix not in TIMEZONE_DATA:
        prefix = prefix[:-1]
    found = set(TIMEZONE_DATA.get(prefix, ())) - {UNKNOWN_TIMEZONE}
    # A zone that is not known here cannot be kept: then none of them is.
    return tuple(sorted(found)) if found <= time_zones.names() else ()
