"""Until when a call that was closed without proof of its end keeps its slots, and with which timers a call leaves."""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE call ADD COLUMN IF NOT EXISTS slot_until timestamptz",
    "ALTER TABLE call ADD COLUMN IF NOT EXISTS ring_seconds int",
    "ALTER TABLE call ADD COLUMN IF NOT EXISTS max_seconds int",
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS call_held ON call (dialer_id) WHERE slot_until IS NOT NULL",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns and the index."""
    run(db, STATEMENTS)
