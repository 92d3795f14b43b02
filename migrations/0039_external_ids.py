"""What clients call campaigns and contacts: `external_id` and `metadata`, found by index.

A contact's external id is its list's column of that name. By its hash: a cell can be longer than a row of an index.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS external_id text",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS metadata jsonb NOT NULL DEFAULT '{}'",
    "ALTER TABLE contact ADD COLUMN IF NOT EXISTS metadata jsonb NOT NULL DEFAULT '{}'",
    """CREATE INDEX CONCURRENTLY IF NOT EXISTS campaign_external_id ON campaign (tenant_id, external_id)
    WHERE external_id IS NOT NULL""",
    """CREATE INDEX CONCURRENTLY IF NOT EXISTS campaign_metadata ON campaign USING gin (metadata jsonb_path_ops)
    WHERE metadata <> '{}'""",
    """CREATE INDEX CONCURRENTLY IF NOT EXISTS contact_external_id
    ON contact (campaign_id, md5(custom_fields ->> 'external_id')) WHERE custom_fields ? 'external_id'""",
    """CREATE INDEX CONCURRENTLY IF NOT EXISTS contact_metadata ON contact USING gin (metadata jsonb_path_ops)
    WHERE metadata <> '{}'""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns, and build the indexes beside whoever writes."""
    run(db, STATEMENTS)
