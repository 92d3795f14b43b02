"""PostgreSQL: the pool, one transaction, and rows of a statement.

peewee's state is of one greenlet only where gevent had patched the process before peewee was imported: whoever starts
a process patches it first (`app.py` refuses to start otherwise).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from peewee import DatabaseProxy
from psycopg.pq import ExecStatus

from database_pool import Pool

POOL_SIZE = 8
CONNECT_SECONDS = 2
CHECKOUT_SECONDS = 1.5
SILENCE_SECONDS = 30.0
"""So long after the server should have ended a statement its client gives it up: a server that stands still ends
none."""
IDLE_SECONDS = 5
"""A transaction that says nothing for so long is undone: its process stands still, and others wait for its rows."""

BY_ID = {
    "jit": "off",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "cpu_tuple_cost": "1",
    "cpu_index_tuple_cost": "0.5",
    "plan_cache_mode": "force_generic_plan",
}
"""Where all rows are looked up by id: nothing is read from end to end, a row more is dear also where there are but a
few, and one plan is made for all times."""
PREPARED_AFTER = 1
"""So often a statement comes there before its plan is kept."""

db = DatabaseProxy()

Row = TypeVar("Row")


def connect(
    url: str,
    pool_size: int = POOL_SIZE,
    statement_seconds: float | None = None,
    connect_seconds: int = CONNECT_SECONDS,
) -> Pool:
    """Bind the models to the database at `url` through a small fixed pool, and return it.

    A greenlet that wants a connection waits at most 1.5 s for one, and returns it when its work is done
    (`transaction`, or `db.connection_context()` for a single statement): nothing connects by itself. One that is not
    made within `connect_seconds` (whole seconds) is given up. The server ends a statement that takes longer than
    `statement_seconds` (None: never); a server that has vanished from the network breaks the connection within about
    10 s, whoever waits for it.
    """
    pool = open_pool(url, pool_size, statement_seconds, connect_seconds=connect_seconds)
    db.initialize(pool)
    return pool


def open_pool(
    url: str,
    size: int,
    statement_seconds: float | None = None,
    lock_seconds: float | None = None,
    connect_seconds: int = CONNECT_SECONDS,
    *,
    transaction_seconds: float | None = None,
    by_id: bool = False,
) -> Pool:
    """A pool as `connect` makes it, that no model is bound to: for work that must not wait behind other work.

    The client gives a server up that says nothing for `statement_seconds` and SILENCE_SECONDS.

    The server ends a statement that waits for a lock for longer than `lock_seconds`, and from PostgreSQL 17 on a
    transaction that takes longer than `transaction_seconds`, whether or not all of it has come (None: never).

    `by_id`: its statements get the ids of all rows that they are about, or find them by an index. Of a small table
    the planner would read all rows instead, and keep that plan while the table grows. Each connection plans a
    statement once, when it comes the second time: a plan costs more than a few rows, and PostgreSQL would make one
    for each time for as long as it takes that for a little cheaper.
    """
    bounds = {"statement_timeout": statement_seconds, "lock_timeout": lock_seconds}
    options = "".join(f" -c {name}={round(most * 1000)}" for name, most in bounds.items() if most)
    if by_id:
        options += "".join(f" -c {name}={value}" for name, value in BY_ID.items())
    prepared = {"prepare_threshold": PREPARED_AFTER} if by_id else {}
    return Pool(
        url,
        size,
        CHECKOUT_SECONDS,
        transaction_seconds,
        None if statement_seconds is None else statement_seconds + SILENCE_SECONDS,
        connect_timeout=connect_seconds,
        options=f"-c timezone=UTC -c idle_in_transaction_session_timeout={IDLE_SECONDS}s{options}",
        application_name="carillon",
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        tcp_user_timeout=10_000,
        **prepared,
    )


@contextmanager
def transaction() -> Iterator[None]:
    """One transaction, which commits at the end, on a connection of the pool; part of the caller's own within one.

    A request's is bounded in time as well (`api.transactions`).
    """
    if not db.is_closed():
        with db.atomic():
            yield
        return
    with db.connection_context(), db.atomic():
        yield


def rows(sql: str, *params: object) -> list[dict[str, Any]]:
    """Run one statement and return its rows as dicts, on the connection this greenlet holds."""
    cursor = db.execute_sql(sql, params)
    result = cursor.pgresult
    # A SELECT of no column has rows all the same.
    if result.status != ExecStatus.TUPLES_OK:
        return []
    # The cursor's own description makes an object of each column, as dear as the rest of a small row.
    names = [result.fname(number).decode() for number in range(result.nfields)]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def rows_as(kind: type[Row], sql: str, *params: object) -> list[Row]:
    """Run one statement and return its rows as `kind`, whose fields are the statement's columns."""
    return [kind(**row) for row in rows(sql, *params)]
