"""Since when a gateway has refused every call (`faults_since`), and which calls (`refused_calls`).

A dialer of the last release counts on without it: who was refused then is not known, and nobody is given back what he
was charged.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = (
    "ALTER TABLE gateway ADD COLUMN IF NOT EXISTS faults_since timestamptz",
    "ALTER TABLE gateway ADD COLUMN IF NOT EXISTS refused_calls jsonb NOT NULL DEFAULT '[]'",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns."""
    run(db, STATEMENTS)
