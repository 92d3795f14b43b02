"""`campaign.single_call`: it is one call that somebody asked for by itself, as a campaign of one contact that no list
of campaigns shows; `test_of` is the campaign that it tries. `tenant.test_numbers` are the numbers that test calls may
go to, `call_limits.reserved_concurrency` is how many of a tenant's places are kept for single calls.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS single_call boolean NOT NULL DEFAULT false",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS test_of uuid",
    "ALTER TABLE tenant ADD COLUMN IF NOT EXISTS test_numbers jsonb NOT NULL DEFAULT '[]'",
    "ALTER TABLE call_limits ADD COLUMN IF NOT EXISTS reserved_concurrency int NOT NULL DEFAULT 0",
    "ALTER TABLE call_limits DROP CONSTRAINT IF EXISTS call_limits_reserved",
    "ALTER TABLE call_limits ADD CONSTRAINT call_limits_reserved CHECK (reserved_concurrency >= 0) NOT VALID",
    "ALTER TABLE call_limits VALIDATE CONSTRAINT call_limits_reserved",
    """
    CREATE INDEX CONCURRENTLY IF NOT EXISTS campaign_listed ON campaign (tenant_id, created_at, id)
    WHERE NOT single_call""",
    """
    CREATE INDEX CONCURRENTLY IF NOT EXISTS campaign_test_of ON campaign (test_of)
    WHERE test_of IS NOT NULL AND completed_at IS NULL""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns, and make the indexes beside whoever writes."""
    run(db, STATEMENTS)
