"""Applies the numbered scripts of this folder, one release process at a time."""

from __future__ import annotations

from pathlib import Path

from playhouse.migrations import Runner

from models import connect

LOCK = 0x6361_7269_6C6C_6F6E
"""The advisory lock of the release process: "carillon" in ASCII."""


def migrate(database_url: str) -> list[str]:
    """Apply what is pending and return the names applied.

    Safe to run from several machines at once: peewee's runner takes no lock, so the second waits for the
    first here, and then finds nothing to do.
    """
    pool = connect(database_url, pool_size=1)
    with pool.connection_context():
        pool.execute_sql("SELECT pg_advisory_lock(%s)", (LOCK,))
        try:
            names: list[str] = Runner(pool, directory=str(Path(__file__).parent)).up()
        finally:
            pool.execute_sql("SELECT pg_advisory_unlock(%s)", (LOCK,))
    pool.close_all()
    return names
