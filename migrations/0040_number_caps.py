"""`call_limits`: how often a tenant may call one number; null, and a gap of 0, are no cap.

`contact.wait_reason`: why a contact is not called before its `next_attempt_at`, where that is not its retry.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = (
    "ALTER TABLE call_limits ADD COLUMN IF NOT EXISTS number_gap_seconds int NOT NULL DEFAULT 0",
    "ALTER TABLE call_limits ADD COLUMN IF NOT EXISTS number_calls_24h int",
    "ALTER TABLE call_limits ADD COLUMN IF NOT EXISTS number_calls_7d int",
    "ALTER TABLE call_limits ADD COLUMN IF NOT EXISTS number_calls_30d int",
    "ALTER TABLE contact ADD COLUMN IF NOT EXISTS wait_reason text",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns."""
    run(db, STATEMENTS)
