"""The inbox of the nodes' call records: what the API takes in and the dialers apply."""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = (
    """
    CREATE TABLE cdr_inbox (
        uuid uuid NOT NULL,
        node text NOT NULL,
        received_at timestamptz NOT NULL DEFAULT now(),
        variables jsonb NOT NULL,
        applied_at timestamptz,
        PRIMARY KEY (uuid, node)
    )""",
    "CREATE INDEX cdr_inbox_waiting ON cdr_inbox (received_at) WHERE applied_at IS NULL",
    "CREATE INDEX cdr_inbox_age ON cdr_inbox (received_at)",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Create the table."""
    run(db, STATEMENTS)
