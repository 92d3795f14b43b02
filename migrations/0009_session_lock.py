"""`session_lock`: dialers that have held their session lock since PostgreSQL last lost all of them.

The table is unlogged: PostgreSQL empties it when it recovers from a crash, be it of one backend (which ends every
session and leaves the postmaster's start time as it was), and when a standby is promoted. So a row says that the lock
was held in this very era. A dialer of the last release writes none: nothing of its is ever proven, and what it may
still send is not sent again. It reads `dialer.postmaster_started_at`, which is written as before.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = (
    """
    CREATE UNLOGGED TABLE session_lock (
        dialer_id text PRIMARY KEY,
        postmaster_started_at timestamptz NOT NULL DEFAULT pg_postmaster_start_time(),
        taken_at timestamptz NOT NULL DEFAULT now()
    )""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Create the table."""
    run(db, STATEMENTS)
