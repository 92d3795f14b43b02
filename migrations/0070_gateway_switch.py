"""`outbound_enabled` of gateways: whether calls leave by one, and since when and by whose word they do not."""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = (
    "ALTER TABLE gateway ADD COLUMN IF NOT EXISTS outbound_enabled boolean NOT NULL DEFAULT true",
    "ALTER TABLE gateway ADD COLUMN IF NOT EXISTS switched_off_at timestamptz",
    "ALTER TABLE gateway ADD COLUMN IF NOT EXISTS switched_off_by text",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns."""
    run(db, STATEMENTS)
