"""`call.second_leg_gateway_id`: by which gateway its agent is reached, a channel of which it holds while it is up."""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = ("ALTER TABLE call ADD COLUMN IF NOT EXISTS second_leg_gateway_id uuid",)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the column."""
    run(db, STATEMENTS)
