"""`campaign.end_at`: when the rest of its list is to be cancelled; null is never. `time_zone`: the zone in which its
times were given, or null.

The indexes have what a dialer asks for once a second: the next start and the next end.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS end_at timestamptz",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS time_zone text",
    """CREATE INDEX CONCURRENTLY IF NOT EXISTS campaign_scheduled ON campaign (scheduled_at)
    WHERE status = 'scheduled' AND deleted_at IS NULL""",
    """CREATE INDEX CONCURRENTLY IF NOT EXISTS campaign_deadline ON campaign (end_at)
    WHERE end_at IS NOT NULL AND completed_at IS NULL AND deleted_at IS NULL""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns, and make the indexes beside whoever writes."""
    run(db, STATEMENTS)
