"""`gateway_log`: what was changed of each gateway, when and by which key, and what it was before."""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = (
    """
    CREATE TABLE gateway_log (
        id bigserial PRIMARY KEY,
        gateway_id uuid NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        by text NOT NULL,
        action text NOT NULL,
        changes jsonb NOT NULL DEFAULT '{}'
    )""",
    "CREATE INDEX gateway_log_page ON gateway_log (gateway_id, id)",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Make the table."""
    run(db, STATEMENTS)
