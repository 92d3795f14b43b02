"""`installation`: what the database says of itself, so that one that was restored is known for what it is.

A dialer of the last release neither notes nor heeds it.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = (
    """CREATE TABLE IF NOT EXISTS installation (
    id integer PRIMARY KEY CHECK (id = 1),
    system text NOT NULL,
    lineage text NOT NULL,
    beat_at timestamptz NOT NULL
)""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Create the table."""
    run(db, STATEMENTS)
