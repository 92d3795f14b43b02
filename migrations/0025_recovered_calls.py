"""`call.recovered`, `call.certain_billsec`: what is known of a call whose node died in it and took it up again."""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE call ADD COLUMN IF NOT EXISTS recovered boolean NOT NULL DEFAULT false",
    "ALTER TABLE call ADD COLUMN IF NOT EXISTS certain_billsec integer",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns."""
    run(db, STATEMENTS)
