"""A gateway that is at fault in every call is paused, and probed now and then."""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

STATEMENTS = (
    "ALTER TABLE gateway ADD COLUMN faults_in_row int NOT NULL DEFAULT 0",
    "ALTER TABLE gateway ADD COLUMN paused_at timestamptz",
    "ALTER TABLE gateway ADD COLUMN paused_reason text",
    "ALTER TABLE gateway ADD COLUMN probe_at timestamptz",
    "ALTER TABLE gateway ADD COLUMN probes int NOT NULL DEFAULT 0",
    "ALTER TABLE gateway ADD CONSTRAINT gateway_paused CHECK ((paused_at IS NULL) = (probe_at IS NULL))",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns."""
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[no-untyped-call]
