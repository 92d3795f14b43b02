"""A request's database transaction, bounded in time.

A database that hangs must not hang the API: getting a working connection takes at most CHECKOUT_SECONDS, the
work on it WORK_SECONDS unless the caller asks for more, and past either the client is told to come back. Work that
takes longer than a moment goes on only while the server answers somebody.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import gevent
import peewee
import psycopg
from playhouse.pool import MaxConnectionsExceeded

import outages
from api.database_probe import DatabaseProbe
from api.errors import DatabaseUnavailable
from models import CHECKOUT_SECONDS, db

TOO_LONG = "work that takes too long, or no answer"
WORK_SECONDS = 10.0
READING_SECONDS = 60
"""A transaction that may take long waits for a process that reads a list, which on a busy machine takes a while to
begin. Nobody else is held up meanwhile, but who adds to the same campaign."""
STATEMENT_SECONDS = 150.0
"""Longer than any transaction: what nobody waits for any more ends at the server too."""

_probe = DatabaseProbe()


@contextmanager
def transaction(seconds: float = WORK_SECONDS, *, writes: bool = True) -> Iterator[None]:
    """One transaction on a connection of the pool, which commits at the end.

    Without `writes` each statement stands for itself: at this isolation each would see what is committed by then all
    the same, and a transaction around them costs two round trips.

    Raises DatabaseUnavailable where no working connection is had in time, where it breaks, where the server falls
    silent, or where the work takes longer than `seconds`; every other error passes through after a rollback.
    """
    _check_out()
    deadline = gevent.Timeout(seconds)
    deadline.start()
    watched = _probe.watch(deadline)
    atomic: AbstractContextManager[object] = db.atomic() if writes else nullcontext()
    try:
        atomic.__enter__()
        if writes and seconds > WORK_SECONDS:
            db.execute_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{READING_SECONDS}s'")
        yield
        atomic.__exit__(None, None, None)
        outages.answered(outages.DATABASE)
    # Whatever ends the work, a kill of its greenlet included: the connection goes back rolled back, or not at all.
    except BaseException as error:
        watched.stop()
        deadline.close()
        if error is deadline or db.is_lost() or not _rolled_back():
            outages.struck(outages.DATABASE, TOO_LONG if error is deadline else error)
            db.discard()
            if error is deadline or isinstance(error, peewee.PeeweeException | psycopg.Error):
                raise DatabaseUnavailable from error
        raise
    finally:
        watched.stop()
        deadline.close()
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
        if timeout is not deadline:
            raise
        outages.struck(outages.DATABASE, "no connection in time")
        raise DatabaseUnavailable from timeout
    except (peewee.PeeweeException, psycopg.Error, MaxConnectionsExceeded) as error:
        outages.struck(outages.DATABASE, error)
        raise DatabaseUnavailable from error
    finally:
        deadline.close()
