"""What is told of a list beside its rows: its columns, warnings, and the column of each rejected row."""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS import_columns jsonb",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS import_warnings jsonb",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS import_region text",
    "ALTER TABLE import_reject ADD COLUMN IF NOT EXISTS column_name text",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns: null of a list that an older release imported."""
    run(db, STATEMENTS)
