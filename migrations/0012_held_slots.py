"""Until when a call that was closed without proof of its end keeps its slots, and with which timers a call leaves."""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

STATEMENTS = (
    "ALTER TABLE call ADD COLUMN slot_until timestamptz",
    "ALTER TABLE call ADD COLUMN ring_seconds int",
    "ALTER TABLE call ADD COLUMN max_seconds int",
    "CREATE INDEX call_held ON call (dialer_id) WHERE slot_until IS NOT NULL",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns."""
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[no-untyped-call]
