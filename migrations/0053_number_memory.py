"""`number_memory`: how far back, in ms, calls to a tenant's numbers are known for policy packs, and `until` when,
though none of its campaigns that packs bind may run just then. Dialers write it.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = (
    """CREATE TABLE IF NOT EXISTS number_memory (
        tenant_id text PRIMARY KEY, ms bigint NOT NULL, until timestamptz NOT NULL)""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the table."""
    run(db, STATEMENTS)
