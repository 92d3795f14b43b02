"""Retention: for how many days a tenant's campaigns keep their contacts and calls once they have ended.

`tenant.retention_days`: null is for ever. `campaign.purged_at`: since when they are being deleted, or gone;
`purging_at` until they are. `kept_outcomes`: what had become of its calls, which nobody can count any more.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE tenant ADD COLUMN IF NOT EXISTS retention_days int",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS purging_at timestamptz",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS purged_at timestamptz",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS kept_outcomes jsonb",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns."""
    run(db, STATEMENTS)
