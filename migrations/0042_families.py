"""`campaign.cloned_from`: which campaign this one repeats for some of its contacts; `family_id`: the first of them
all. Null for one that is no clone."""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS cloned_from uuid",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS family_id uuid",
    """CREATE INDEX CONCURRENTLY IF NOT EXISTS campaign_family ON campaign (family_id)
    WHERE family_id IS NOT NULL""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns, and build the index beside whoever writes."""
    run(db, STATEMENTS)
