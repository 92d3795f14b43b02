"""Exceptions that mean that a server is unavailable: wait and try again."""

from __future__ import annotations

import psycopg
from peewee import PeeweeException
from playhouse.pool import MaxConnectionsExceeded

from coordination.errors import Unavailable
from freeswitch.errors import FreeswitchError
from live.errors import LiveUnavailable

# A pool that is busy for too long raises a ValueError of its own, which is none of Peewee's errors.
DATABASE_AWAY = (PeeweeException, psycopg.Error, MaxConnectionsExceeded)
UNAVAILABLE = (*DATABASE_AWAY, Unavailable, LiveUnavailable, FreeswitchError)
