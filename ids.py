"""Ids that sort by age. A module of its own, so that who makes ids need not load what speaks to the database."""

from __future__ import annotations

import os
import time
import uuid

_RANDOM_BYTES = 10
_TIME = (1 << 128) - (1 << 80)
_VERSION_AND_VARIANT = 0x7 << 76 | 0x2 << 62
_RANDOM = (1 << 76) - 1 ^ 0x3 << 62


def new_id() -> uuid.UUID:
    """A UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random bits, so that rows sort by age."""
    (found,) = new_ids(1)
    return found


def new_ids(count: int) -> list[uuid.UUID]:
    """Ids for as many rows, of the same millisecond."""
    first = time.time_ns() // 1_000_000 << 80 & _TIME | _VERSION_AND_VARIANT
    random = os.urandom(_RANDOM_BYTES * count)
    return [
        uuid.UUID(int=first | int.from_bytes(random[at : at + _RANDOM_BYTES], "big") & _RANDOM)
        for at in range(0, len(random), _RANDOM_BYTES)
    ]
