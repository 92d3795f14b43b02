"""`campaign.retry_rules`: when who ended so is called again, by disposition; none is as the two columns say."""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = ("ALTER TABLE campaign ADD COLUMN IF NOT EXISTS retry_rules jsonb NOT NULL DEFAULT '{}'",)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the column."""
    run(db, STATEMENTS)
