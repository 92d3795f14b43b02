"""By `suppression_campaign` the entries of one campaign are found among a tenant's millions: a clone takes them."""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    """
    CREATE INDEX CONCURRENTLY IF NOT EXISTS suppression_campaign ON suppression (campaign_id, id)
    WHERE campaign_id <> '00000000-0000-0000-0000-000000000000'""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Build the index beside whoever writes."""
    run(db, STATEMENTS)
