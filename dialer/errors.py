"""Exceptions that mean that a server is unavailable: wait and try again."""

from __future__ import annotations

import psycopg
from peewee import PeeweeException
from playhouse.pool import MaxConnectionsExceeded

import outages
from coordination.errors import Unavailable
from freeswitch.errors import FreeswitchError
from live.errors import LiveUnavailable

# A pool that is busy for too long raises a ValueError of its own, which is none of Peewee's errors.
DATABASE_AWAY = (PeeweeException, psycopg.Error, MaxConnectionsExceeded)
REDIS_AWAY = (Unavailable, LiveUnavailable)
UNAVAILABLE = (*DATABASE_AWAY, *REDIS_AWAY, FreeswitchError)


def note(error: BaseException) -> bool:
    """Count it to the outage that it is part of (`outages`); False where it is no server of ours that is away."""
    if isinstance(error, DATABASE_AWAY):
        outages.struck(outages.DATABASE, error)
    elif isinstance(error, REDIS_AWAY):
        outages.struck(outages.REDIS, error)
    else:
        return False
    return True
