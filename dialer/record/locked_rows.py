"""What is to be written of calls whose rows somebody else's transaction keeps locked: it waits beside the others.

A transaction that is left open, by a person at a prompt or a program that hangs, keeps what it touched locked for as
long as it lasts. Whoever waits for such a row keeps everything behind him waiting too. So nobody here waits for long:
what cannot be written within a moment (`outcome_rows.LOCK_SECONDS`) is set aside, and looked at again each second
until its rows are free.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

import psycopg
import structlog

from dialer.errors import DATABASE_AWAY
from dialer.record.changes import Change
from models import Pool, db, plain_array

log = structlog.get_logger()

AGAIN_SECONDS: Final = 1.0
MOST: Final = 500
"""More calls than this are not somebody's forgotten transaction, but a table that is locked: no more are placed."""

FREE = """
SELECT call.id::text AS id FROM call JOIN contact ON contact.id = call.contact_id
WHERE call.id = ANY(%s::uuid[])
    AND EXISTS (SELECT FROM (SELECT id FROM campaign WHERE id = call.campaign_id FOR SHARE SKIP LOCKED) AS free)
FOR UPDATE OF call, contact SKIP LOCKED
"""
"""Those of these calls of which every row can be written now. It waits for none, but for a table."""
GONE = """
SELECT id::text FROM unnest(%s::uuid[]) AS asked (id) WHERE NOT EXISTS (SELECT FROM call WHERE call.id = asked.id)
"""
"""Those of these calls that have no row: a failover may have lost it."""


def is_locked(error: BaseException) -> bool:
    """Whether this is PostgreSQL's word for a lock that did not come in time."""
    return isinstance(getattr(error, "orig", None), psycopg.errors.LockNotAvailable)


def find_free(call_ids: Collection[str], through: Pool | None = None) -> set[str]:
    """Those of these calls whose rows nobody keeps locked. By a connection of `through`, or of the pool that all
    share. Raises what a database that is away raises."""
    pool = db if through is None else through
    with pool.connection_context():
        asked = sorted(call_ids)
        free = {call_id for (call_id,) in pool.execute_sql(FREE, (plain_array(asked),)).fetchall()}
        left = [call_id for call_id in asked if call_id not in free]
        gone = pool.execute_sql(GONE, (plain_array(left),)).fetchall() if left else ()
        return free | {call_id for (call_id,) in gone}


@dataclass(slots=True)
class LockedRows:
    """The changes of one recorder that wait for their rows, by call. `free` says whose rows are free."""

    free: Callable[[Collection[str]], set[str]]
    now: Callable[[], float] = time.monotonic
    _changes: dict[str, Change] = field(default_factory=dict)
    _looked_at: float = 0.0

    def __len__(self) -> int:
        return len(self._changes)

    def too_many(self) -> bool:
        """Whether so many wait that no calls should be added to them."""
        return len(self._changes) > MOST

    def get(self, call_id: str) -> Change | None:
        """What waits to be written of a call; what is learnt of it meanwhile is added there."""
        return self._changes.get(call_id)

    def set_aside(self, changes: Sequence[Change]) -> list[Change]:
        """A group met a lock: those whose rows are locked wait, the others are returned. All wait where nobody's are
        found to be locked: they were a moment ago."""
        unlocked = self._find({change.call.call_id for change in changes})
        if len(unlocked) == len(changes):
            unlocked = set()
        return self._part(changes, unlocked)

    def unlocked_of(self, changes: Sequence[Change]) -> list[Change]:
        """Of a group that is to be written while somebody keeps rows locked, those of which nobody does; the others
        wait. All are returned where that cannot be asked."""
        unlocked = self._find({change.call.call_id for change in changes})
        return self._part(changes, unlocked) if unlocked else list(changes)

    def _part(self, changes: Sequence[Change], unlocked: Collection[str]) -> list[Change]:
        locked = {change.call.call_id: change for change in changes if change.call.call_id not in unlocked}
        if locked:
            log.warning("rows_locked", calls=len(locked), first=next(iter(locked)))
            self._changes.update(locked)
            self._looked_at = self.now()
        return [change for change in changes if change.call.call_id in unlocked]

    def due(self) -> bool:
        """Whether it is time to look again."""
        return bool(self._changes) and self.now() - self._looked_at >= AGAIN_SECONDS

    def take_free(self) -> list[Change]:
        """Those whose rows are free again; they do not wait here any more."""
        self._looked_at = self.now()
        unlocked = self._find(self._changes.keys())
        return [self._changes.pop(call_id) for call_id in sorted(unlocked & self._changes.keys())]

    def _find(self, call_ids: Collection[str]) -> set[str]:
        try:
            return self.free(call_ids)
        except DATABASE_AWAY as error:
            # A table that is locked, or a server that is away: nobody's, as far as is known.
            log.info("locked_rows_unknown", error=str(error)[:200])
            return set()
