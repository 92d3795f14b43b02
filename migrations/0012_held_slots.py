"""`call.slot_until`: maybe live, a closed call keeps its slots until then; `ring_seconds`, `max_seconds`: timers."""

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
