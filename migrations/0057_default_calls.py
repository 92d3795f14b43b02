"""`tenant.default_max_concurrent_calls`: what a campaign has that says nothing of it; null is the platform's own."""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = ("ALTER TABLE tenant ADD COLUMN IF NOT EXISTS default_max_concurrent_calls int",)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the column."""
    run(db, STATEMENTS)
