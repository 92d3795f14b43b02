"""`call_limits.allowed_countries` are those whose numbers a tenant's lists may hold (null is any);
`premium_allowed` says whether premium-rate numbers may be in them.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = (
    "ALTER TABLE call_limits ADD COLUMN IF NOT EXISTS allowed_countries text[]",
    "ALTER TABLE call_limits ADD COLUMN IF NOT EXISTS premium_allowed boolean NOT NULL DEFAULT false",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns."""
    run(db, STATEMENTS)
