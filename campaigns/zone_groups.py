"""Contacts by the zones that they may be in: who shares them shares every opening of a window. Pure.

In a campaign that policy packs bind, they are of one group who also share the places whose law binds calls to them,
and whether they have agreed. A group's id follows from these alone, so that whoever reads a list, in whatever
process, need ask nobody for it.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from campaigns.number_zones import Zones
from campaigns.places import Places

OWN = 0
"""The group of those whose zone is not known: they are in their campaign's own."""
_BYTES = 8


class Group(NamedTuple):
    """What the contacts of a group share; `places` where policy packs bind them, and then whether they agreed."""

    zones: Zones
    places: Places = ()
    consented: bool = False


@lru_cache(maxsize=4096)
def group_of(group: Group) -> int:
    """The id of a group, whose zones and places are in order: a whole number that PostgreSQL's bigint holds."""
    if not group.zones and not group.places:
        return OWN
    told = " ".join(group.zones)
    if group.places:
        told += f"|{' '.join(group.places)}|{'yes' if group.consented else 'no'}"
    return int.from_bytes(sha256(told.encode()).digest()[:_BYTES], signed=True)
