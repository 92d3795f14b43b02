"""Contacts by the zones that they may be in: who shares them shares every opening of a window. Pure.

A group's id follows from its zones alone, so that whoever reads a list, in whatever process, need ask nobody for it.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

from campaigns.number_zones import Zones

OWN = 0
"""The group of those whose zone is not known: they are in their campaign's own."""
_BYTES = 8


@lru_cache(maxsize=4096)
def group_of(zones: Zones) -> int:
    """The id of the group of these zones, which are in order: a whole number that PostgreSQL's bigint holds."""
    if not zones:
        return OWN
    return int.from_bytes(sha256(" ".join(zones).encode()).digest()[:_BYTES], signed=True)
