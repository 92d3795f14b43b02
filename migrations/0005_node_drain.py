"""`node_drain`: nodes that the operator is emptying; no new call goes to one whose name is here."""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENT = """
    CREATE TABLE node_drain (
        name text PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        by text NOT NULL
    )"""


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Create the table."""
    run(db, (STATEMENT,))
