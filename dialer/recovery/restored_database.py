"""Recognises a database that is not where it was, and lets nothing of it be dialled by itself.

A backup of running campaigns that is restored says that people are to be called who have been called since. Each
dialer asks before its first claim, and whenever its database was away: is this another PostgreSQL than the one that
was written to, is it behind what Redis or this process knows to have been told, or has nobody written to it for long
and does this Redis not know it? Then every running campaign is paused (`blocked_reason` is `restored`) until somebody
resumes it, and no scheduled one is started by the clock: that may have been done since. A failover that lost nothing
is none of these.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import structlog
from redis import Redis

from campaigns import schedules
from campaigns.lifecycle import pause_all
from coordination.errors import Unavailable, translated
from coordination.keys import CoordinationKeys
from models import db, rows

log = structlog.get_logger()

BEAT_SECONDS = 10.0
SILENT_SECONDS = 600.0
"""A database that nobody has written to for so long, and that this Redis does not know, may be a copy."""
REASON = schedules.RESTORED

_MAY_READ = "SELECT has_function_privilege('pg_control_system()', 'execute') AS may"
_SYSTEM = "SELECT system_identifier::text AS system FROM pg_control_system()"
_NEWEST = "SELECT coalesce(max(id), 0) AS newest FROM transition"
_NOTED = """
SELECT system, lineage, extract(epoch FROM now() - beat_at)::float8 AS silent_seconds FROM installation
WHERE id = 1 FOR UPDATE
"""
_NOTE = """
INSERT INTO installation (id, system, lineage, beat_at) VALUES (1, %(system)s, %(lineage)s, now())
ON CONFLICT (id) DO UPDATE SET system = excluded.system, lineage = excluded.lineage, beat_at = now()
"""
_BEAT = "UPDATE installation SET beat_at = now() WHERE id = 1"


class MemoryUnavailable(Unavailable):
    """What Redis remembers of the database cannot be asked."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What the database says of itself: the PostgreSQL that it was last dialled from, a word that Redis knows it by,
    and the seconds since somebody wrote so."""

    system: str
    lineage: str
    silent_seconds: float


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is known of it elsewhere: by Redis its lineage, None where it knows of none, and by Redis or this process
    the newest transition that was told."""

    lineage: str | None
    newest: int


def why_restored(system: str, newest: int, noted: Noted | None, remembered: Remembered) -> str | None:
    """Why this database is taken for one that was restored, for the log; None where it is where it was.

    `system` is the PostgreSQL that answers now, "" where it does not say, `newest` the newest transition that it has.
    """
    if remembered.newest > newest:
        return f"transitions up to {remembered.newest} were told, and it has none behind {newest}"
    if noted is None:
        return None
    if system and noted.system and system != noted.system:
        return f"it was written to as PostgreSQL system {noted.system}, and is {system} now"
    if noted.silent_seconds > SILENT_SECONDS and remembered.lineage != noted.lineage:
        return f"nobody has written to it for {noted.silent_seconds:.0f} s, and this Redis does not know it"
    return None


class DatabaseGuard:
    """One process' questions. `newest` is the newest transition that it knows to be committed."""

    def __init__(self, redis: Redis, prefix: str, dialer_id: str, newest: Callable[[], int]) -> None:
        self._redis = redis
        self._key = CoordinationKeys(prefix).database
        self._dialer_id = dialer_id
        self._newest = newest

    def check(self) -> list[str]:
        """Pause what runs where the database was restored; the campaigns that were paused.

        Nothing may be claimed before this has returned. Raises what a database that is away raises, and
        MemoryUnavailable where Redis is.
        """
        known = self._remembered()
        with db.connection_context():
            system = _system()
            with db.atomic():
                found = rows(_NOTED)
                (newest,) = (row["newest"] for row in rows(_NEWEST))
                noted = Noted(**found[0]) if found else None
                why = why_restored(system, newest, noted, known)
                paused = [] if why is None else pause_all(REASON, self._dialer_id)
                waiting = [] if why is None else schedules.hold_restored()
                lineage = secrets.token_hex(8) if why is not None or noted is None else noted.lineage
                db.execute_sql(_NOTE, {"system": system, "lineage": lineage})
        if why is not None:
            log.error("database_restored", why=why, campaigns=len(paused), scheduled=len(waiting))
        self._remember(lineage, newest)
        return [str(campaign_id) for campaign_id in paused]

    def beat(self) -> None:
        """Say that the database is written to, and how far it is; by one dialer, every BEAT_SECONDS. Raises as
        `check` does."""
        with db.connection_context():
            db.execute_sql(_BEAT)
            (found,) = rows(f"SELECT lineage, ({_NEWEST}) AS newest FROM installation WHERE id = 1")
        self._remember(found["lineage"], found["newest"])

    def _remembered(self) -> Remembered:
        with translated(MemoryUnavailable, "asking what is known of the database"):
            lineage, newest = cast(
                "tuple[str | None, str | None]", self._redis.hmget(self._key, ["lineage", "newest"])
            )
        return Remembered(lineage, max(int(newest or 0), self._newest()))

    def _remember(self, lineage: str, newest: int) -> None:
        with translated(MemoryUnavailable, "noting what is known of the database"):
            self._redis.hset(self._key, mapping={"lineage": lineage, "newest": newest})


def _system() -> str:
    """The identifier of this PostgreSQL; "" where this role may not know."""
    ((may,),) = (row.values() for row in rows(_MAY_READ))
    return str(rows(_SYSTEM)[0]["system"]) if may else ""
