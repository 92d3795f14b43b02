"""The gateway breaker's columns: a gateway that is at fault in every call is paused, and probed now and then."""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE gateway ADD COLUMN IF NOT EXISTS faults_in_row int NOT NULL DEFAULT 0",
    "ALTER TABLE gateway ADD COLUMN IF NOT EXISTS paused_at timestamptz",
    "ALTER TABLE gateway ADD COLUMN IF NOT EXISTS paused_reason text",
    "ALTER TABLE gateway ADD COLUMN IF NOT EXISTS probe_at timestamptz",
    "ALTER TABLE gateway ADD COLUMN IF NOT EXISTS probes int NOT NULL DEFAULT 0",
    "ALTER TABLE gateway DROP CONSTRAINT IF EXISTS gateway_paused",
    """ALTER TABLE gateway ADD CONSTRAINT gateway_paused
        CHECK ((paused_at IS NULL) = (probe_at IS NULL)) NOT VALID""",
    "ALTER TABLE gateway VALIDATE CONSTRAINT gateway_paused",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns."""
    run(db, STATEMENTS)
