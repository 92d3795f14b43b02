"""By `campaign_tests` the test calls of a campaign are found that are over, too: an erasure takes from them what the
first contact of its list lent them, and so does the end of a tenant's `retention_days`. Decision 0064.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS campaign_tests ON campaign (test_of) WHERE test_of IS NOT NULL",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Build the index beside whoever writes."""
    run(db, STATEMENTS)
