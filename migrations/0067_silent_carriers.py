"""Which calls in a row ended without any response by a gateway, and to one of its destinations (`silent_calls`), and
since when (`silent_since`).

A dialer of the last release counts none, and begins none anew.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = (
    "ALTER TABLE gateway ADD COLUMN IF NOT EXISTS silent_calls jsonb NOT NULL DEFAULT '[]'",
    "ALTER TABLE gateway ADD COLUMN IF NOT EXISTS silent_since timestamptz",
    "ALTER TABLE gateway_prefix ADD COLUMN IF NOT EXISTS silent_calls jsonb NOT NULL DEFAULT '[]'",
    "ALTER TABLE gateway_prefix ADD COLUMN IF NOT EXISTS silent_since timestamptz",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns."""
    run(db, STATEMENTS)
