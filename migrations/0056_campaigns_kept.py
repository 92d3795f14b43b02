"""By `campaign_kept` campaigns that their tenant keeps no longer are found without those that it keeps, by
`campaign_deleted` what was deleted in the last months, and by `campaign_purging` what is being deleted.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    """
    CREATE INDEX CONCURRENTLY IF NOT EXISTS campaign_kept ON campaign (tenant_id, coalesce(completed_at, deleted_at))
    WHERE purged_at IS NULL AND coalesce(completed_at, deleted_at) IS NOT NULL""",
    """
    CREATE INDEX CONCURRENTLY IF NOT EXISTS campaign_deleted ON campaign (deleted_at)
    WHERE purged_at IS NULL AND deleted_at IS NOT NULL""",
    """
    CREATE INDEX CONCURRENTLY IF NOT EXISTS campaign_purging ON campaign (purging_at)
    WHERE purging_at IS NOT NULL""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Build the indexes beside whoever writes."""
    run(db, STATEMENTS)
