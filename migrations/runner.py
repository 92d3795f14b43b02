"""Applies the numbered scripts of this folder, one release process at a time, while dialers and web processes run.

A script runs in one transaction, or, where it says `atomic = False`, statement by statement: an index that is built
beside writers (CREATE INDEX CONCURRENTLY) cannot be built in a transaction. Either can be run again.
"""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
from peewee import OperationalError
from playhouse.migrations import Runner

from migrations.contraction import contract, left
from migrations.statements import LOCK_SECONDS
from models import Pool, connect

LOCK = 0x6361_7269_6C6C_6F6E
"""The advisory lock of the release process: "carillon" in ASCII."""
POLL_SECONDS = 0.2
RETRY_SECONDS = 600.0
"""For how long a script is tried again whose tables are in use."""


def migrate(database_url: str) -> list[str]:
    """Apply what is pending and return the names applied.

    Safe to run from several machines at once: peewee's runner takes no lock, so the second waits for the
    first here, and then finds nothing to do.
    """
    pool = connect(database_url, pool_size=1)
    try:
        with pool.connection_context():
            _wait_for_lock(pool)
            runner = Runner(pool, directory=str(Path(__file__).parent))
            before = set(runner.applied())
            apply(pool, runner)
            contract(pool)
            return sorted(set(runner.applied()) - before)
    finally:
        # The lock ends with its session, also after a script that failed.
        pool.close_all()


def is_contracted(database_url: str) -> bool:
    """Whether nothing is left that only an older release uses."""
    pool = connect(database_url, pool_size=1)
    try:
        with pool.connection_context():
            return not left(pool)
    finally:
        pool.close_all()


def _wait_for_lock(pool: Pool) -> None:
    """Take the lock, asking again and again, never in a statement that waits.

    CREATE INDEX CONCURRENTLY waits for every statement that began before it, also for one that waits for our lock:
    the two would wait for each other until PostgreSQL ended one, and leave an INVALID index.
    """
    while not pool.execute_sql("SELECT pg_try_advisory_lock(%s)", (LOCK,)).fetchone()[0]:
        time.sleep(POLL_SECONDS)


def apply(pool: Pool, runner: Runner) -> None:
    """Run the pending scripts, each again for as long as somebody else holds what it has to lock.

    ALTER TABLE waits for everybody who uses the table, and everybody who comes later waits behind it. So it waits a
    second only, and lets them pass before it asks again.
    """
    pool.execute_sql(f"SET lock_timeout = '{LOCK_SECONDS}s'")
    applied, deadline = runner.applied(), time.monotonic() + RETRY_SECONDS
    while True:
        try:
            runner.up()
        except OperationalError as error:
            if (now_applied := runner.applied()) != applied:
                # Another script's turn: an index may have taken the whole time of the one before.
                applied, deadline = now_applied, time.monotonic() + RETRY_SECONDS
            in_use = isinstance(getattr(error, "orig", None), psycopg.errors.LockNotAvailable)
            if not in_use or time.monotonic() >= deadline:
                raise
            time.sleep(LOCK_SECONDS)
        else:
            return
