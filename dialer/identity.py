"""This dialer's id, its Redis lease and its PostgreSQL session lock.

The id is new with each start, and after each loss of the lease, and never used again. The lease says that it is
alive; its senders ask `lease.valid()` before each write, so that a process that wakes after a stop sends at most the
frame past its check. The session lock says that the process exists: only when it is gone too may anybody resend
a call of its. PostgreSQL may lose all locks at once (a restart, the crash of one backend, a failover); the unlogged
table `session_lock` tells.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from hashlib import sha256

import gevent
import psycopg
import structlog

from coordination.membership import Fenced, Lease, Membership
from models import SCHEMA_VERSION, db

log = structlog.get_logger()

LOCK_SPACE = 0x6361
"""The first half of the advisory lock of a dialer; the second is a digest of its id."""
LOCK_SECONDS = 5.0
"""For how long a look at the session lock is good; who takes over waits as long before it resends a call of ours."""
SILENCE_SECONDS = 30.0
"""A server that has not answered the session of the lock for so long is taken for one that is away."""
NEVER = float("-inf")
KNOWS = SCHEMA_VERSION
"""The last migration that this release knows: until no older dialer is left, what it needs stays in the schema."""

_REGISTER = "INSERT INTO dialer (id, knows) VALUES (%s, %s) ON CONFLICT DO NOTHING"

# A failover may have lost the row. Its time is for dialers of the last release that take over from us, which know no
# other proof.
_REGISTER_ANEW = """
INSERT INTO dialer (id, knows) VALUES (%s, %s)
    ON CONFLICT (id) DO UPDATE SET postmaster_started_at = pg_postmaster_start_time()
"""
_HOLDERS = """
FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s::bigint & 4294967295 AND objsubid = 2
    AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_END_HOLDER = f"SELECT pg_terminate_backend(pid) {_HOLDERS}"
# The row and the lock in one statement, so that both are of one era: the row is looked for in what was committed
# before the locks are read.
_RELEASED = f"""
SELECT EXISTS (
    SELECT 1 FROM session_lock WHERE dialer_id = %s AND postmaster_started_at = pg_postmaster_start_time()
) AND NOT EXISTS (SELECT 1 {_HOLDERS})
"""
_HELD_NOW = """
INSERT INTO session_lock (dialer_id) VALUES (%s) ON CONFLICT (dialer_id)
    DO UPDATE SET postmaster_started_at = excluded.postmaster_started_at, taken_at = excluded.taken_at
"""
PURGE = """
DELETE FROM session_lock AS held WHERE taken_at < now() - interval '1 hour' AND NOT EXISTS (
    SELECT 1 FROM dialer WHERE id = held.dialer_id
        AND (settled_at IS NULL OR settled_at > now() - interval '1 hour')
) AND NOT EXISTS (SELECT 1 FROM call WHERE sent_by = held.dialer_id AND ended_at IS NULL)
"""
"""Forgets the session locks of dialers that are over."""


def new_dialer_id() -> str:
    """`d` and twelve hex digits."""
    return "d" + secrets.token_hex(6)


def lock_number(dialer_id: str) -> int:
    """The signed 32-bit number under which this dialer holds its session lock."""
    return int.from_bytes(sha256(dialer_id.encode()).digest()[:4], "big", signed=True)


class Identity:
    """This process' id, its lease and its session lock.

    `lost` is set for good once the lease was lost: what sends under this id ends then (`dialer/own_identities.py`).
    """

    def __init__(
        self, database_url: str, membership: Membership, check_database: Callable[[], object] = lambda: None
    ) -> None:
        self.dialer_id = new_dialer_id()
        self.lease = Lease()
        self.lost = False
        self._membership = membership
        self._database_url = database_url
        self._locked_at = NEVER
        self._check_database = check_database
        self._doubted = True
        """Whether the database may be another than before: it is looked at before anything is sent."""
        self._entered = False
        self._session: psycopg.Connection[tuple[object, ...]] | None = None

    def take(self, info: dict[str, object]) -> None:
        """Lock, then enter the membership, then the table of dialers.

        In this order: whoever finds the row and no lease in the membership takes this dialer for dead.

        May be repeated where it raises psycopg.Error, PeeweeException or MembershipUnavailable since a server is
        away; Fenced is final. `check_database` comes before the first look into what is to be dialled, and whenever
        the database was away; what it raises comes through.
        """
        asked = time.monotonic()
        self._lock()
        self._check()
        enter = self._membership.renew if self._entered else self._membership.register
        self.lease.extend(enter(self.dialer_id, info | {"pid": os.getpid()}))
        self._entered = True
        with db.connection_context():
            db.execute_sql(_REGISTER, (self.dialer_id, KNOWS))
        self._locked_at = asked

    def renew(self, info: dict[str, object]) -> None:
        """Extend the lease. Raises MembershipUnavailable, and Fenced where it is lost for good."""
        try:
            self.lease.extend(self._membership.renew(self.dialer_id, info | {"pid": os.getpid()}))
        except Fenced:
            self.lose()
            raise

    def lose(self) -> None:
        """Nothing more is sent under this id, from now on and for good."""
        self.lost = True
        self.lease.end()

    def may_send(self) -> bool:
        """Whether a frame may be written now: the lease holds, and the session lock was held a moment ago."""
        return self.lease.valid() and time.monotonic() - self._locked_at < LOCK_SECONDS

    def keep_lock(self) -> None:
        """See that the session lock is held; after PostgreSQL was away, take it anew.

        Until it is held again, and the database was checked, nothing is sent. Raises psycopg.Error while PostgreSQL
        is away, and what `check_database` raises.
        """
        asked = time.monotonic()
        try:
            with _answered_in_time():
                assert self._session is not None
                self._session.execute("SELECT 1")
        except psycopg.Error:
            if not self._doubted:
                log.warning("session_lock_lost", dialer_id=self.dialer_id)
            self._locked_at, self._doubted = NEVER, True
            self._lock()
            with _answered_in_time():
                assert self._session is not None
                self._session.execute(_REGISTER_ANEW, (self.dialer_id, KNOWS))
        self._check()
        self._locked_at = asked

    def _check(self) -> None:
        if self._doubted:
            self._check_database()
            self._doubted = False

    def _lock(self) -> None:
        with _answered_in_time():
            self._lock_anew()

    def _lock_anew(self) -> None:
        if self._session is not None:
            self._session.close()
        session = self._session = psycopg.connect(
            self._database_url,
            autocommit=True,
            connect_timeout=2,
            application_name=f"carillon {self.dialer_id}",
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=10_000,
        )
        number = lock_number(self.dialer_id)
        taken = session.execute("SELECT pg_try_advisory_lock(%s, %s)", (LOCK_SPACE, number)).fetchone()
        if not (taken and taken[0]):
            # Our own earlier connection, which the server takes for alive since nobody told it: waiting could last
            # for hours. The next attempt finds it gone.
            session.execute(_END_HOLDER, (LOCK_SPACE, number))
            session.close()
            raise psycopg.OperationalError("an earlier connection still holds the session lock")
        # By the session that holds the lock: where the row arrives, the lock is held in the same era.
        session.execute(_HELD_NOW, (self.dialer_id,))

    def release(self) -> None:
        """Leave the membership and drop the lock: a clean end. Raises MembershipUnavailable; the lock is dropped."""
        self.lose()
        try:
            self._membership.leave(self.dialer_id)
        finally:
            self.drop_lock()

    def drop_lock(self) -> None:
        """Close the session that holds the lock: nothing is sent before it is held again."""
        self._locked_at = NEVER
        if self._session is not None:
            self._session.close()


def _answered_in_time() -> gevent.Timeout:
    """A server that stands still answers nothing, and keeps the socket open: to be entered around what is asked of
    it. Raises psycopg.OperationalError where there is no answer; the session is closed before it is used again."""
    return gevent.Timeout(SILENCE_SECONDS, psycopg.OperationalError("the server says nothing"))


def lock_was_released(dialer_id: str) -> bool:
    """Whether this dialer's session, which held its lock, is gone while PostgreSQL has lost no other.

    False where the lock is gone because PostgreSQL restarted, recovered from the crash of a backend or was promoted,
    until the dialer takes it anew. On the connection that this greenlet holds.
    """
    (gone,) = db.execute_sql(_RELEASED, (dialer_id, LOCK_SPACE, lock_number(dialer_id))).fetchone()
    return bool(gone)


def purge_locks() -> None:
    """Forget the locks of dialers that were settled long ago; what they sent has ended.

    Raises what a database that is away raises.
    """
    with db.connection_context():
        db.execute_sql(PURGE)
