"""`agent.safe_harbour`: what an abandoned callee hears; `call.ring_at`: when the far end said that it rings."""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = (
    "ALTER TABLE agent ADD COLUMN safe_harbour jsonb",
    "ALTER TABLE call ADD COLUMN ring_at timestamptz",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns."""
    run(db, STATEMENTS)
