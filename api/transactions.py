"""A request's database transaction, bounded in time.

A database that hangs must not hang the API: getting a working connection takes at most CHECKOUT_SECONDS, the
work on it WORK_SECONDS unless the caller asks for more, and past either the client is told to come back. Work that
takes longer than a moment goes on only while the server answers somebody.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import gevent
import peewee
import psycopg
import structlog
from playhouse.pool import MaxConnectionsExceeded, PooledPostgresqlDatabase

from api.database_probe import DatabaseProbe
from api.errors import DatabaseUnavailable
from models import CHECKOUT_SECONDS, db

log = structlog.get_logger(__name__)

WORK_SECONDS = 10.0
STATEMENT_SECONDS = 150.0
"""Longer than any transaction: what nobody waits for any more ends at the server too."""

_probe = DatabaseProbe()


class Adapter(peewee.Psycopg3Adapter):
    """What the pool asks about a connection before it hands it out."""

    def is_connection_closed(self, conn: psycopg.Connection) -> bool:
        """Whether the connection is of no more use; one whose answer nobody waited for is closed."""
        try:
            return bool(super().is_connection_closed(conn))
        except gevent.Timeout:
            conn.pgconn.finish()
            raise


def close_abandoned_connections(pool: PooledPostgresqlDatabase) -> None:
    """Let `pool` close a connection that its check-out gave up on: it is in nobody's hands then."""
    pool._adapter = Adapter()


@contextmanager
def transaction(seconds: float = WORK_SECONDS) -> Iterator[None]:
    """One transaction on a connection of the pool, which commits at the end.

    Raises DatabaseUnavailable where no working connection is had in time, where it breaks, where the server falls
    silent, or where the work takes longer than `seconds`; every other error passes through after a rollback.
    """
    _check_out()
    deadline = gevent.Timeout(seconds)
    deadline.start()
    watched = _probe.watch(deadline)
    atomic = db.atomic()
    try:
        atomic.__enter__()
        yield
        atomic.__exit__(None, None, None)
    # Whatever ends the work, a kill of its greenlet included: the connection goes back rolled back, or not at all.
    except BaseException as error:
        watched.stop()
        deadline.close()
        if error is deadline or not _usable() or not _rolled_back():
            log.error("database_unavailable", exc_info=error)
            _discard()
            if error is deadline or isinstance(error, peewee.PeeweeException | psycopg.Error):
                raise DatabaseUnavailable from error
        raise
    finally:
        watched.stop()
        deadline.close()
        if not db.is_closed():
            db.close()


def _rolled_back() -> bool:
    """Roll this greenlet's transaction back; False where the connection does not answer even that."""
    while db.transaction_depth():
        db.pop_transaction()
    try:
        with gevent.Timeout(CHECKOUT_SECONDS):
            db.rollback()
    except (gevent.Timeout, peewee.PeeweeException, psycopg.Error):
        return False
    return True


def _check_out() -> None:
    deadline = gevent.Timeout(CHECKOUT_SECONDS)
    deadline.start()
    try:
        db.connect()
    except gevent.Timeout as timeout:
        _forget()
        if timeout is not deadline:
            raise
        log.error("database_unavailable", reason="no connection in time")
        raise DatabaseUnavailable from timeout
    except (peewee.PeeweeException, psycopg.Error, MaxConnectionsExceeded) as error:
        _forget()
        log.error("database_unavailable", exc_info=error)
        raise DatabaseUnavailable from error
    finally:
        deadline.close()


def _connection() -> Any:
    return db._state.conn


def _usable() -> bool:
    connection = _connection()
    return connection is not None and not connection.closed and not connection.broken


def _discard() -> None:
    """Close this greenlet's connection instead of returning it: what it was doing may still be under way."""
    connection = _connection()
    if connection is not None:
        connection.pgconn.finish()
    while db.transaction_depth():
        db.pop_transaction()
    # A driver may raise anything over a connection that is half closed, and nothing of it changes what follows.
    with suppress(Exception):
        db.manual_close()
    _forget()


def _forget() -> None:
    db._state.reset()
